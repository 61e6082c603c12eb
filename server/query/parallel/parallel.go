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
	store    Opener
	workers  int
	index    *index
	scanners sync.Pool
}

// New returns an engine over what store holds.
func New(store Opener) *Engine { return newEngine(store, runtime.GOMAXPROCS(0)) }

func newEngine(store Opener, workers int) *Engine {
	return &Engine{store: store, workers: workers, index: newIndex(workers), scanners: sync.Pool{New: func() any { return new(scanner) }}}
}

// Prepare reads the file into the index, so that the first question does not have to.
// It tells progress from time to time how many bytes of how many have been read.
func (e *Engine) Prepare(ctx context.Context, progress func(done, total int64)) error {
	view, err := e.store.Open()
	if err != nil {
		return fmt.Errorf("open storage file: %w", err)
	}
	defer view.Close()
	_, _, err = e.index.catchUp(ctx, view, progress)
	return err
}

// Select implements query.Engine.
func (e *Engine) Select(ctx context.Context, sel query.Selector, yield func(sample.Sample) bool) (query.Stats, error) {
	return e.scan(ctx, sel, nil, func(s *scanner) bool {
		for _, sm := range s.samples {
			if !yield(sm) {
				return false
			}
		}
		return true
	})
}

// Fold implements query.Engine. Each block is summed up for itself, and the blocks are
// merged in the order of the file: sums do not depend on the number of cores.
func (e *Engine) Fold(ctx context.Context, sel query.Selector, f *query.Fold) (query.Stats, error) {
	return e.scan(ctx, sel, f, func(s *scanner) bool { return f.Merge(s.part) })
}

// scan reads the blocks that may hold an answer and hands the scanner of each to take, in
// the order of the file.
func (e *Engine) scan(ctx context.Context, sel query.Selector, f *query.Fold, take func(*scanner) bool) (query.Stats, error) {
	view, err := e.store.Open()
	if err != nil {
		return query.Stats{}, fmt.Errorf("open storage file: %w", err)
	}
	defer view.Close()
	blocks, size, err := e.index.catchUp(ctx, view, nil)
	if err != nil {
		return query.Stats{}, err
	}
	size = sel.Within(size)
	blocks = blocks[:min(len(blocks), int(size/BlockBytes))] // those that end within
	todo, total := e.plan(blocks, size, &sel)
	workers := max(1, min(e.workers, len(todo)))
	scanners := e.borrow(min(2*workers, max(1, len(todo))), sel, f)
	defer e.giveBack(scanners)
	err = inOrder(workers, len(todo), scanners, func(s *scanner, i int) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var known *block
		n := int(todo[i])
		if n < len(blocks) {
			known = &blocks[n]
		}
		return s.scan(view, size, n, known)
	}, func(s *scanner) bool {
		total.Add(s.stats)
		return take(s)
	})
	return total, err
}

func (e *Engine) borrow(n int, sel query.Selector, f *query.Fold) []*scanner {
	form := formOf(sel.Name)
	scanners := make([]*scanner, n)
	for i := range scanners {
		scanners[i] = e.scanners.Get().(*scanner)
		scanners[i].begin(sel, form, f)
	}
	return scanners
}

func (e *Engine) giveBack(scanners []*scanner) {
	for _, s := range scanners {
		s.end()
		e.scanners.Put(s)
	}
}

// plan returns the numbers of the blocks that have to be read, and what is known of the
// others.
func (e *Engine) plan(blocks []block, size int64, sel *query.Selector) (todo []int32, skipped query.Stats) {
	hash := e.index.hash(sel.Name)
	for n := range blocks {
		if blocks[n].mayHold(sel, hash) {
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
