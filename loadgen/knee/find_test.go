package knee

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"phase0/loadgen/record"
)

// lose makes a share of a result's requests fail.
func lose(res record.Result, share float64) record.Result {
	a := &res.Accounting
	a.Accepted -= int64(share * float64(a.Scheduled))
	return res
}

func TestFindIsLimited(t *testing.T) {
	queue := server{capacity: 5000, seconds: 10}
	few, slow := queue, queue
	few.seconds = 0.04 // p99 needs 9200 rps
	slow.capacity, slow.seconds = 0.5, 1000
	behind, early, never := queue, queue, queue
	behind.ours, early.ours, never.ours = 3000, 50, 0.5
	over := queue
	over.ours = 5500
	tests := []struct {
		name                string
		server              server
		max                 float64
		limitedBy           string
		lastPass, firstFail float64
		confirmed           bool
	}{
		{"by the highest rate", queue, 1000, byMax, 1000, 0, true},
		{"by the first rate", queue, 100, byMax, 100, 0, true},
		{"by the lowest rate", slow, 0, byLowest, 0, 1, true},
		{"by the generator", behind, 0, byGenerator, 2932, 0, true},
		{"by the generator at first", early, 0, byGenerator, 50 * 0.9576, 0, true},
		{"by the generator always", never, 0, byGenerator, 0, 0, false},
		{"by the generator only above the knee", over, 0, "", 4886, 4886, true},
		{"by observations", few, 0, byObservations, 0, 9200, true},
		{"by observations up to the highest rate", few, 1000, byObservations, 0, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k := find(t, Config{Objectives: objectives(t, "p99<20ms"), Max: tt.max}, tt.server.measure)
			if k.LimitedBy != tt.limitedBy || k.Confirmed != tt.confirmed {
				t.Errorf("limited by %q, confirmed %v", k.LimitedBy, k.Confirmed)
			}
			if !near(k.LastPass, tt.lastPass) || !near(k.FirstFail, tt.firstFail) {
				t.Errorf("[%v, %v], want [%v, %v]", k.LastPass, k.FirstFail, tt.lastPass, tt.firstFail)
			}
			if tt.limitedBy == byGenerator && k.Bottleneck != "generator" {
				t.Errorf("bottleneck %q", k.Bottleneck)
			}
		})
	}
}

// near allows for the bracket's width; zero is exact.
func near(got, want float64) bool { return got == want || math.Abs(got/want-1) <= 0.05 }

func TestFindServerIsDead(t *testing.T) {
	k := find(t, Config{}, func(_ context.Context, rate float64, _ uint64) (record.Result, error) {
		res := run(rate, 10, time.Millisecond)
		res.Accounting.Accepted = 0
		res.ResponseTime = record.Distribution{}
		res.Verdict = record.Verdict{Level: record.Invalid, Bottleneck: "server", Reasons: []string{"no request was accepted"}}
		return res, nil
	})
	if k.LastPass != 0 || k.FirstFail != lowest || k.LimitedBy != byLowest || !k.Confirmed || k.Bottleneck != "server" {
		t.Errorf("%+v", k)
	}
	for _, p := range k.Points {
		if p.Ruling != Fail || p.ErrShare != 1 || p.Reason != "err<=0.1%: 100%" {
			t.Errorf("%+v", p)
		}
	}
}

// A server that sheds half of its load answers the rest quickly, and has no knee
// unless errors count.
func TestFindCountsErrorsUnlessTold(t *testing.T) {
	sheds := func(_ context.Context, rate float64, _ uint64) (record.Result, error) {
		res := run(rate, 10, time.Millisecond)
		if rate > 1000 {
			res = lose(res, 0.5)
		}
		return res, nil
	}
	k := find(t, Config{Objectives: objectives(t, "p99<20ms")}, sheds)
	if k.Objectives != "p99<20ms,err<=0.1%" || !(k.LastPass <= 1000 && 1000 < k.FirstFail) {
		t.Errorf("%s: [%v, %v]", k.Objectives, k.LastPass, k.FirstFail)
	}
	k = find(t, Config{Objectives: objectives(t, "err<60%"), Max: 4000}, sheds)
	if k.Objectives != "err<60%" || k.LastPass != 4000 {
		t.Errorf("%s: [%v, %v]", k.Objectives, k.LastPass, k.FirstFail)
	}
}

