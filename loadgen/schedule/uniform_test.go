package schedule

import (
	"math"
	"strings"
	"testing"
	"time"
)

// integral is Λ(t) in requests by the midpoint rule, which is exact for linear
// rates in each step that no phase ends in.
func integral(phases []Phase, t time.Duration) float64 {
	const steps = 1000
	var sum float64
	for _, p := range phases {
		d := min(p.Duration, t)
		for k := range steps {
			x := (float64(k) + 0.5) / steps * float64(d) / float64(p.Duration)
			sum += (p.From + (p.To-p.From)*x) * d.Seconds() / steps
		}
		if t -= d; t <= 0 {
			break
		}
	}
	return sum
}

func TestUniformProfileFollowsTheRate(t *testing.T) {
	for _, profile := range []string{
		"10s@100", "10s@0..100", "10s@100..0", "2s@10..500,2s@500..10", "10s@100..100.000001", "10s@100.000001..100",
		"1s@0,3s@0..200,1s@200,500ms@0,2s@200..0,1s@0", "1h@1..1.01", "3s@0.01..10", "30ms@1M..0,30ms@0..1M",
	} {
		p := plan(t, profile, Uniform, 0)
		s := mustNew(t, p)
		checkOrder(t, s)
		step := max(s.Len()/500, 1)
		for i := int64(0); i < s.Len(); i += step {
			// The rate differs by no more than its maximum within a nanosecond.
			tolerance := 1e-6 + 1e-9*peak(p.Phases)
			if got := integral(p.Phases, s.Due(i)); math.Abs(got-float64(i)) > tolerance {
				t.Fatalf("%s: the rate amounts to %v at Due(%d) = %v", profile, got, i, s.Due(i))
			}
		}
	}
}

func peak(phases []Phase) float64 {
	var highest float64
	for _, p := range phases {
		highest = max(highest, p.From, p.To)
	}
	return highest
}

func TestUniformProfileCounts(t *testing.T) {
	second := time.Second
	tests := []struct {
		name    string
		profile string
		cut     time.Duration
		limit   int64
		want    int64
		end     time.Duration // Due(Len())
	}{
		{"step", "10s@200", 0, 0, 2000, 10 * second},
		{"product not exact", "300ms@10", 0, 0, 3, 300 * time.Millisecond},
		{"sum not exact", "300ms@10,100ms@10,300ms@10", 0, 0, 7, 700 * time.Millisecond},
		{"fraction", "1100ms@3", 0, 0, 4, 1100 * time.Millisecond},
		{"ramp", "10s@0..100", 0, 0, 500, 10 * second},
		{"shorter than a period", "1ms@1", 0, 0, 1, time.Millisecond},
		{"shortest", "1ns@0..0.01", 0, 0, 1, 1},
		{"fraction from two phases", "1s@0.5,1s@0.5,1s@0.5", 0, 0, 2, 3 * second},
		{"longest", "24h@1M", 0, 0, 86_400_000_000, 24 * time.Hour},
		{"sum above", strings.Repeat("1s@0.7,", 9) + "1s@0.7", 0, 0, 7, 10 * second},
		{"sum below", strings.Repeat("1s@0.1,", 9) + "1s@0.1", 0, 0, 1, 10 * second},
		{"pause at the end", "1s@10,9s@0", 0, 0, 10, 10 * second},
		{"limit", "10s@200", 0, 500, 500, 2500 * time.Millisecond},
		{"limit above", "10s@200", 0, 5000, 2000, 10 * second},
		{"limit before a pause", "1s@10,1s@0,1s@10", 0, 10, 10, 2 * second},
		{"cut step", "10s@200", 5 * second, 0, 1000, 5 * second},
		{"cut ramp", "10s@0..100,10s@100", 5 * second, 0, 125, 5 * second},
		{"cut between", "10s@0..100,10s@100", 10 * second, 0, 500, 10 * second},
		{"cut after the end", "10s@0..100", time.Hour, 0, 500, 10 * second},
	}
	for _, tt := range tests {
		p := plan(t, tt.profile, Uniform, 0)
		p.Duration, p.Limit = tt.cut, tt.limit
		s := mustNew(t, p)
		if n, end := s.Len(), s.Due(s.Len()); n != tt.want || end != tt.end {
			t.Errorf("%s: %d requests until %v, want %d until %v", tt.name, n, end, tt.want, tt.end)
		}
		if last := s.Due(s.Len() - 1); last >= tt.end {
			t.Errorf("%s: the last request is due at %v, not before %v", tt.name, last, tt.end)
		}
	}
}

