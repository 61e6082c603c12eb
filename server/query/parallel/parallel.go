// Package parallel is a query engine that reads no more of the file than it must, on
// all cores. It keeps an index in memory that tells for every block of the file which
// times and which names its lines have; blocks that cannot hold an answer are not
// read. The rest is scanned by as many goroutines as Go uses cores, with a scanner for
// lines of exactly the form in which sample.AppendLine writes them; any other line goes
// to the full parser, so that answers are those of package scan.
//
// The index belongs to the engine, not to storage: before it answers, it reads what
// was appended since the last time, by whomever, and starts afresh when the file is not
// the one it knew. Memory is bounded, see index.go, and nothing is written.
package parallel

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"phase0/server/query"
	"phase0/server/sample"
	"phase0/server/storage"
)

// Opener is the part of a storage.Store that a query needs.
type Opener interface {
	Open() (storage.View, error)
}

// Engine implements query.Engine. Create it with New.
type Engine struct {
	store   Opener
	workers int
	index   *index
	slots   sync.Pool // of *slot
}

// New returns an engine over what store holds.
func New(store Opener) *Engine { return newEngine(store, runtime.GOMAXPROCS(0)) }

func newEngine(store Opener, workers int) *Engine {
	return &Engine{store: store, workers: workers, index: newIndex(workers), slots: sync.Pool{New: func() any { return new(slot) }}}
}

// slot holds what one block's scan found.
type slot struct {
	scanner scanner
	stats   query.Stats
	samples []sample.Sample
}

// Prepare reads the file into the index, so that the first question does not have to.
// It tells progress from time to time how many bytes of how many have been read.
func (e *Engine) Prepare(ctx context.Context, progress func(done, total int64)) error {
	view, err := e.store.Open()
	if err != nil {
		return fmt.Errorf("open storage file: %w", err)
	}
	defer view.Close()
	_, err = e.index.catchUp(ctx, view, progress)
	return err
}

// Select implements query.Engine.
func (e *Engine) Select(ctx context.Context, sel query.Selector, yield func(sample.Sample) bool) (query.Stats, error) {
	return e.each(ctx, sel, func(s *slot, sm sample.Sample) { s.samples = append(s.samples, sm) }, func(s *slot) bool {
		for _, sm := range s.samples {
			if !yield(sm) {
				return false
			}
		}
		return true
	})
}

// each scans what may hold an answer: found is called for every sample, on any
// goroutine, and merge for every block, in the order of the file.
func (e *Engine) each(ctx context.Context, sel query.Selector, found func(*slot, sample.Sample), merge func(*slot) bool) (query.Stats, error) {
	view, err := e.store.Open()
	if err != nil {
		return query.Stats{}, fmt.Errorf("open storage file: %w", err)
	}
	defer view.Close()
	blocks, err := e.index.catchUp(ctx, view, nil)
	if err != nil {
		return query.Stats{}, err
	}
	t := &target{Selector: sel, form: formOf(sel.Name)}
	todo, total := e.plan(blocks, view.Size(), t)

	workers := max(1, min(e.workers, len(todo)))
	slots := make([]*slot, min(2*workers, max(1, len(todo))))
	for i := range slots {
		slots[i] = e.slots.Get().(*slot)
		defer e.slots.Put(slots[i])
	}
	err = inOrder(workers, len(todo), slots, func(s *slot, i int) (err error) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n := int(todo[i])
		var known *block
		if n < len(blocks) {
			known = &blocks[n]
		}
		s.samples = s.samples[:0]
		s.stats, err = s.scanner.scan(view, view.Size(), n, t, known, func(sm sample.Sample) { found(s, sm) })
		return err
	}, func(s *slot) bool {
		total.Samples += s.stats.Samples
		total.Bytes += s.stats.Bytes
		total.Skipped += s.stats.Skipped
		return merge(s)
	})
	return total, err
}

// plan returns the numbers of the blocks that have to be read, and what is known of the
// others.
func (e *Engine) plan(blocks []block, size int64, t *target) (todo []int32, skipped query.Stats) {
	hash := e.index.hash(t.Name)
	for n := range blocks {
		if blocks[n].mayHold(t, hash) {
			todo = append(todo, int32(n))
			continue
		}
		skipped.BlocksSkipped++
		skipped.Skipped += int64(blocks[n].skipped)
	}
	for n := len(blocks); n < blocksOf(size); n++ {
		todo = append(todo, int32(n))
	}
	return todo, skipped
}
