package engine

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestSlotsAreFilledInPlace(t *testing.T) {
	u, err := url.Parse("http://h/items/{{seq:4}}?q={{rand:3}}&run={{run}}")
	if err != nil {
		t.Fatal(err)
	}
	tpl := build(t, Request{
		Method: "PUT", URL: u, RunID: "ab12", Seed: 7, KeepAlive: true,
		Headers: []Header{{Name: "X-Request", Value: "{{run}}-{{seq:6}}"}},
		Body:    []byte(`{"n":{{seq}},"at":{{unix_ms}},"s":{{unix}},"ns":{{unix_ns}},"r":{{rand:5}},"r2":{{rand:5}}}`),
	})
	raw := tpl.Copy()
	seen := map[int64]bool{}
	for _, i := range []int64{0, 9, 10, 123456, 42} {
		before := time.Now().UnixMilli()
		tpl.Fill(raw, i)
		req, body := parse(t, raw)
		uri := regexp.MustCompile(fmt.Sprintf(`^/items/%04d\?q=[1-9]\d\d&run=ab12$`, i%10_000))
		if !uri.MatchString(req.RequestURI) {
			t.Errorf("request %d asks for %s, want %s", i, req.RequestURI, uri)
		}
		if got, want := req.Header.Get("X-Request"), fmt.Sprintf("ab12-%06d", i); got != want {
			t.Errorf("request %d has header %q, want %q", i, got, want)
		}
		var b struct{ N, At, S, NS, R, R2 int64 }
		if err := json.Unmarshal([]byte(body), &b); err != nil {
			t.Fatalf("%v in %q", err, body)
		}
		if b.N != i || b.At < before || b.S != b.At/1000 || b.NS/1_000_000 != b.At || b.R < 10_000 || b.R == b.R2 || seen[b.R] {
			t.Errorf("request %d has body %s", i, body)
		}
		seen[b.R] = true
	}
}

func TestRandomSlotsDependOnSeedAndRequest(t *testing.T) {
	text := func(seed uint64, i int64) string {
		tpl := build(t, Request{Method: "POST", Body: []byte("{{rand:18}}"), Seed: seed})
		raw := tpl.Copy()
		tpl.Fill(raw, i)
		_, body := parse(t, raw)
		return body
	}
	first, again := text(1, 5), text(1, 5)
	if first != again {
		t.Error("the same request differs")
	}
	if first == text(2, 5) || first == text(1, 6) {
		t.Error("another seed or request gives the same digits")
	}
}

func TestBatchHoldsTheNextSamples(t *testing.T) {
	tpl := build(t, Request{Method: "POST", RunID: "r", Batch: 3, KeepAlive: true})
	raw := tpl.Copy()
	for _, i := range []int64{0, 5} {
		tpl.Fill(raw, i)
		_, body := parse(t, raw)
		var got struct {
			Metrics []struct {
				Name  string
				Value int64
			}
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil || len(got.Metrics) != 3 {
			t.Fatalf("%v in %q", err, body)
		}
		for j, m := range got.Metrics {
			k := i*3 + int64(j)
			if want := fmt.Sprintf("loadgen_r_%d", k%8); m.Name != want || m.Value != k/8 {
				t.Errorf("sample %d is %d of %s", k, m.Value, m.Name)
			}
		}
	}
}

func TestBadSlotsAreNamed(t *testing.T) {
	for body, want := range map[string]string{
		"{{id}}": "{{id}} is unknown", "{{seq:0}}": "1 to 18", "{{rand:19}}": "1 to 18", "{{rand:x}}": "1 to 18",
		"{{ seq }}": "-literal", "{{rand}}": "unknown", "{{unix:3}}": "unknown", "a {{seq": "no }}", "{{}}": "unknown",
	} {
		u := &url.URL{Scheme: "http", Host: "h", Path: "/"}
		_, err := NewTemplate(Request{Method: "POST", URL: u, Body: []byte(body)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", body, err, want)
		}
		if _, err := NewTemplate(Request{Method: "POST", URL: u, Body: []byte(body), Literal: true}); err != nil {
			t.Errorf("%s literally: %v", body, err)
		}
	}
}

// FuzzSlots checks that no text panics, that what is accepted keeps its length and
// that all outside the slots stays as it is.
func FuzzSlots(f *testing.F) {
	for _, s := range []string{"{{seq}}", `{"a":{{rand:3}}}`, "{{run}}{{unix_ns}}", "{{{{seq}}", "}}{{", "%7B%7Bseq%7D%7D", "{{seq:00018}}"} {
		f.Add(s, int64(1))
	}
	f.Fuzz(func(t *testing.T, text string, i int64) {
		body, slots, err := findSlots([]byte(text), "run")
		if err != nil {
			return
		}
		tpl := &Template{raw: body, slots: slots, batch: 1, timed: true}
		raw := tpl.Copy()
		tpl.Fill(raw, max(i, 0))
		covered := 0
		for _, s := range slots {
			covered += s.width
			for _, c := range raw[s.at : s.at+s.width] {
				if c != ' ' && (c < '0' || c > '9') {
					t.Errorf("slot at %d of %q became %q", s.at, text, raw)
				}
			}
		}
		if len(slots) == 0 && string(raw) != strings.ReplaceAll(text, "{{run}}", "run") {
			t.Errorf("%q became %q", text, raw)
		}
		if len(raw) != len(body) || covered > len(raw) {
			t.Errorf("%q became %q", text, raw)
		}
	})
}