func TestRequestsWaitForTheEndOfAPause(t *testing.T) {
	s := mustNew(t, plan(t, "1s@0,300ms@10,1s@0,100ms@10", Uniform, 0))
	want := []time.Duration{1000e6, 1100e6, 1200e6, 2300e6, 2400e6}
	for i, due := range want {
		if got := s.Due(int64(i)); got != due {
			t.Errorf("Due(%d) = %v, want %v", i, got, due)
		}
	}
	// Ten times 0.7 is computed as 7.000000000000001.
	s = mustNew(t, plan(t, strings.Repeat("1s@0.7,", 10)+"1m@0,1s@1", Uniform, 0))
	if got := s.Due(7); got != 70*time.Second {
		t.Errorf("Due(7) = %v, want 1m10s", got)
	}
}

// TestTimesStayInTheirPhase looks for a place that only exists because the start
// of its phase was taken as a whole number.
func TestTimesStayInTheirPhase(t *testing.T) {
	p := newProfile([]Phase{{time.Second, 1.0000005, 1.0000005}, {50 * time.Second, 0.01, 0.01}, {time.Second, 1, 1}})
	if got, want := p.at(1.5000004), 51*time.Second-1; got != want {
		t.Errorf("at(1.5000004) = %v, want %v", got, want)
	}
}

func TestStepIsConstant(t *testing.T) {
	for _, rate := range []float64{0.01, 3, 99.9, 2253, 49_999, MaxRate} {
		d := time.Duration(min(1e6/rate, 24*3600) * 1e9)
		c, err := NewConstant(rate, d, 0)
		if err != nil {
			t.Fatal(err)
		}
		s := mustNew(t, Plan{Phases: []Phase{{d, rate, rate}}})
		if s.Len() != c.Len() {
			t.Errorf("at %v rps a step has %d requests, a constant %d", rate, s.Len(), c.Len())
		}
		for i := int64(0); i < c.Len(); i += max(c.Len()/1000, 1) {
			if s.Due(i) != c.Due(i) {
				t.Fatalf("at %v rps Due(%d) = %v as a step, %v as a constant", rate, i, s.Due(i), c.Due(i))
			}
		}
		if constant := mustNew(t, Plan{Rate: rate, Duration: d}); constant != Schedule(c) {
			t.Errorf("New returns %+v, NewConstant %+v", constant, c)
		}
	}
}

func TestUniformGapsAreEqual(t *testing.T) {
	for _, p := range []Plan{{Rate: 2253, Duration: time.Second}, plan(t, "1s@2253", Uniform, 0)} {
		mean, deviation := moments(gaps(dues(mustNew(t, p))))
		if deviation/mean > 1e-5 {
			t.Errorf("gaps of %v s have a standard deviation of %v", mean, deviation)
		}
	}
}

// gaps are the seconds between times, the start of the run among them.
func gaps(times []time.Duration) []float64 {
	out := make([]float64, 0, len(times))
	for i := 1; i < len(times); i++ {
		out = append(out, (times[i] - times[i-1]).Seconds())
	}
	return out
}

func moments(values []float64) (mean, deviation float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		deviation += (v - mean) * (v - mean) / float64(len(values)-1)
	}
	return mean, math.Sqrt(deviation)
}
