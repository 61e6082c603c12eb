package ratelimit

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func newLimiter(t *testing.T, rate string, burst int) *Limiter {
	t.Helper()
	r, err := ParseRate(rate)
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(r, burst)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A bucket is the plain one of the books: tokens grow with time up to the burst.
func TestBucketAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	synctest.Test(t, func(t *testing.T) {
		for _, tc := range []struct {
			rate     string
			interval time.Duration
			burst    int
		}{{"1000/s", time.Millisecond, 10}, {"2/s", 500 * time.Millisecond, 1}, {"30/m", 2 * time.Second, 7}} {
			l := newLimiter(t, tc.rate, tc.burst)
			tokens, last := float64(tc.burst), time.Now()
			for step := range 2000 {
				time.Sleep(time.Duration(rng.Int64N(int64(2 * tc.interval))))
				tokens = min(float64(tc.burst), tokens+float64(time.Since(last))/float64(tc.interval))
				last = time.Now()
				wait := l.Take([]byte("a"))
				const rounding = 1e-6
				if wait == 0 != (tokens > 1-rounding) {
					t.Fatalf("seed %d, %s, step %d: %v with %v tokens", seed, tc.rate, step, wait, tokens)
				}
				if wait == 0 {
					tokens--
					continue
				}
				if want := (1 - tokens) * float64(tc.interval); math.Abs(float64(wait)-want) > 1000 {
					t.Fatalf("seed %d, %s, step %d: wait %v, want %v", seed, tc.rate, step, wait, time.Duration(want))
				}
				if rng.IntN(10) == 0 { // what was promised holds, and nothing less would do
					time.Sleep(wait - 1)
					if l.Take([]byte("a")) != 1 {
						t.Fatal("the wait was longer than needed")
					}
					time.Sleep(time.Nanosecond)
					if again := l.Take([]byte("a")); again != 0 {
						t.Fatalf("after the wait: %v more", again)
					}
					tokens, last = 0, time.Now()
				}
			}
		}
	})
}

func TestClientsAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, "1/s", 2)
		for _, client := range []string{"a", "b", ""} {
			for i, want := range []time.Duration{0, 0, time.Second} {
				if wait := l.Take([]byte(client)); wait != want {
					t.Errorf("client %q, request %d: wait %v, want %v", client, i, wait, want)
				}
			}
		}
	})
}

// A million made-up clients take no memory, and win one that sends too much no more than
// its burst again for each time that they push it out.
func TestManyClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter(t, "1/m", 5)
		taken := 0
		var key [8]byte
		for i := range uint64(1_000_000) {
			binary.LittleEndian.PutUint64(key[:], i)
			l.Take(key[:])
			if l.Take([]byte("greedy")) == 0 {
				taken++
			}
		}
		if pushed := 1_000_000 / Clients; taken > 5*(pushed+2) {
			t.Errorf("%d requests of one client in no time", taken)
		}
		if n := testing.AllocsPerRun(100, func() { l.Take(key[:]) }); n > 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// Many at once get what is there and not one more.
func TestConcurrentTakes(t *testing.T) {
	l := newLimiter(t, "1000/h", 1000)
	var wg sync.WaitGroup
	var taken atomic.Int64
	for range 8 {
		wg.Go(func() {
			for range 500 {
				if l.Take([]byte("a")) == 0 {
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if taken.Load() != 1000 {
		t.Errorf("%d taken of 1000", taken.Load())
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1000/s": time.Millisecond, "1/s": time.Second, "0.5/s": 2 * time.Second, "60/m": time.Second, "3600/h": time.Second,
		"3/s": 333_333_334, "1000000000/s": 1, ".5/s": 2 * time.Second, "0.05/h": 20 * time.Hour,
	} {
		if got, err := ParseRate(text); err != nil || got.interval != want || got.String() != text {
			t.Errorf("%s: %v, %v", text, got.interval, err)
		}
	}
	for _, text := range []string{"", "/", "/s", "1000", "1000/", "1000/d", "0/s", "-1/s", "+1/s", "1e3/s", "NaN/s", "Inf/s", "1 /s", "1/s ", "2000000001/s", "0.01/h", "1/s/s", "0x1/s", "1_000/s", "1.2.3/s"} {
		if got, err := ParseRate(text); err == nil {
			t.Errorf("%q is %v", text, got.interval)
		} else if !strings.Contains(err.Error(), strconv.Quote(text)) {
			t.Errorf("%q: %v", text, err)
		}
	}
	day, _ := ParseRate("1/h")
	for burst, ok := range map[int]bool{0: false, -1: false, 1: true, 24: true, 25: false} {
		if _, err := New(day, burst); (err == nil) != ok {
			t.Errorf("burst %d: %v", burst, err)
		}
	}
	if b := day.DefaultBurst(); b != 1 {
		t.Errorf("default burst %d", b)
	}
}

func FuzzParseRate(f *testing.F) {
	for _, seed := range []string{"1000/s", "0.5/m", "1/h", "/", "1e9/s", "999999999999/s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rate, err := ParseRate(text)
		if err != nil {
			return
		}
		l, err := New(rate, rate.DefaultBurst())
		if err != nil {
			t.Fatalf("%q: its default burst is refused: %v", text, err)
		}
		if wait := l.Take(nil); wait != 0 {
			t.Fatalf("%q: the first waits %v", text, wait)
		}
	})
}

func BenchmarkTake(b *testing.B) {
	rate, err := ParseRate("1000000000/s")
	if err != nil {
		b.Fatal(err)
	}
	l, err := New(rate, 1000)
	if err != nil {
		b.Fatal(err)
	}
	key := []byte{127, 0, 0, 1}
	b.ReportAllocs()
	for b.Loop() {
		l.Take(key)
	}
}
