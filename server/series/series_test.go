package series

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"phase0/server/sample"
)

func open(t testing.TB, most int) *Set {
	t.Helper()
	s, err := New(most)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func named(names ...string) []sample.Sample {
	samples := make([]sample.Sample, len(names))
	for i, name := range names {
		samples[i].Name = name
	}
	return samples
}

func TestLimit(t *testing.T) {
	s := open(t, 3)
	for _, tc := range []struct {
		what    string
		samples []sample.Sample
		refused int
		known   int
	}{
		{"nothing", nil, -1, 0},
		{"the first", named("a"), -1, 1},
		{"it again", named("a", "a"), -1, 1},
		{"three new where two fit", named("a", "b", "c", "d"), 1, 1},
		{"none of those was kept", named("b", "b", "b"), -1, 2},
		{"labels make a series", []sample.Sample{{Name: "a", Labels: `{"host":"a"}`}}, -1, 3},
		{"full", named("e"), 0, 3},
		{"other labels", []sample.Sample{{Name: "a"}, {Name: "a", Labels: `{"host":"b"}`}}, 1, 3},
		{"known ones go on", append(named("b", "a"), sample.Sample{Name: "a", Labels: `{"host":"a"}`}), -1, 3},
		{"one new among known ones", named("a", "b", "x", "y"), 2, 3},
	} {
		if refused := s.Admit(tc.samples); refused != tc.refused || s.Len() != tc.known {
			t.Errorf("%s: refused %d, %d known; want %d, %d", tc.what, refused, s.Len(), tc.refused, tc.known)
		}
	}
}

func TestLimitIsChecked(t *testing.T) {
	for _, most := range []int{0, -1, Most + 1} {
		if _, err := New(most); err == nil {
			t.Errorf("a limit of %d was allowed", most)
		}
	}
}

// Against a map, with random batches and a limit that is met on the way.
func TestLikeAMap(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	const most, names = 20_000, 30_000
	s, known := open(t, most), map[string]bool{}
	for range 5000 {
		batch := make([]string, 1+rng.IntN(20))
		first, fresh := -1, map[string]bool{}
		for i := range batch {
			batch[i] = fmt.Sprint("name_", rng.IntN(names))
			if !known[batch[i]] {
				fresh[batch[i]] = true
				if first < 0 {
					first = i
				}
			}
		}
		if len(known)+len(fresh) <= most {
			first = -1
			for name := range fresh {
				known[name] = true
			}
		}
		if refused := s.Admit(named(batch...)); refused != first || s.Len() != len(known) {
			t.Fatalf("seed %d: refused %d, %d known; want %d, %d", seed, refused, s.Len(), first, len(known))
		}
	}
	if len(known) != most {
		t.Errorf("seed %d: the limit was not met", seed)
	}
	if slots := len(*s.slots.Load()); slots > 4*most {
		t.Errorf("%d slots for %d series", slots, most)
	}
}

// Whoever comes at the same time, exactly as many get in as may, and stay.
func TestConcurrent(t *testing.T) {
	const most, clients, each = 5000, 8, 1000
	s := open(t, most)
	var admitted atomic.Int64
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			for i := range each {
				x := named(fmt.Sprint(client, "_", i))
				if s.Admit(x) < 0 {
					admitted.Add(1)
					if s.Admit(x) >= 0 {
						t.Errorf("%s was forgotten", x[0].Name)
					}
				}
			}
		})
	}
	all.Wait()
	if admitted.Load() != most || s.Len() != most {
		t.Errorf("%d admitted, %d known, want %d", admitted.Load(), s.Len(), most)
	}
}

func TestKnownSeriesDoNotAllocate(t *testing.T) {
	s := open(t, 10)
	samples := named("a", "b", "c")
	s.Admit(samples)
	if n := testing.AllocsPerRun(100, func() { s.Admit(samples) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAdmit(b *testing.B) {
	for _, series := range []int{1, 1000, 100_000} {
		b.Run(fmt.Sprint(series, " series"), func(b *testing.B) {
			s, samples := open(b, series), make([]sample.Sample, series)
			for i := range samples {
				samples[i].Name = fmt.Sprint("cpu_", i)
			}
			s.Admit(samples)
			b.ResetTimer()
			for i := 0; i < b.N; i += len(samples) {
				s.Admit(samples[:min(len(samples), b.N-i)])
			}
		})
	}
}
