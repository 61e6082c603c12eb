package schedule

import (
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// plan returns a plan of a profile in ParseProfile's form.
func plan(tb testing.TB, profile string, model Arrivals, seed uint64) Plan {
	tb.Helper()
	phases, err := ParseProfile(profile)
	if err != nil {
		tb.Fatal(err)
	}
	return Plan{Phases: phases, Arrivals: model, Seed: seed}
}

func mustNew(tb testing.TB, p Plan) Schedule {
	tb.Helper()
	s, err := New(p)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// dues returns when all requests are due.
func dues(s Schedule) []time.Duration {
	all := make([]time.Duration, s.Len())
	for i := range all {
		all[i] = s.Due(int64(i))
	}
	return all
}

// checkOrder fails the test where a time decreases: among the first and last
// requests, beyond the end, and between all kept at equal distances.
func checkOrder(tb testing.TB, s Schedule) {
	tb.Helper()
	n := s.Len()
	if n < 1 {
		tb.Fatalf("Len() = %d, want at least 1", n)
	}
	const some = 100
	var order []int64
	for k := range int64(some) {
		order = append(order, min(k, n), max(n-k, 0), n+k, n/some*k)
	}
	slices.Sort(order)
	last := time.Duration(0)
	for _, i := range order {
		due := s.Due(i)
		if due < last {
			tb.Fatalf("Due(%d) = %v comes before %v", i, due, last)
		}
		last = due
	}
}

var models = []struct {
	name string
	plan func(testing.TB) Plan
}{
	{"uniform constant", func(testing.TB) Plan { return Plan{Rate: 700, Duration: 10 * time.Second} }},
	{"uniform profile", func(tb testing.TB) Plan {
		return plan(tb, "1s@0,3s@0..2k,1s@2k,500ms@0,2s@2k..0,1s@0", Uniform, 0)
	}},
	{"poisson constant", func(testing.TB) Plan {
		return Plan{Rate: 700, Duration: 10 * time.Second, Arrivals: Poisson, Seed: 1}
	}},
	{"poisson limit", func(testing.TB) Plan { return Plan{Rate: 700, Limit: 5000, Arrivals: Poisson, Seed: 2} }},
	{"poisson profile", func(tb testing.TB) Plan {
		return plan(tb, "1s@0,3s@0..2k,1s@2k,500ms@0,2s@2k..0,1s@0", Poisson, 3)
	}},
}

func TestOrderOfAccessDoesNotMatter(t *testing.T) {
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) {
			s, same := mustNew(t, m.plan(t)), mustNew(t, m.plan(t))
			all := dues(s)
			if !slices.IsSorted(all) {
				t.Error("times decrease")
			}
			n := same.Len()
			for k := range n {
				i := k * 2_147_483_647 % n // a prime: visits all
				if due := same.Due(i); due != all[i] {
					t.Fatalf("Due(%d) = %v at random, %v in order", i, due, all[i])
				}
			}
			checkOrder(t, s)
		})
	}
}

func TestConcurrentAccess(t *testing.T) {
	for _, m := range models {
		t.Run(m.name, func(t *testing.T) {
			s := mustNew(t, m.plan(t))
			all := dues(mustNew(t, m.plan(t)))
			var readers sync.WaitGroup
			for r := range 4 {
				readers.Go(func() {
					for k := range all {
						i := (k + r*len(all)/4) % len(all)
						if due := s.Due(int64(i)); due != all[i] {
							t.Errorf("Due(%d) = %v, want %v", i, due, all[i])
							return
						}
					}
				})
			}
			readers.Wait()
		})
	}
}