func TestFindRepeatsVoidRuns(t *testing.T) {
	tests := []struct {
		voids     int // of the runs at 400 rps
		limitedBy string
	}{
		{extraVoids, byMax},
		{extraVoids + 1, byMachine},
	}
	for _, tt := range tests {
		voids := 0
		k := find(t, Config{Max: 800, Precision: 1}, func(_ context.Context, rate float64, _ uint64) (record.Result, error) {
			res := run(rate, 10, time.Millisecond)
			if rate == 400 && voids < tt.voids {
				voids++
				res.Verdict = record.Verdict{Level: record.Invalid, Bottleneck: "machine", Reasons: []string{"steal"}}
			}
			return res, nil
		})
		if k.LimitedBy != tt.limitedBy || !k.Confirmed {
			t.Errorf("%d voids: limited by %q, confirmed %v", tt.voids, k.LimitedBy, k.Confirmed)
		}
		n := 0
		for _, p := range k.Points {
			if p.Ruling == Void {
				n++
			}
			if (p.Ruling == Void) != (p.Reason == "steal") || p.Ruling == Void && p.Vote {
				t.Errorf("%+v", p)
			}
		}
		if n != tt.voids {
			t.Errorf("%d void points, want %d", n, tt.voids)
		}
	}
}

func TestFindStops(t *testing.T) {
	broken := errors.New("out of order")
	tests := []struct {
		name      string
		result    func(cancel func(), res record.Result) (record.Result, error)
		limitedBy string
		runs      int // of which three passed, at 100, 200 and 400 rps
		err       error
	}{
		{"with a result", func(cancel func(), res record.Result) (record.Result, error) {
			cancel()
			res.Interrupted = true
			return res, nil
		}, byInterrupted, 4, nil},
		{"with a complete result", func(cancel func(), res record.Result) (record.Result, error) {
			cancel()
			return lose(res, 1), nil
		}, byInterrupted, 4, nil},
		{"with the context's error", func(cancel func(), _ record.Result) (record.Result, error) {
			cancel()
			return record.Result{}, context.Canceled
		}, byInterrupted, 3, nil},
		{"with an error", func(func(), record.Result) (record.Result, error) {
			return record.Result{}, broken
		}, byError, 3, broken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			k, err := Find(ctx, Config{}, func(_ context.Context, rate float64, _ uint64) (record.Result, error) {
				res := run(rate, 10, time.Millisecond)
				if rate == 800 {
					return tt.result(cancel, res)
				}
				return res, nil
			})
			if !errors.Is(err, tt.err) || tt.err != nil && err.Error() != "measure at 800 rps: out of order" {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if k.LimitedBy != tt.limitedBy || k.Runs != tt.runs || len(k.Points) != tt.runs || k.LastPass != 400 || k.Confirmed {
				t.Errorf("%+v", k)
			}
		})
	}
}

func TestFindBeforeAnyRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	k, err := Find(ctx, Config{}, nil)
	if err != nil || k.LimitedBy != byInterrupted || k.Runs != 0 || k.Points == nil {
		t.Errorf("%+v, %v", k, err)
	}
}

