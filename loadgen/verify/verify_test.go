package verify

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"phase0/loadgen/ledger"
	"phase0/loadgen/record"
)

// verified runs cfg, which must work, and takes the time out of the result.
func verified(t *testing.T, cfg Config) record.Verification {
	t.Helper()
	v, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if v.Seconds <= 0 {
		t.Errorf("took %v s", v.Seconds)
	}
	v.Seconds = 0
	return v
}

// What the server drops, copies and alters is what comes out, whatever the batch,
// the server's clock and the limit of an answer.
func TestPlantedFaultsAreFoundExactly(t *testing.T) {
	const n = 20_000
	for _, tt := range []struct {
		batch, limit int
		shift        time.Duration
	}{
		{1, 0, 0}, {10, 0, 0}, {1, 300, 0}, {10, 300, 0}, {1, 300, -time.Hour}, {10, 300, time.Hour},
	} {
		t.Run(fmt.Sprintf("batch %d, limit %d, clock %v", tt.batch, tt.limit, tt.shift), func(t *testing.T) {
			t.Parallel()
			f := &fake{limit: tt.limit}
			for k := range int64(n) {
				f.storeFaulty(k, n, tt.shift)
			}
			v := verified(t, f.start(t, accepted(int64(n/tt.batch)), tt.batch))
			examples := v.Examples
			v.Examples = record.Examples{}
			want := record.Verification{
				Accepted: n, Read: n - 20 + 40,
				Lost: 30, LostPrefix: 2, LostMiddle: 28,
				Duplicated: 40, SurplusCopies: 40, Phantom: 10,
				LossRateBound: v.LossRateBound, Drained: true,
			}
			if !reflect.DeepEqual(v, want) {
				t.Errorf("got  %+v\nwant %+v", v, want)
			}
			if v.LossRateBound < 30.0/n || v.LossRateBound > 42.0/n {
				t.Errorf("bound %v for 30 of %d", v.LossRateBound, n)
			}
			wantExamples(t, "lost", examples.Lost, series(1)+" value 0")
			wantExamples(t, "duplicated", examples.Duplicated, fmt.Sprintf("%s value %d", series(1002), 1002/8))
			wantExamples(t, "phantom", examples.Phantom, series(3)+" value 0.5")
		})
	}
}

// storeFaulty drops one sample in 1000, doubles one in 500 and alters one in 2000.
func (f *fake) storeFaulty(k, n int64, shift time.Duration) {
	switch {
	case k%1000 == 1:
	case k%500 == 2:
		f.store(k, n, 0, shift)
		f.store(k, n, 0, shift)
	case k%2000 == 3:
		f.store(k, n, 0.5, shift)
	default:
		f.store(k, n, 0, shift)
	}
}

func wantExamples(t *testing.T, kind string, got []string, one string) {
	t.Helper()
	if len(got) != record.MaxExamples || !slices.Contains(got, one) {
		t.Errorf("examples of %s are %q, want %d with %q", kind, got, record.MaxExamples, one)
	}
}

