package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"phase0/scripts/lab"
	"phase0/server/alerting/rule"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestParse(t *testing.T) {
	for _, args := range [][]string{{"-rate", "0"}, {"-seconds", "1"}, {"-flatout", "0"}, {"-only", "mox"}, {"-add"}, {"x"}, {"-no"}} {
		if _, err := parse(args); !errors.Is(err, lab.ErrUsage) {
			t.Errorf("%q: error %v", args, err)
		}
	}
	if _, err := parse([]string{"-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: error %v", err)
	}
	o, err := parse([]string{"-only", "mix,avg"})
	if err != nil || len(o.only) != 2 || o.rate != 20_000 {
		t.Errorf("%+v, error %v", o, err)
	}
}

func TestExitCodes(t *testing.T) {
	for code, err := range map[int]error{0: nil, 1: io.EOF, 2: lab.ErrUsage, 3: errNotValid, 4: errLost, 5: errMissed, 130: lab.ErrInterrupted} {
		if got := codes().Of(err); got != code {
			t.Errorf("%v gives %d", err, got)
		}
	}
}

// The server takes every rule file, and there are as many rules as the report says.
func TestRules(t *testing.T) {
	for _, c := range []cell{{Kind: kindOne}, {Kind: kindMix}} { // which has all functions
		parsed, err := rule.Parse("rules.yml", []byte(c.rules()))
		want, seen := count, 0
		if c.Kind == kindOne {
			want = 1
		}
		for i := range parsed {
			if parsed[i].Window == time.Hour {
				seen++
			}
		}
		if err != nil || len(parsed) != want || seen != len(c.seen()) {
			t.Errorf("%s: %d rules, %d of them count, error %v", c.Kind, len(parsed), seen, err)
		}
	}
}

// Requests, filled as loadgen fills them, go through all series in turn.
func TestBody(t *testing.T) {
	for _, c := range []cell{{Batch: 1}, {Batch: 100}, {Batch: 1000}, {Batch: 10_000}} {
		found := map[string]int{}
		for seq := range count / c.Batch {
			body := strings.ReplaceAll(c.body(), "{{rand:3}}", "123")
			for n := 1; n <= digits; n++ {
				number := "000" + strconv.Itoa(seq)
				body = strings.ReplaceAll(body, "{{seq:"+strconv.Itoa(n)+"}}", number[len(number)-n:])
			}
			if c.Batch == 1 {
				body = `{"metrics":[` + body + `]}`
			}
			var batch struct{ Metrics []struct{ Name string } }
			if err := json.Unmarshal([]byte(body), &batch); err != nil || len(batch.Metrics) != c.Batch {
				t.Fatalf("batch of %d: %d samples, error %v: %.100s", c.Batch, len(batch.Metrics), err, body)
			}
			for _, s := range batch.Metrics {
				found[s.Name]++
			}
		}
		for i := range count {
			if found[seriesName(i)] != 1 {
				t.Fatalf("batch of %d: %s comes %d times", c.Batch, seriesName(i), found[seriesName(i)])
			}
		}
	}
}

const counters = `# TYPE phase0_samples_stored_total counter
phase0_samples_stored_total 7
# TYPE phase0_alert_evaluations_total counter
phase0_alert_evaluations_total 8
# TYPE phase0_queue_depth gauge
phase0_queue_depth 9
# TYPE phase0_alert_samples_waiting gauge
phase0_alert_samples_waiting 10
# TYPE phase0_alert_samples_refused_total counter
phase0_alert_samples_refused_total 11
# TYPE phase0_alert_samples_dropped_total counter
phase0_alert_samples_dropped_total 12
# TYPE phase0_alert_refills_total counter
phase0_alert_refills_total 1
# TYPE go_memstats_heap_alloc_bytes gauge
go_memstats_heap_alloc_bytes 1e6
`

