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
	q, err := bounded.New(bounded.Limit{Samples: 1_000_000, Bytes: 1 << 30})
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
			c := consumer.New(consumer.Config{Queue: q, Store: s, FlushInterval: 5 * time.Millisecond, Log: zerolog.Nop()})
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

// A lone sample is appended at once; what comes within the flush interval waits for its
// end, unless it fills an append.
func TestAppendsAreGrouped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ms = time.Millisecond
		for _, tc := range []struct {
			interval time.Duration
			full     bool
			want     []time.Duration // appends
		}{
			{0, false, []time.Duration{0, 1 * ms, 2 * ms, 11 * ms}},
			{5 * ms, false, []time.Duration{0, 5 * ms, 11 * ms}},
			{5 * ms, true, []time.Duration{0, 1 * ms, 6 * ms, 11 * ms}},
		} {
			q := newBounded(t)
			s := &store{takes: func(n int) (int, error) { return n, nil }}
			c := consumer.New(consumer.Config{Queue: q, Store: s, FlushInterval: tc.interval, Log: zerolog.Nop()})
			done := make(chan error, 1)
			begin := time.Now()
			go func() { done <- c.Run(context.Background()) }()
			synctest.Wait()
			for i, at := range []time.Duration{0, 1 * ms, 2 * ms, 11 * ms} {
				time.Sleep(time.Until(begin.Add(at)))
				n := 1
				if tc.full && i == 1 {
					n = 1024
				}
				push(t, q, numbered(0, n))
			}
			synctest.Wait()
			q.Close()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			var got []time.Duration
			for _, at := range s.at {
				got = append(got, at.Sub(begin))
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("interval %v: appends at %v, want %v", tc.interval, got, tc.want)
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
		if err := consumer.New(consumer.Config{Queue: q, Store: s, Log: zerolog.New(log)}).Run(t.Context()); err != nil {
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
	c := consumer.New(consumer.Config{Queue: q, Store: s, Log: zerolog.Nop()})
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
	got, stats, err := query.Exec(t.Context(), scan.New(s), query.Request{Selector: query.Selector{Name: "n", End: 1 << 40}, MaxSamples: 1000, MaxBytes: 1 << 20})
	if err != nil || stats.Skipped != 0 || !slices.Equal(got, numbered(0, 500)) {
		t.Errorf("%v, %d samples, %+v", err, len(got), stats)
	}
}
