package sample

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

func decodeName(t *testing.T, d *Decoder, name string) string {
	t.Helper()
	got, _, err := d.Decode(fmt.Appendf(nil, `{"name":%q,"labels":{"host":%[1]q},"value":1}`, name), now)
	if err != nil || got[0].Name != name || string(got[0].Labels) != `{"host":"`+name+`"}` {
		t.Fatalf("%q: %+v, %v", name, got, err)
	}
	return got[0].Name
}

// However many names come, each is what was sent, and what is remembered is bounded.
func TestInternerIsBounded(t *testing.T) {
	in := NewInterner()
	d := NewDecoder(in)
	pad := strings.Repeat("x", 900)
	for i := range 40_000 {
		decodeName(t, d, fmt.Sprintf("%d%s", i, pad))
	}
	for kind, table := range map[string]*table{"names": &in.names, "labels": &in.labels} {
		slots := *table.slots.Load()
		var count, bytes int64
		for i := range slots {
			if e := slots[i].Load(); e != nil {
				count++
				bytes += e.size()
			}
		}
		if len(slots) > mostSlots || bytes > mostText || count != table.count.Load() || bytes != table.bytes.Load() || bytes < mostText/2 {
			t.Errorf("%s: %d slots, %d texts of %d bytes, counted as %d of %d", kind, len(slots), count, bytes, table.count.Load(), table.bytes.Load())
		}
	}
	// What is sent again and again finds a place.
	for range 100 {
		decodeName(t, d, "last")
		decodeName(t, d, "again")
	}
	if n := testing.AllocsPerRun(10, func() { decodeBoth(t, d) }); n > 0 {
		t.Errorf("%v allocations for names that are known", n)
	}
}

var both = []byte(`{"metrics":[{"name":"last","labels":{"host":"last"},"value":1},{"name":"again","labels":{"host":"again"},"value":1}]}`)

func decodeBoth(t *testing.T, d *Decoder) {
	if _, _, err := d.Decode(both, now); err != nil {
		t.Fatal(err)
	}
}

// However many texts came and went, those that come now are remembered: what stands there
// leaves, also where a new text meets a free slot.
func TestInternerGoesOnLearning(t *testing.T) {
	in := NewInterner()
	d := NewDecoder(in)
	pad := strings.Repeat("x", 400)
	for i := range 100_000 {
		decodeName(t, d, fmt.Sprintf("%d%s", i, pad))
	}
	const names = 1000
	body := []byte(`{"metrics":[`)
	for i := range names {
		body = fmt.Appendf(body, `{"name":"new%d%s","labels":{"host":"new%[1]d%[2]s"},"value":1},`, i, pad)
	}
	body = append(body[:len(body)-1], "]}"...)
	decode := func() {
		if _, _, err := d.Decode(body, now); err != nil {
			t.Fatal(err)
		}
	}
	decode()
	// Two windows in a thousand may be fuller than they have places.
	if n := testing.AllocsPerRun(5, decode); n > names/50 {
		t.Errorf("%v allocations for %d names and labels that were sent before", n, names)
	}
}

// Decoders of many goroutines share what they remember.
func TestInternerIsShared(t *testing.T) {
	in := NewInterner()
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			d := NewDecoder(in)
			for i := range 3000 {
				if name := fmt.Sprint((i*7 + w) % 2000); decodeName(t, d, name) != name {
					return
				}
			}
		})
	}
	wg.Wait()
}

// A long text is taken, and not remembered.
func TestLongTextsAreNotRemembered(t *testing.T) {
	in := NewInterner()
	d := NewDecoder(in)
	blanks := strings.Repeat(" ", longestText)
	if got, _, err := d.Decode([]byte(`{"name":"a","value":1,"labels":{`+blanks+`"host":"a"}}`), now); err != nil || got[0].Labels != `{"host":"a"}` {
		t.Fatalf("%+v, %v", got, err)
	}
	if n := in.labels.count.Load(); n != 0 {
		t.Errorf("%d texts remembered", n)
	}
}

// A text of labels that was seen is taken for the same only when it ends where it ended.
func TestLabelsThatBeginAlike(t *testing.T) {
	var d Decoder
	for _, tc := range []struct{ sent, want string }{
		{`{"a":"}"}`, `{"a":"}"}`}, {`{"a":"}","b":"}"}`, `{"a":"}","b":"}"}`}, {`{"a":"}"}`, `{"a":"}"}`},
		{`{"a":"1"}`, `{"a":"1"}`}, {`{"a":"1","b":"2"}`, `{"a":"1","b":"2"}`}, {`{"a":"1" }`, `{"a":"1"}`}, {`{}`, ``}, {`{"a":"1"}`, `{"a":"1"}`},
	} {
		got, _, err := d.Decode([]byte(withLabels(tc.sent)), now)
		if err != nil || string(got[0].Labels) != tc.want {
			t.Errorf("%s: %+v, %v", tc.sent, got, err)
		}
	}
}