func TestDueDoesNotAllocate(t *testing.T) {
	for _, m := range models {
		s := mustNew(t, m.plan(t))
		i := int64(0)
		if n := testing.AllocsPerRun(1000, func() { s.Due(i * 911 % s.Len()); i++ }); n != 0 {
			t.Errorf("%s: %v allocations", m.name, n)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	step := []Phase{{time.Second, 10, 10}}
	tests := []struct {
		name string
		plan Plan
		want string
	}{
		{"unknown arrivals", Plan{Rate: 1, Limit: 1, Arrivals: "burst"}, "neither uniform nor poisson"},
		{"no bound", Plan{Rate: 1, Arrivals: Poisson}, "needs a duration"},
		{"no rate", Plan{Limit: 1, Arrivals: Poisson}, "rate 0 is outside"},
		{"not a number", Plan{Rate: math.NaN(), Limit: 1}, "rate NaN is outside"},
		{"too long", Plan{Rate: MinRate, Limit: 1e12, Arrivals: Poisson}, "more than 3.15e+09 s"},
		{"too long by duration", Plan{Rate: 1, Duration: math.MaxInt64, Arrivals: Poisson}, "more than 3.15e+09 s"},
		{"negative duration", Plan{Phases: step, Duration: -1}, "below 0"},
		{"negative limit", Plan{Phases: step, Limit: -1}, "below 0"},
		{"phase without duration", Plan{Phases: []Phase{{0, 1, 1}}}, "phase 1: duration 0s"},
		{"phase not a number", Plan{Phases: []Phase{step[0], {1, math.NaN(), 1}}}, "phase 2: rate NaN"},
		{"phase too fast", Plan{Phases: []Phase{{1, 1, 2 * MaxRate}}}, "phase 1: rate 2e+06"},
		{"only pauses are left", Plan{Phases: []Phase{{2, 0, 0}, step[0]}, Duration: 2}, "within its first 2ns"},
	}
	for _, tt := range tests {
		s, err := New(tt.plan)
		if err == nil {
			t.Errorf("%s: got %v, want an error", tt.name, s)
		} else if s != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v and error %q, which does not say %q", tt.name, s, err, tt.want)
		}
	}
}

func TestRates(t *testing.T) {
	ramp := []Phase{{10 * time.Second, 0, 1000}, {10 * time.Second, 0, 0}}
	tests := []struct {
		name          string
		plan          Plan
		mean, offered float64
	}{
		{"constant", Plan{Rate: 700, Duration: time.Second}, 700, 700},
		{"limit", Plan{Rate: 700, Limit: 7}, 700, 700},
		{"profile", Plan{Phases: ramp, Rate: 5}, 250, 250},
		{"cut profile", Plan{Phases: ramp, Duration: 5 * time.Second}, 250, 250},
		{"cut less", Plan{Phases: ramp, Duration: time.Hour}, 250, 250},
		{"limited profile", Plan{Phases: ramp, Limit: 1250}, 250, 250},
	}
	for _, tt := range tests {
		if got := tt.plan.MeanRate(); math.Abs(got-tt.mean) > 1e-9 {
			t.Errorf("%s: MeanRate() = %v, want %v", tt.name, got, tt.mean)
		}
		if got := OfferedRate(mustNew(t, tt.plan)); math.Abs(got-tt.offered) > 1e-6 {
			t.Errorf("%s: OfferedRate() = %v, want %v", tt.name, got, tt.offered)
		}
	}
	p := Plan{Rate: 1000, Duration: 10 * time.Second, Arrivals: Poisson}
	s := mustNew(t, p)
	if got, want := OfferedRate(s), float64(s.Len())/10; got != want || p.MeanRate() != 1000 {
		t.Errorf("Poisson: OfferedRate() = %v, want %v; MeanRate() = %v, want 1000", got, want, p.MeanRate())
	}
}

// BenchmarkDue asks for requests in order and, as a sender that falls behind
// does, in order from two places.
func BenchmarkDue(b *testing.B) {
	for _, m := range models {
		p := m.plan(b)
		if p.Duration > 0 {
			p.Duration = time.Hour
		}
		s := mustNew(b, p)
		n := s.Len()
		b.Run(m.name+"/sequential", func(b *testing.B) {
			i := int64(0)
			for b.Loop() {
				s.Due(i)
				if i++; i == n {
					i = 0
				}
			}
		})
		b.Run(m.name+"/head and tail", func(b *testing.B) {
			i := int64(0)
			for b.Loop() {
				s.Due(i/2 + i&1*(n/2))
				if i++; i == n {
					i = 0
				}
			}
		})
		b.Run(m.name+"/random", func(b *testing.B) {
			i := int64(0)
			for b.Loop() {
				s.Due(i)
				i = (i + 2_147_483_647) % n
			}
		})
	}
}
