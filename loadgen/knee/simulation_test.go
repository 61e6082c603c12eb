package knee

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"phase0/loadgen/record"
	"phase0/loadgen/slo"
)

// server is a simulated one: a queue with one server and constant service times
// (M/D/1), observed for some seconds. Everything is a function of rate and seed.
type server struct {
	capacity float64 // rps
	seconds  float64 // length of a run
	noise    float64 // standard deviation of the logarithm of the times
	spikes   float64 // share of the runs that something else makes slow
	lucky    float64 // share of the runs that look faster than they are
	ours     float64 // rate from which the generator cannot keep up; 0 for none
}

// p99 is without noise, in ns. The tail of the wait is taken as exponential.
func (s server) p99(rate float64) float64 {
	service := 1e9 / s.capacity
	load := rate / s.capacity
	backlog := max(load-1, 0) * s.seconds * 1e9
	// A run of finite length never sees the infinite wait at full load.
	mean := min(load/(2*max(1-load, 1e-9))*service, math.Sqrt(s.seconds/s.capacity)*1e9)
	return service + mean*math.Log(100) + 0.99*backlog
}

// knee is the rate at which the p99 without noise reaches a limit.
func (s server) knee(limit time.Duration) float64 {
	lower, upper := 0.0, 2*s.capacity
	for range 100 {
		if mid := (lower + upper) / 2; s.p99(mid) < float64(limit) {
			lower = mid
		} else {
			upper = mid
		}
	}
	return lower
}

func (s server) measure(_ context.Context, rate float64, seed uint64) (record.Result, error) {
	rng := rand.New(rand.NewPCG(seed, math.Float64bits(rate)))
	p99 := s.p99(rate) * math.Exp(s.noise*rng.NormFloat64())
	switch u := rng.Float64(); {
	case u < s.spikes:
		p99 *= 1000
	case u < s.spikes+s.lucky:
		p99 /= 1000
	}
	res := run(rate, s.seconds, time.Duration(p99))
	res.RunID, res.Seed = fmt.Sprintf("%08x", seed), seed
	if s.ours > 0 && rate >= s.ours {
		res.AchievedRPS = s.ours
		res.Verdict = record.Verdict{Level: record.Invalid, Bottleneck: "generator", Reasons: []string{"own lateness reaches 5ms"}}
	}
	return res, nil
}

// run is a result without errors whose p50 is half its p99.
func run(rate, seconds float64, p99 time.Duration) record.Result {
	n := int64(rate * seconds)
	res := record.Result{
		Stream: record.Stream{
			OfferedRPS: rate, AchievedRPS: rate,
			Accounting: record.Accounting{Scheduled: n, Accepted: n},
			ResponseTime: record.Distribution{Count: n, Percentiles: []record.Percentile{
				{Name: "p50", Quantile: 0.5, NS: int64(p99) / 2, Needs: 6},
				{Name: "p99", Quantile: 0.99, NS: int64(p99), Needs: 368},
			}},
		},
		Verdict: record.Verdict{Level: record.Valid},
	}
	for i := range res.ResponseTime.Percentiles {
		if p := &res.ResponseTime.Percentiles[i]; n < p.Needs {
			p.NS, p.Unavailable = 0, fmt.Sprintf("needs %d observations, has %d", p.Needs, n)
		}
	}
	return res
}