func TestOutcomesDecideWhatIsAFault(t *testing.T) {
	l := ledger.New()
	l.Mark(0, ledger.Accepted)                              // stored
	l.Mark(1, ledger.Refused)                               // not stored
	l.Mark(2, ledger.Refused)                               // stored, twice
	l.Mark(3, ledger.Ambiguous)                             // stored
	l.Mark(4, ledger.Ambiguous)                             // not stored
	l.Mark(6, ledger.Accepted)                              // not stored; 5 was not sent and is stored
	l.Mark(16, ledger.Accepted)                             // stored three times
	f := filled(1)                                          // k = 0
	for _, k := range []int64{2, 2, 3, 5, 16, 16, 16, 24} { // 24 is beyond the last
		f.store(k, 25, 0, 0)
	}
	f.rows[series(7)] = []stored{{series(7), -1, from.UnixMilli()}, {series(7), 1e300, from.UnixMilli()}}
	got := verified(t, f.start(t, l, 1))
	got.Examples.Duplicated = slices.Sorted(slices.Values(got.Examples.Duplicated))
	want := record.Verification{
		Accepted: 3, Read: 11, Lost: 1, LostTail: 1,
		Duplicated: 2, SurplusCopies: 3, Phantom: 4, Zombie: 1, Ambiguous: 2, Recovered: 1,
		LossRateBound: got.LossRateBound, Drained: true,
		Examples: record.Examples{
			Lost:       []string{series(6) + " value 0"},
			Duplicated: []string{series(0) + " value 2", series(2) + " value 0"},
			Phantom:    []string{series(0) + " value 3", series(5) + " value 0", series(7) + " value -1", series(7) + " value 1e+300"},
			Zombie:     []string{series(2) + " value 0"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestLossesAreSplitByPlace(t *testing.T) {
	tests := []struct {
		name                 string
		stored               func(v int64) bool // of the values 0 … 9 of series 0
		prefix, middle, tail int64
	}{
		{"none", func(int64) bool { return true }, 0, 0, 0},
		{"the first three", func(v int64) bool { return v >= 3 }, 3, 0, 0},
		{"the last four", func(v int64) bool { return v < 6 }, 0, 0, 4},
		{"two holes", func(v int64) bool { return v != 3 && v != 4 && v != 7 }, 0, 3, 0},
		{"some of each", func(v int64) bool { return v == 2 || v == 5 }, 2, 2, 4},
		{"all is tail", func(int64) bool { return false }, 0, 0, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{}
			for k := range int64(80) {
				if k%8 != 0 || tt.stored(k/8) {
					f.store(k, 80, 0, 0)
				}
			}
			v := verified(t, f.start(t, accepted(80), 1))
			if v.LostPrefix != tt.prefix || v.LostMiddle != tt.middle || v.LostTail != tt.tail || v.Lost != tt.prefix+tt.middle+tt.tail {
				t.Errorf("lost %d: %d, %d, %d; want %d, %d, %d", v.Lost, v.LostPrefix, v.LostMiddle, v.LostTail, tt.prefix, tt.middle, tt.tail)
			}
		})
	}
}

func TestWhatTheLedgerForgotIsNoPhantom(t *testing.T) {
	l := accepted(8)
	l.Mark(ledger.MaxRequests, ledger.Accepted)
	f := filled(8)
	name := series(0)
	f.rows[name] = append(f.rows[name],
		stored{name, float64(ledger.MaxRequests / 8), to.UnixMilli()},
		stored{name, float64(ledger.MaxRequests/8 - 1), to.UnixMilli()}) // within, and never sent
	v := verified(t, f.start(t, l, 1))
	if v.Phantom != 1 || v.Unchecked != 1 || v.Read != 10 || v.Lost != 0 {
		t.Errorf("%+v", v)
	}
}

func TestNothingSentNothingStored(t *testing.T) {
	v := verified(t, (&fake{}).start(t, ledger.New(), 1))
	if !reflect.DeepEqual(v, record.Verification{LossRateBound: 1, Drained: true}) || !v.OK() {
		t.Errorf("%+v", v)
	}
}

func TestProgressReachesItsTotal(t *testing.T) {
	cfg := filled(800).start(t, accepted(80), 10)
	var last, most int64
	cfg.Progress = func(done, total int64) {
		if done < last {
			t.Errorf("went back from %d to %d", last, done)
		}
		last, most = done, total
	}
	if verified(t, cfg); last != 800 || most != 800 {
		t.Errorf("ended at %d of %d", last, most)
	}
}

func TestBadConfigIsRefused(t *testing.T) {
	tests := map[string]func(*Config){
		"base":   func(c *Config) { c.Base = nil },
		"run id": func(c *Config) { c.RunID = "" },
		"ledger": func(c *Config) { c.Ledger = nil },
		"batch":  func(c *Config) { c.Batch = 0 },
		"ends":   func(c *Config) { c.To = c.From.Add(-1) },
		"wait":   func(c *Config) { c.Wait = 0 },
		"more than": func(c *Config) {
			c.Ledger = ledger.New()
			c.Ledger.Mark(ledger.MaxRequests-1, ledger.Accepted)
			c.Batch = 1000
		},
	}
	for word, spoil := range tests {
		cfg := config(t, "http://127.0.0.1:1", accepted(1), 1)
		spoil(&cfg)
		wantError(t, cfg, "verify run", word)
	}
}

func TestEndOfTheContextIsTheError(t *testing.T) {
	f := filled(8)
	ctx, cancel := context.WithCancel(t.Context())
	cfg := f.start(t, accepted(8), 1)
	cfg.Progress = func(int64, int64) { cancel() }
	if _, err := Run(ctx, cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
