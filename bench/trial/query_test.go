package trial

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestQuery(t *testing.T) {
	h := fakeHarness(t, "")
	q := Query{Points: Points{N: 1000}, Queries: 3, Warmup: 1}
	for _, share := range []float64{0, MinuteShare(1000), 0.01, 1} {
		q.Share = share
		r, err := q.Run(t.Context(), h, single(), 3)
		if err != nil || !r.Valid() {
			t.Fatalf("share %v: error %v, void %q", share, err, r.Void)
		}
		if r.Values[UnitScan] <= 0 || r.Values[UnitPoints] <= 0 || r.Values[UnitScanBytes] <= 0 || r.Stored != 1000 {
			t.Errorf("values %v, stored %d", r.Values, r.Stored)
		}
	}
	if left, err := filepath.Glob(filepath.Join(h.Dir, "*")); err != nil || len(left) != 1 {
		t.Errorf("%v are left, want one prepared file; %v", left, err)
	}
}

func TestQueryWithAWrongAnswer(t *testing.T) {
	q := Query{Points: Points{N: 1000}, Queries: 1}
	r, err := q.Run(t.Context(), fakeHarness(t, "wrong"), single(), 3)
	if err != nil || r.Valid() || !strings.Contains(r.Void[0], "check answer: ") {
		t.Errorf("error %v, void %q", err, r.Void)
	}
}

// The fake takes agg for what it does not know, and answers rows.
func TestAggregateOfAServerThatIgnoresIt(t *testing.T) {
	q := Query{Points: Points{N: 1000}, Agg: "max", Queries: 1}
	r, err := q.Run(t.Context(), fakeHarness(t, ""), single(), 3)
	if err != nil || r.Valid() && len(r.Warnings) == 0 {
		t.Errorf("error %v, result %+v", err, r)
	}
	q.Agg = "p12"
	if _, err := q.Run(t.Context(), fakeHarness(t, ""), single(), 3); err == nil || !strings.Contains(err.Error(), "unknown aggregate") {
		t.Errorf("error %v", err)
	}
}

func TestPreparedFileThatChangesIsWrittenAgain(t *testing.T) {
	h := &Harness{Dir: t.TempDir()}
	p := Points{N: 100}
	file, err := h.prepare(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file.path)
	if err != nil {
		t.Fatal(err)
	}
	lent := filepath.Join(h.Dir, "lent")
	for _, lend := range []func(string) error{file.lend, file.copy} {
		if err := errors.Join(lend(lent), h.giveBack(p, lent), os.Remove(lent)); err != nil {
			t.Errorf("nobody touched it: %v", err)
		}
	}
	if err := errors.Join(file.lend(lent), os.WriteFile(lent, []byte("changed\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := h.giveBack(p, lent); err == nil || !strings.Contains(err.Error(), "changed the prepared file") {
		t.Errorf("a changed file: %v", err)
	}
	if file, err = h.prepare(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(file.path); err != nil || string(after) != string(before) {
		t.Errorf("written again it is another file: %v", err)
	}
}

func TestTruthAgainstAPlainCount(t *testing.T) {
	p := Points{N: 5000, Seed: 2}
	start, end := p.Window(0.5)
	var values []int
	p.each(func(series, value int, timestamp int64) bool {
		if series == 3 && timestamp >= start && timestamp <= end {
			values = append(values, value)
		}
		return true
	})
	got := p.truth(3, start, end)
	if got.samples != len(values) || len(values) < 250 || len(values) > 400 {
		t.Fatalf("%d samples, counted %d", got.samples, len(values))
	}
	below := func(v float64) (n int) {
		for _, value := range values {
			if float64(value)/100 <= v {
				n++
			}
		}
		return n
	}
	for name, share := range map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1} {
		v := aggregates[name](got)
		if n := float64(below(v)); n < share*float64(len(values)) || float64(below(v-0.005)) >= share*float64(len(values)) {
			t.Errorf("%s is %v, with %v of %d values up to it", name, v, n, len(values))
		}
	}
	if low := aggregates["min"](got); below(low) == 0 || below(low-0.005) != 0 {
		t.Errorf("min is %v", low)
	}
}

func TestWindowIsTheNewestShare(t *testing.T) {
	p := Points{N: 100_000}
	for share, want := range map[float64]int64{1: 100_000, 0.1: 10_000, MinuteShare(p.N): PointsPerMinute, 0: 1, 2: 100_000} {
		start, end := p.Window(share)
		if (end-start+1)/PointStep != want || end != PointStart+100_000*PointStep-1 {
			t.Errorf("share %v: %d to %d, want %d points", share, start, end, want)
		}
	}
}

func TestCheckAggregate(t *testing.T) {
	tests := []struct {
		body string
		ok   bool
	}{
		{`{"p99":98.5}`, true},
		{`[{"name":"a","agg":{"p99":98.50000000001},"start":1}]`, true},
		{`[{"p99":"98.5"}]`, false},
		{`[]`, false},
		{`{"p99":98.4}`, false},
		{`{"p99":`, false},
	}
	for _, tt := range tests {
		if err := checkAggregate([]byte(tt.body), 98.5); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.body, err)
		}
	}
}

func TestQueriesOfTheServer(t *testing.T) {
	h := realHarness(t)
	for _, q := range []Query{
		{Points: Points{N: 50_000}, Share: 1, Queries: 3},
		{Points: Points{N: 50_000}, Share: MinuteShare(50_000), Queries: 3, Warmup: 1},
		{Points: Points{N: 50_000}, Agg: "p99", Queries: 3},
	} {
		for _, mode := range []string{"single", "concurrent"} {
			r, err := q.Run(t.Context(), h, Arm{Name: mode, ServerArgs: []string{"-mode", mode}}, 6)
			if err != nil || !r.Valid() || r.Values[UnitScanBytes] <= 0 {
				t.Errorf("%s, %+v: error %v, void %q, values %v", mode, q, err, r.Void, r.Values)
			}
			t.Logf("%s, share %.2f %s: %v %v", mode, q.Share, q.Agg, r.Values, r.Warnings)
		}
	}
}