func objectives(t *testing.T, s string) []slo.Objective {
	t.Helper()
	o, err := slo.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func find(t *testing.T, cfg Config, m Measure) Knee {
	t.Helper()
	k, err := Find(t.Context(), cfg, m)
	if err != nil {
		t.Fatal(err)
	}
	if k.Runs != len(k.Points) || k.Runs > MaxRuns {
		t.Errorf("%d runs, %d points", k.Runs, len(k.Points))
	}
	if k.LastPass > 0 && k.FirstFail > 0 && k.LastPass >= k.FirstFail {
		t.Errorf("last pass %v, first fail %v", k.LastPass, k.FirstFail)
	}
	return k
}

// width is the relative one, less what is lost in binary.
func (k Knee) width() float64 { return k.FirstFail/k.LastPass - 1 - 1e-12 }

func TestFindWithoutNoise(t *testing.T) {
	const limit = 20 * time.Millisecond
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 200 {
		s := server{capacity: 200 * math.Exp(7*rng.Float64()), seconds: 400}
		cfg := Config{
			Objectives: objectives(t, "p99<20ms"),
			From:       math.Exp(8 * rng.Float64()),
			Precision:  0.01 + 0.3*rng.Float64(),
		}
		k := find(t, cfg, s.measure)
		if want := s.knee(limit); !(k.LastPass <= want && want <= k.FirstFail) {
			t.Errorf("%+v, from %v: [%v, %v] does not contain %v", s, cfg.From, k.LastPass, k.FirstFail, want)
		}
		if !k.Confirmed || k.LimitedBy != "" || k.Bottleneck != "server" || k.width() > cfg.Precision {
			t.Errorf("%+v, from %v: %v", s, cfg.From, k.sentence())
		}
		if i%10 > 0 {
			continue // an estimate takes longer than the search
		}
		few, most, err := EstimateRuns(cfg)
		if err != nil || k.Runs < few || k.Runs > most {
			t.Errorf("%+v, from %v: %d runs, estimated %d to %d, %v", s, cfg.From, k.Runs, few, most, err)
		}
	}
}

// Runs differ by a fifth, and some are plainly wrong. The bracket is then where
// a majority of runs would put it, give or take what the noise moves the knee.
// When one run in ten is wrong, two of three are in 2.8 % of the confirmations, of
// which a search makes two or more.
func TestFindDespiteNoise(t *testing.T) {
	const seeds, limit, tolerance = 200, 20 * time.Millisecond, 0.03
	tests := []struct {
		name   string
		server server
		right  int // of the seeds, at least
	}{
		{"noise", server{noise: 0.2}, seeds},
		{"spikes", server{noise: 0.2, spikes: 0.1}, seeds * 9 / 10},
		{"luck", server{noise: 0.2, lucky: 0.1}, seeds * 9 / 10},
		{"both", server{noise: 0.2, spikes: 0.05, lucky: 0.05}, seeds * 9 / 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.server
			s.capacity, s.seconds = 5000, 10
			want, right, runs := s.knee(limit), 0, 0
			for seed := range uint64(seeds) {
				k := find(t, Config{Objectives: objectives(t, "p99<20ms"), Seed: seed << 32}, s.measure)
				runs += k.Runs
				if k.Confirmed && k.width() <= k.Precision &&
					k.LastPass <= want*(1+tolerance) && want*(1-tolerance) <= k.FirstFail {
					right++
				}
			}
			t.Logf("%d of %d right, %d runs each", right, seeds, runs/seeds)
			if right < tt.right {
				t.Errorf("%d of %d brackets contain %.0f rps, want %d", right, seeds, want, tt.right)
			}
		})
	}
}

// Whatever runs say, a search ends, and says honestly how.
func TestFindDespiteNonsense(t *testing.T) {
	limited := map[string]bool{}
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 3))
		k := find(t, Config{Max: 5000, Confirm: 1 + 2*rng.IntN(5), Precision: 0.01}, func(_ context.Context, rate float64, _ uint64) (record.Result, error) {
			res := run(rate, 10, time.Millisecond)
			switch rng.IntN(8) {
			case 0:
				res.Verdict = record.Verdict{Level: record.Invalid, Bottleneck: "machine"}
			case 1, 2, 3:
				res.AchievedRPS = 0
			}
			return res, nil
		})
		limited[k.LimitedBy] = true
		if k.Confirmed && k.LimitedBy == "" && k.width() > k.Precision {
			t.Errorf("seed %d: %s", seed, k.sentence())
		}
		if k.LimitedBy == byRuns && (k.Runs != MaxRuns || k.Confirmed) {
			t.Errorf("seed %d: limited by %q after %d runs, confirmed %v", seed, k.LimitedBy, k.Runs, k.Confirmed)
		}
	}
	for _, by := range []string{"", byMachine, byRuns} {
		if !limited[by] {
			t.Errorf("no search was limited by %q", by)
		}
	}
}
