package schedule

import (
	"math"
	"slices"
	"testing"
	"time"
)

// andersonDarling is A²* of values against the exponential distribution with their
// mean (Stephens); above 1.957 in one of a hundred samples of it.
func andersonDarling(values []float64) float64 {
	x := slices.Sorted(slices.Values(values))
	mean, _ := moments(x)
	n := len(x)
	var sum float64
	for i, v := range x {
		// ln F is inaccurate where F is 1 − tiny, unlike ln(1 − F) = −v / mean.
		below := math.Log(-math.Expm1(-max(v, 1e-12) / mean))
		above := -x[n-1-i] / mean
		sum += float64(2*i+1) * (below + above)
	}
	a2 := -float64(n) - sum/float64(n)
	return a2 * (1 + 0.6/float64(n))
}

const adCritical = 1.957

func TestPoissonGapsAreExponential(t *testing.T) {
	plans := map[string]Plan{
		"slow":  {Rate: 0.01, Duration: 1e6 * time.Second},
		"usual": {Rate: 200, Duration: 60 * time.Second},
		"fast":  {Rate: MaxRate, Duration: 24 * time.Hour},
		"limit": {Rate: 5000, Limit: 4000},
		"first": {Rate: 5000, Duration: time.Hour, Limit: 4000},
	}
	for name, p := range plans {
		p.Arrivals, p.Seed = Poisson, 7
		s := mustNew(t, p)
		var times []time.Duration
		for i := range int64(2001) {
			times = append(times, s.Due(s.Len()/2+i-1000))
		}
		if a2 := andersonDarling(gaps(times)); !(a2 < adCritical) {
			t.Errorf("%s: A²* = %.3f, want less than %v", name, a2, adCritical)
		}
		mean, deviation := moments(gaps(times))
		if math.Abs(mean*p.Rate-1) > 4/math.Sqrt(2000) || math.Abs(deviation/mean-1) > 0.13 {
			t.Errorf("%s: gaps have mean %.4g and deviation %.4g s at %v rps", name, mean, deviation, p.Rate)
		}
	}
}

// TestAndersonDarlingSees shows that the statistic of the tests can fail.
func TestAndersonDarlingSees(t *testing.T) {
	s := mustNew(t, plan(t, "1s@0..2k,1s@2k", Poisson, 1))
	if a2 := andersonDarling(gaps(dues(s))[:2000]); a2 < adCritical {
		t.Errorf("a ramp passes as a constant rate: A²* = %.3f", a2)
	}
}

// TestPoissonProfileInItsOwnTime changes time to Λ, in which a Poisson process has
// gaps with mean 1, whatever its rate.
func TestPoissonProfileInItsOwnTime(t *testing.T) {
	for _, profile := range []string{"30s@0..200", "30s@200..0", "10s@10..200,3s@0,10s@200,5s@50"} {
		p := plan(t, profile, Poisson, 11)
		times := dues(mustNew(t, p))
		own := []float64{}
		for i := 1; i < min(len(times), 2001); i++ {
			own = append(own, integral(p.Phases, times[i])-integral(p.Phases, times[i-1]))
		}
		a2 := andersonDarling(own)
		if mean, _ := moments(own); !(a2 < adCritical) || math.Abs(mean-1) > 0.09 {
			t.Errorf("%s: %d gaps have mean %.3f and A²* = %.3f", profile, len(own), mean, a2)
		}
	}
}

func TestPoissonCountsAreDispersed(t *testing.T) {
	const windows, perWindow = 1000, 40
	s := mustNew(t, Plan{Rate: perWindow, Duration: windows * time.Second, Arrivals: Poisson, Seed: 5})
	counts := make([]float64, windows)
	for _, due := range dues(s) {
		counts[due/time.Second]++
	}
	mean, deviation := moments(counts)
	// (windows − 1) · index is χ² with a variance of 2 (windows − 1).
	index := deviation * deviation / mean
	if math.Abs(index-1) > 4*math.Sqrt(2.0/windows) {
		t.Errorf("variance / mean of counts = %.3f, want 1", index)
	}
	var together float64
	for k := 1; k < windows; k++ {
		together += (counts[k] - mean) * (counts[k-1] - mean) / (windows * deviation * deviation)
	}
	if math.Abs(together) > 4/math.Sqrt(windows) {
		t.Errorf("counts of neighbouring windows correlate by %.3f", together)
	}
}

