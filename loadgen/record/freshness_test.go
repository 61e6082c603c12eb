package record

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func resultOf(t *testing.T, b *FreshnessBook) Freshness {
	t.Helper()
	f, err := b.Result()
	if err != nil {
		t.Fatal(err)
	}
	f.TimeoutSeconds = 5
	return f
}

func TestFreshnessSummary(t *testing.T) {
	const each = time.Millisecond
	tests := []struct {
		name   string
		record func(*FreshnessBook)
		want   string
	}{
		{"nothing", func(*FreshnessBook) {},
			"freshness    p50 n/a  p90 n/a  p99 n/a  max n/a  of 0 probes; 0 not visible within 5s\n"},
		{"visible at once", func(b *FreshnessBook) {
			for range 400 {
				b.Visible(0, 250*time.Microsecond)
			}
		}, "freshness    p50 [0s, 250µs]  p90 [0s, 250µs]  p99 [0s, 250µs]  max [0s, 250µs]  of 400 probes; 0 not visible within 5s\n"},
		{"too few for p99", func(b *FreshnessBook) {
			for i := range 100 {
				b.Visible(time.Duration(i)*each, time.Duration(i+2)*each)
			}
		}, "freshness    p50 [49ms, 51ms]  p90 [89.1ms, 91ms]  p99 n/a  max [99ms, 101ms]  of 100 probes; 0 not visible within 5s\n"},
		// Counted as infinite, the censored push p50 up to the 50th of the observed
		// and leave p90 without an upper bound.
		{"censored", func(b *FreshnessBook) {
			for i := range 80 {
				b.Visible(time.Duration(i)*each, time.Duration(i+1)*each)
			}
			for range 15 {
				b.Invisible(4800*each, 5000*each)
			}
			for range 5 {
				b.Open(0, 3*each)
			}
		}, "freshness    p50 [44ms, 50ms]  p90 ≥ 4.8s  p99 n/a  max ≥ 4.8s  of 100 probes; 15 not visible within 5s\n" +
			"             5 not visible yet when interrupted\n"},
		{"none visible", func(b *FreshnessBook) {
			for range 6 {
				b.Invisible(4900*each, 5000*each)
			}
		}, "freshness    p50 ≥ 4.9s  p90 n/a  p99 n/a  max ≥ 4.9s  of 6 probes; 6 not visible within 5s\n"},
		{"errors", func(b *FreshnessBook) {
			b.NotAccepted("interrupted", nil)
			b.NotAccepted("status_503", errors.New("the queue is full"))
			b.NotAccepted("refused", errors.New("refused"))
			b.Skipped()
			b.Query()
			b.Query()
			b.QueryError("bad_json", errors.New("byte 1"))
		}, "freshness    p50 n/a  p90 n/a  p99 n/a  max n/a  of 0 probes; 0 not visible within 5s\n" +
			"             1 skipped, because too many were outstanding\n" +
			"             3 not accepted:  interrupted 1  refused 1  status_503 1\n" +
			"             1 of 2 queries failed:  bad_json 1\n" +
			"             first error: the queue is full\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := NewFreshnessBook(6 * time.Second)
			tt.record(b)
			f := resultOf(t, b)
			if got := f.Summary(); got != tt.want {
				t.Errorf("summary\n%s want\n%s", got, tt.want)
			}
			if f.Probes != f.Visible+f.Invisible+f.Open+f.NotAccepted || f.Lower.Count != f.Upper.Count+f.Upper.Censored {
				t.Errorf("counts do not add up: %+v", f)
			}
		})
	}
}

func TestFreshnessKeepsItsRange(t *testing.T) {
	b := NewFreshnessBook(2 * time.Second)
	b.Visible(-time.Second, time.Hour)
	f := resultOf(t, b)
	if f.Lower.Overflow != 0 || f.Upper.Overflow != 1 || f.Lower.Max.NS != 0 || f.Upper.Max.NS < int64(2*time.Second) {
		t.Errorf("lower %+v, upper %+v", f.Lower, f.Upper)
	}
}

func TestFreshnessSurvivesJSON(t *testing.T) {
	b := NewFreshnessBook(6 * time.Second)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				b.Query()
				b.Visible(time.Millisecond, 2*time.Millisecond)
			}
			b.Invisible(time.Second, 5*time.Second)
			b.QueryError("timeout", errors.New("too late"))
		})
	}
	wg.Wait()
	f := resultOf(t, b)
	if f.Visible != 400 || f.Invisible != 4 || f.Queries != 400 || f.QueryErrors != 4 {
		t.Errorf("%+v", f)
	}
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`"probes":404`, `"not_accepted":0`, `"query_errors":4`, `"lower":{`, `"censored":4`} {
		if !strings.Contains(string(data), key) {
			t.Errorf("no %s in %s", key, data)
		}
	}
	var back Freshness
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f, back) {
		t.Errorf("%+v became %+v", f, back)
	}
}

func TestShort(t *testing.T) {
	for ns, want := range map[int64]string{
		0: "0s", 999: "999ns", 1234: "1.23µs", 48_249_000: "48.2ms", 98_149_999: "98.1ms",
		101_234_567: "101ms", 999_600_000: "1s", 1_234_567_890: "1.23s", 61_234_000_000: "1m1.2s",
	} {
		if got := short(ns); got != want {
			t.Errorf("%d ns: %s, want %s", ns, got, want)
		}
	}
}
