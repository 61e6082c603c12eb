package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/consumer"
	"phase0/server/disk"
	"phase0/server/query"
	"phase0/server/query/scan"
	"phase0/server/queue"
	"phase0/server/queue/bounded"
	"phase0/server/queue/memory"
	"phase0/server/sample"
	"phase0/server/storage"
	"phase0/server/storage/batched"
	"phase0/server/storage/jsonl"
	"phase0/server/storage/storagetest"
)

// store keeps what it takes; takes says how many of n samples that is.
type store struct {
	storage.Store
	takes func(n int) (int, error)
	got   []sample.Sample
	at    []time.Time // of each append
}

func (s *store) Append(_ context.Context, samples []sample.Sample) (int, error) {
	s.at = append(s.at, time.Now())
	n, err := s.takes(len(samples))
	s.got = append(s.got, samples[:n]...)
	return n, err
}

func numbered(from, n int) []sample.Sample {
	samples := make([]sample.Sample, n)
	for i := range samples {
		samples[i] = sample.Sample{Name: "n", Value: float64(from + i), Timestamp: int64(from + i)}
	}
	return samples
}

func push(t *testing.T, q queue.Queue, samples []sample.Sample) {
	t.Helper()
	if err := q.Push(t.Context(), samples); err != nil {
		t.Fatal(err)
	}
}

func newBounded(t *testing.T) queue.Queue {
	q, err := bounded.New(1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// Whatever part of a batch each append takes before it fails, and whatever arrives
// meanwhile: every sample is stored once and in order.
func TestRandomFailuresLoseAndDoubleNothing(t *testing.T) {
	seed := rand.Uint64()
	synctest.Test(t, func(t *testing.T) {
		for _, q := range []queue.Queue{memory.New(), newBounded(t)} {
			fate, random := rand.New(rand.NewPCG(seed, 0)), rand.New(rand.NewPCG(seed, 1))
			s := &store{takes: func(n int) (int, error) {
				if fate.IntN(3) > 0 {
					return fate.IntN(n), errors.New("no space left on device")
				}
				return n, nil
			}}
			c := consumer.New(q, s, zerolog.Nop())
			done := make(chan error, 1)
			go func() { done <- c.Run(context.Background()) }()
			pushed := 0
			for range 50 {
				n := 1 + random.IntN(9000) // more than a batch at times
				push(t, q, numbered(pushed, n))
				pushed += n
				time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
			}
			q.Close()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.got, numbered(0, pushed)) || c.Stored() != uint64(pushed) || q.Stats().Depth != 0 || c.Err() != nil || c.Failed() == 0 {
				t.Fatalf("seed %d, %T: %d pushed, %d stored, depth %d, err %v, %d failed", seed, q, pushed, len(s.got), q.Stats().Depth, c.Err(), c.Failed())
			}
		}
	})
}

// The log has one line when storage starts to fail and one when it works again.
func TestFailureIsLoggedOnceAndTriedWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 8
		s := &store{takes: func(n int) (int, error) {
			if failures--; failures >= 0 {
				return 0, errors.New("no space left on device")
			}
			return n, nil
		}}
		q, log := memory.New(), &bytes.Buffer{}
		push(t, q, numbered(0, 1))
		q.Close()
		if err := consumer.New(q, s, zerolog.New(log)).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var pauses []int64
		for i, at := range s.at[1:] {
			pauses = append(pauses, at.Sub(s.at[i]).Milliseconds())
		}
		if !slices.Equal(pauses, []int64{50, 100, 200, 400, 800, 1000, 1000, 1000}) {
			t.Errorf("pauses %v ms", pauses)
		}
		if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "storage failed") || !strings.HasSuffix(got, `"message":"storage works again"}`+"\n") {
			t.Errorf("log:\n%s", got)
		}
	})
}

// A disk that fills up in the middle of a line and has room again later.
func TestFullDisk(t *testing.T) {
	for name, open := range map[string]storagetest.Open{
		"jsonl":   func(fsys disk.FS, path string) (storage.Store, error) { return jsonl.New(fsys, path) },
		"batched": func(fsys disk.FS, path string) (storage.Store, error) { return batched.New(fsys, path) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fullDisk(t, open) })
		})
	}
}

func fullDisk(t *testing.T, open storagetest.Open) {
	full := &storagetest.FullFS{}
	s, err := open(full, filepath.Join(t.TempDir(), "m.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	full.Free.Store(1234)
	full.On.Store(true)
	q := memory.New()
	push(t, q, numbered(0, 500))
	c := consumer.New(q, s, zerolog.Nop())
	done := make(chan error, 1)
	go func() { done <- c.Run(context.Background()) }()
	time.Sleep(5 * time.Second)
	if synctest.Wait(); c.Err() == nil || q.Stats().Depth != 500 {
		t.Errorf("on a full disk: %v, depth %d", c.Err(), q.Stats().Depth)
	}
	full.On.Store(false)
	q.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	got, stats, err := query.Exec(t.Context(), scan.New(s), query.Request{Selector: query.Selector{Name: "n", End: 1 << 40}, MaxSamples: 1000})
	if err != nil || stats.Skipped != 0 || !slices.Equal(got, numbered(0, 500)) {
		t.Errorf("%v, %d samples, %+v", err, len(got), stats)
	}
}
