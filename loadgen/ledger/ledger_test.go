package ledger

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
)

func TestMarksAreFoundAgain(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	const n = 3*chunkRequests + 17
	l, want, counts := New(), make([]Outcome, n), Counts{}
	for _, i := range rng.Perm(n) {
		want[i] = Outcome(rng.IntN(4))
		if i == n-1 {
			want[i] = Refused
		}
		if !l.Mark(int64(i), want[i]) {
			t.Fatalf("seed %d: request %d is refused", seed, i)
		}
		*[...]*int64{&counts.NotSent, &counts.Refused, &counts.Ambiguous, &counts.Accepted}[want[i]]++
	}
	for i, o := range want {
		if got := l.At(int64(i)); got != o {
			t.Fatalf("seed %d: request %d is %d, want %d", seed, i, got, o)
		}
	}
	if got := l.Len(); got != n {
		t.Errorf("seed %d: length %d, want %d", seed, got, n)
	}
	if got := l.Counts(); got != counts {
		t.Errorf("seed %d: %+v, want %+v", seed, got, counts)
	}
}

func TestLenIsOneMoreThanTheHighestSent(t *testing.T) {
	tests := []struct {
		name   string
		marked map[int64]Outcome
		want   int64
	}{
		{"nothing", nil, 0},
		{"not sent only", map[int64]Outcome{7: NotSent}, 0},
		{"the first", map[int64]Outcome{0: Refused}, 1},
		{"lower bit", map[int64]Outcome{31: Refused}, 32},
		{"upper bit", map[int64]Outcome{32: Ambiguous}, 33},
		{"both bits", map[int64]Outcome{5: Accepted, 3: Refused, 9: NotSent}, 6},
		{"last of a chunk", map[int64]Outcome{chunkRequests - 1: Ambiguous}, chunkRequests},
		{"first of a chunk", map[int64]Outcome{chunkRequests: Refused}, chunkRequests + 1},
		{"a hole of chunks", map[int64]Outcome{9 * chunkRequests: Accepted}, 9*chunkRequests + 1},
		{"the last there is", map[int64]Outcome{MaxRequests - 1: Accepted}, MaxRequests},
	}
	for _, tt := range tests {
		l := New()
		for i, o := range tt.marked {
			l.Mark(i, o)
		}
		if got := l.Len(); got != tt.want {
			t.Errorf("%s: length %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestOutsideIsCountedAndNotKept(t *testing.T) {
	l := New()
	for _, i := range []int64{-1, MaxRequests, 1 << 62} {
		if l.Mark(i, Accepted) {
			t.Errorf("request %d is kept", i)
		}
		if got := l.At(i); got != NotSent {
			t.Errorf("request %d is %d", i, got)
		}
	}
	if !l.Mark(MaxRequests, NotSent) {
		t.Error("there is nothing to keep about a request that was not sent")
	}
	if got := l.Counts(); got != (Counts{Beyond: 3}) {
		t.Errorf("%+v, want 3 beyond", got)
	}
}

// Neighbours in a word and the making of chunks are what can go wrong.
func TestMarkIsSafeForConcurrentUse(t *testing.T) {
	const workers, n = 8, 2*chunkRequests + 100
	l := New()
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				l.Mark(int64(i), Outcome(i%4))
				l.At(int64(i - 1))
			}
		})
	}
	wg.Wait()
	for i := range int64(n) {
		if got := l.At(i); got != Outcome(i%4) {
			t.Fatalf("request %d is %d, want %d", i, got, i%4)
		}
	}
}

func TestMarkDoesNotAllocate(t *testing.T) {
	l := New()
	l.Mark(0, Accepted)
	i := int64(1)
	if n := testing.AllocsPerRun(1000, func() { l.Mark(i, Accepted); i++ }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestMemoryIsTwoBitsPerRequest(t *testing.T) {
	const n = 256 * chunkRequests
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	l := New()
	for i := int64(0); i < n; i += requestsPerWord {
		l.Mark(i, Accepted)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	const fixed = 600 << 10
	if got, most := int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(n/4+n/40+fixed); got > most {
		t.Errorf("%d bytes for %d requests, want at most %d", got, n, most)
	}
	runtime.KeepAlive(l)
}