func TestPoissonNumberOfRequests(t *testing.T) {
	const seeds = 400
	for _, p := range []Plan{
		{Rate: 0.5, Duration: time.Second},
		{Rate: 5, Duration: time.Second},
		{Rate: 0.01, Duration: 990 * time.Second},
		{Rate: 10, Duration: time.Second},
		{Rate: 200, Duration: time.Second},
		{Rate: 1e4, Duration: 10 * time.Second},
		{Rate: MaxRate, Duration: 24 * time.Hour},
	} {
		expected := p.Rate * p.Duration.Seconds()
		p.Arrivals = Poisson
		var counts []float64
		for p.Seed = range uint64(seeds) {
			counts = append(counts, float64(mustNew(t, p).Len()))
		}
		none := math.Exp(-expected) // those get one request
		mean, deviation := moments(counts)
		if want := expected + none; math.Abs(mean-want) > 4*math.Sqrt(expected/seeds) {
			t.Errorf("expecting %v, mean is %v", want, mean)
		}
		variance := expected + expected*expected + none - (expected+none)*(expected+none)
		if expected < 1e6 && math.Abs(deviation*deviation/variance-1) > 0.4 {
			t.Errorf("expecting %v, variance is %v, want %v", expected, deviation*deviation, variance)
		}
	}
}

// TestPoissonLimit finds the time of the last request gamma distributed.
func TestPoissonLimit(t *testing.T) {
	const seeds, n, rate = 2000, 5, 50.0
	for name, p := range map[string]Plan{
		"limit only": {Rate: rate, Limit: n},
		"with time":  {Rate: rate, Limit: n, Duration: 20 * time.Second},
	} {
		var lasts, firsts []float64
		for seed := range uint64(seeds) {
			p.Arrivals, p.Seed = Poisson, seed
			s := mustNew(t, p)
			if s.Len() != n || s.Due(n) < s.Due(n-1) {
				t.Fatalf("%s: %d requests, the last at %v, the end at %v", name, s.Len(), s.Due(n-1), s.Due(n))
			}
			lasts = append(lasts, s.Due(n-1).Seconds()*rate)
			firsts = append(firsts, s.Due(0).Seconds()*rate)
		}
		mean, deviation := moments(lasts)
		if math.Abs(mean-n) > 4*math.Sqrt(n/float64(seeds)) || math.Abs(deviation*deviation/n-1) > 0.2 {
			t.Errorf("%s: the last comes after %.1f ± %.1f, want %d ± %.1f", name, mean, deviation, n, math.Sqrt(n))
		}
		if a2 := andersonDarling(firsts); !(a2 < adCritical) {
			t.Errorf("%s: the first is not exponential: A²* = %.3f", name, a2)
		}
	}
}

func TestPoissonLimitTakesTheFirst(t *testing.T) {
	p := Plan{Rate: 100, Duration: 10 * time.Second, Arrivals: Poisson, Seed: 3}
	whole := dues(mustNew(t, p))
	p.Limit = 300
	if first := dues(mustNew(t, p)); !slices.Equal(first, whole[:300]) {
		t.Error("a limit changes the arrivals before it")
	}
}

func TestSeedsDiffer(t *testing.T) {
	seen := map[time.Duration]uint64{}
	for seed := range uint64(500) {
		s := mustNew(t, Plan{Rate: 1000, Duration: time.Second, Arrivals: Poisson, Seed: seed})
		due := s.Due(500)
		if other, ok := seen[due]; ok {
			t.Errorf("seeds %d and %d agree on %v", seed, other, due)
		}
		seen[due] = seed
	}
}

// TestPoissonAcrossLeaves looks where leaves meet in the largest tree and one of
// many pauses.
func TestPoissonAcrossLeaves(t *testing.T) {
	for _, profile := range []string{"24h@1M", "1s@900k,1s@0,1s@0..1M,1s@0,1s@1M..0", "1h@0.01..1"} {
		s := mustNew(t, plan(t, profile, Poisson, 9))
		for _, from := range []int64{0, s.Len() / 3, s.Len() - 20_000} {
			last := time.Duration(0)
			for i := max(from, 0); i < min(max(from, 0)+20_000, s.Len()+1); i++ {
				due := s.Due(i)
				if due < last {
					t.Fatalf("%s: Due(%d) = %v comes before %v", profile, i, due, last)
				}
				last = due
			}
		}
	}
}

func TestPoissonSpreadsOverTheWholeTime(t *testing.T) {
	const parts = 16
	for _, rate := range []float64{3, 1e4, 1e6} {
		s := mustNew(t, Plan{Rate: rate, Duration: time.Hour, Arrivals: Poisson, Seed: 1})
		for k := range int64(parts + 1) {
			share := float64(k) / parts
			got := s.Due(k*s.Len()/parts).Seconds() / 3600
			if sd := math.Sqrt(share * (1 - share) / float64(s.Len())); math.Abs(got-share) > 4*sd+2/float64(s.Len()) {
				t.Errorf("at %v rps, %.3f of the requests are due in %.6f of the time", rate, share, got)
			}
		}
	}
}