func TestReading(t *testing.T) {
	var x reading
	want := reading{stored: 7, evaluations: 8, depth: 9, waiting: 10, refused: 11, dropped: 12, refills: 1, heap: 1e6}
	if err := x.parse([]byte(counters)); err != nil || x != want {
		t.Errorf("%+v, error %v", x, err)
	}
	for _, text := range []string{"", "x", strings.Replace(counters, "phase0_queue_depth 9\n", "", 1)} {
		if err := new(reading).parse([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func FuzzReading(f *testing.F) {
	f.Add([]byte(counters))
	f.Fuzz(func(t *testing.T, text []byte) {
		_ = new(reading).parse(text) // must only not panic
	})
}

// readings are of a server that takes 20,000 samples a second while its queue grows so much.
func readings(growth, waiting float64) (all []reading) {
	begin := time.Unix(1e9, 0)
	for i := range 51 {
		s := float64(i) / 10
		all = append(all, reading{
			at: begin.Add(time.Duration(i) * 100 * time.Millisecond), stored: 20_000 * s, evaluations: 40_000 * s, depth: 100 + 10*float64(i%3) + growth*s,
			waiting: waiting * s, cpu: time.Duration(s * 2e8), refills: 1,
		})
	}
	return all
}

func sampleReport() *report {
	r := &report{Schema: schema, Settings: settings{20_000, 5, 3, 1}}
	for _, c := range cells() {
		o := outcome{cell: c, Steady: between(readings(0, 0)), Books: books{Accepted: 1000, Stored: 1000, Counted: 100, Refills: 1}}
		o.Empty, o.Full = memory{20 << 20, 10 << 20}, memory{90 << 20, 50 << 20}
		if c.Kind == kindOne {
			o.Empty, o.Full = memory{10 << 20, 2 << 20}, memory{11 << 20, 3 << 20}
			o.Steady.CPU /= 2
		}
		if c.FlatOut {
			most := o.Steady
			most.Evaluations *= 10
			o.Most = &most
		}
		r.Cells = append(r.Cells, o)
	}
	return r
}

// A target that is planted to be missed is missed, and what is lost is seen.
func TestJudge(t *testing.T) {
	for name, tt := range map[string]struct {
		plant                func(o *outcome)
		missed, lost, isVoid bool
	}{
		"as it should be":            {func(*outcome) {}, false, false, false},
		"the queue grows":            {func(o *outcome) { o.Steady = between(readings(1000, 0)) }, true, false, false},
		"evaluation falls behind":    {func(o *outcome) { o.Steady = between(readings(0, 1000)) }, true, false, false},
		"something is left long":     {func(o *outcome) { o.Steady.Drain = 2 }, true, false, false},
		"less is stored":             {func(o *outcome) { o.Steady.Stored /= 2 }, true, false, false},
		"some is refused":            {func(o *outcome) { o.Steady.Refused = 1 }, true, false, false},
		"too few evaluations":        {func(o *outcome) { o.Most.Evaluations = 99_000 * o.Most.Seconds }, true, false, false},
		"filled again while counted": {func(o *outcome) { o.Most.Refills = 1 }, true, false, false},
		"a sample is lost":           {func(o *outcome) { o.Books.Stored-- }, true, true, false},
		"one more than was sent":     {func(o *outcome) { o.Books.Stored++ }, true, true, false},
		"one without an answer":      {func(o *outcome) { o.Books.Stored++; o.Books.Unknown++ }, false, false, false},
		"a rule counted less":        {func(o *outcome) { o.Books.Differ++ }, true, true, false},
		"left out":                   {func(o *outcome) { o.Books.LeftOut++ }, true, true, false},
		"void":                       {func(o *outcome) { o.Void = "x" }, false, false, true},
		"lost, and void":             {func(o *outcome) { o.Void = "x"; o.Books.Stored-- }, true, true, true},
	} {
		r := sampleReport()
		tt.plant(&r.Cells[1])
		r.Targets = judge(r)
		if r.missed() != tt.missed || r.lost() != tt.lost || r.void() != tt.isVoid {
			t.Errorf("%s: missed %t, lost %t, void %t: %v", name, r.missed(), r.lost(), r.void(), r.Targets)
		}
	}
	if got := judge(&report{}); len(got) != 1 || got[0].State != notMeasured {
		t.Errorf("of nothing: %v", got)
	}
}

func TestConclude(t *testing.T) {
	dir := t.TempDir()
	r := sampleReport()
	r.Cells[1].Books.Differ = 1
	if err := conclude(dir, r, io.Discard); !errors.Is(err, errLost) {
		t.Errorf("error %v", err)
	}
	anew := sampleReport()
	anew.Cells = anew.Cells[:1]
	if err := anew.adopt(dir, []string{kindOne}); err != nil || len(anew.Cells) != len(cells()) {
		t.Errorf("%d cells, error %v", len(anew.Cells), err)
	}
	anew.Settings.Rate++
	if err := anew.adopt(dir, nil); !errors.Is(err, errOther) {
		t.Errorf("another rate: error %v", err)
	}
}

func TestMarkdown(t *testing.T) {
	r := sampleReport()
	r.Cells[2].Void = "other programs used 20 % of the CPU time"
	r.Targets = judge(r)
	var got bytes.Buffer
	if err := writeMarkdown(&got, r); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "rules.md")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got.String() != string(want) {
		t.Errorf("error %v, got\n%s", err, &got)
	}
}