// Every scout is contradicted, so that the bracket never comes to rest.
func TestFindGivesUpAfterMaxRuns(t *testing.T) {
	scouted := map[float64]bool{}
	cfg := Config{Confirm: maxConfirm, Precision: minPrecision}
	k := find(t, cfg, func(_ context.Context, rate float64, _ uint64) (record.Result, error) {
		res := run(rate, 10, time.Millisecond)
		if (rate > 2000) != scouted[rate] {
			res = lose(res, 0.5)
		}
		scouted[rate] = true
		return res, nil
	})
	if k.Runs != MaxRuns || k.LimitedBy != byRuns || k.Confirmed || k.LastPass == 0 || k.FirstFail == 0 {
		t.Errorf("%d runs, limited by %q, confirmed %v, [%v, %v]", k.Runs, k.LimitedBy, k.Confirmed, k.LastPass, k.FirstFail)
	}
}

func TestFindTellsProgressAndSeeds(t *testing.T) {
	var steps []Step
	cfg := Config{
		Objectives: objectives(t, "p99<20ms"), Seed: math.MaxUint64 - 2,
		Progress: func(s Step) { steps = append(steps, s) },
	}
	k := find(t, cfg, server{capacity: 5000, seconds: 10}.measure)
	seeds := map[uint64]bool{}
	for i, p := range k.Points {
		if steps[i].Point != p || p.Run != i+1 || p.Seed != cfg.Seed+uint64(i) || p.RunID == "" {
			t.Errorf("run %d: step %+v, point %+v", i+1, steps[i], p)
		}
		seeds[p.Seed] = true
	}
	if len(seeds) != k.Runs || len(steps) != k.Runs {
		t.Errorf("%d seeds and %d steps in %d runs", len(seeds), len(steps), k.Runs)
	}
	if last := steps[len(steps)-1]; last.LastPass != k.LastPass || last.FirstFail != k.FirstFail {
		t.Errorf("last step %+v", last)
	}
	var rates []float64
	for _, p := range k.Points[:8] {
		rates = append(rates, p.Rate)
	}
	if want := []float64{100, 200, 400, 800, 1600, 3200, 6400, 4525}; !slices.Equal(rates, want) {
		t.Errorf("rates %v, want %v", rates, want)
	}
}

func TestConfigOutOfRange(t *testing.T) {
	tests := []struct {
		cfg  Config
		want string
	}{
		{Config{Max: 2_000_000}, "highest rate 2e+06 is outside 1 to 1000000"},
		{Config{Max: 0.5}, "highest rate 0.5"},
		{Config{Max: math.NaN()}, "highest rate NaN"},
		{Config{From: 0.5}, "first rate 0.5 is outside 1 to 1e+06"},
		{Config{From: 200, Max: 150}, "first rate 200 is outside 1 to 150"},
		{Config{From: math.NaN()}, "first rate NaN"},
		{Config{Precision: 0.005}, "precision 0.005 is outside 0.01 to 1"},
		{Config{Precision: 1.5}, "precision 1.5"},
		{Config{Precision: math.NaN()}, "precision NaN"},
		{Config{Confirm: 2}, "2 runs to confirm; it must be an odd number from 1 to 9"},
		{Config{Confirm: -1}, "-1 runs"},
		{Config{Confirm: 11}, "11 runs"},
	}
	for _, tt := range tests {
		_, err := Find(t.Context(), tt.cfg, nil)
		_, _, estimate := EstimateRuns(tt.cfg)
		for _, err := range []error{err, estimate} {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v: error %v, want %q", tt.cfg, err, tt.want)
			}
		}
	}
}

func TestEstimateRuns(t *testing.T) {
	tests := []struct {
		cfg       Config
		few, most int
	}{
		{Config{}, 10, 22},
		{Config{Confirm: 1}, 8, 20},
		{Config{Confirm: maxConfirm, Precision: 1}, 12, 25},
		{Config{From: 100, Max: 100}, 3, 16},
		{Config{From: 1, Max: 1, Confirm: 1}, 2, 2},
	}
	for _, tt := range tests {
		few, most, err := EstimateRuns(tt.cfg)
		if err != nil || few != tt.few || most != tt.most {
			t.Errorf("%+v: %d to %d, %v; want %d to %d", tt.cfg, few, most, err, tt.few, tt.most)
		}
	}
}
