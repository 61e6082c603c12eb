package parallel

import (
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"slices"
	"time"

	"phase0/server/disk"
	"phase0/server/query"
	"phase0/server/storage"
)

// Bounds of the index. It takes 56 bytes a block and 8 for each name in it that the
// block before does not have just so: 13 MB for a file of 60 GB with few names.
const (
	// maxNames is how many names of a block are told apart; with more it may hold any.
	maxNames = 1000
	// maxHashes bounds the names of all blocks together, at 32 MiB; past it blocks may
	// hold any.
	maxHashes = 4 << 20
	// maxBlocks bounds the blocks, at 56 MiB for a file of 256 GiB; later ones are
	// always read.
	maxBlocks = 1 << 20
)

// block is what the index knows of a block of the file.
type block struct {
	minTime, maxTime int64    // of its samples
	names            []uint64 // sorted hashes of the names
	anyName          bool     // there are too many to list
	samples, skipped uint32   // lines
}

// mayHold reports whether a sample that sel matches may be in the block. Hash is that of
// its name.
func (b *block) mayHold(sel *query.Selector, hash uint64) bool {
	if b.samples == 0 || b.minTime > sel.End || b.maxTime < sel.Start {
		return false
	}
	if b.anyName {
		return true
	}
	_, found := slices.BinarySearch(b.names, hash)
	return found
}

// index knows the blocks at the beginning of one file that can no longer change. What
// is behind them, less than two blocks as a rule, is read by every query. The index is
// brought up to date when it is asked for, so that it does not matter who appends.
type index struct {
	workers int
	seed    maphash.Seed
	turn    chan struct{} // holds a token while the rest is in use

	blocks []block // entries never change, so that a query may go on reading them
	hashes int     // in all blocks
	size   int64   // of the file when it was last looked at
	seen   fs.FileInfo
	print  fingerprint // of the first size bytes
	// cut: reading stopped before what could have been read. The blocks that were read
	// until then count, and whoever asks next goes on behind them.
	cut bool
}

func newIndex(workers int) *index {
	return &index{workers: workers, seed: maphash.MakeSeed(), turn: make(chan struct{}, 1)}
}

func (x *index) hash(name string) uint64 { return max(maphash.String(x.seed, name), 1) }

// catchUp returns the blocks of the file that view shows, and how long the file is now.
// Queries that come meanwhile wait. Progress, which may be nil, is told how much of the
// file has been read.
func (x *index) catchUp(ctx context.Context, view storage.View, progress func(done, total int64)) (blocks []block, size int64, err error) {
	select {
	case x.turn <- struct{}{}:
		defer func() { <-x.turn }()
	case <-ctx.Done():
		return nil, 0, context.Cause(ctx)
	}
	if view.Size() == 0 {
		x.forget()
		return nil, 0, nil
	}
	// Not the view's size: another query may have looked at the file since it was opened.
	now, err := view.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("look at storage file: %w", err)
	}
	same, err := x.stillTrue(ctx, view, now)
	if err != nil {
		return nil, 0, err
	}
	if !same {
		x.forget()
	}
	if x.seen == nil || x.cut || now.Size() > x.size {
		if ok, err := x.extend(ctx, view, now, progress); !ok {
			return nil, now.Size(), err
		}
	}
	x.seen = now
	return slices.Clip(x.blocks), now.Size(), nil
}

func (x *index) forget() {
	x.blocks, x.hashes, x.size, x.seen, x.cut = nil, 0, 0, nil, false
}

// stillTrue reports whether what is known is true of the file in view: it is the same
// file, it has only grown, and what was its beginning and its end then is there still.
// A file that somebody changed in its middle, and that was appended to since the last
// look, passes for one that was appended to.
func (x *index) stillTrue(ctx context.Context, view storage.View, now fs.FileInfo) (bool, error) {
	if x.seen == nil || !disk.SameFile(x.seen, now) || now.Size() < x.size {
		return false, nil
	}
	if now.Size() == x.size {
		if now.ModTime().Equal(x.seen.ModTime()) {
			return true, nil
		}
		if grows, err := x.grows(ctx, view); !grows {
			return false, err
		}
	}
	print, err := takeFingerprint(view, x.size)
	return print == x.print, err
}

// appendTime is what the kernel may take between a file's new time and its new size.
const appendTime = 10 * time.Millisecond

// grows tells a file that is being appended to from one that was changed in place: the
// time of a file changes a moment before its size does.
func (x *index) grows(ctx context.Context, view storage.View) (bool, error) {
	for range 10 {
		now, err := view.Stat()
		if err != nil {
			return false, fmt.Errorf("look at storage file: %w", err)
		}
		if now.Size() > x.size {
			return true, nil
		}
		select {
		case <-time.After(appendTime / 10):
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
	return false, nil
}

// fingerprint holds the first and the last bytes of a file's beginning.
type fingerprint struct{ first, last [512]byte }

func takeFingerprint(file io.ReaderAt, size int64) (p fingerprint, err error) {
	for _, part := range []struct {
		bytes []byte
		at    int64
	}{{p.first[:], 0}, {p.last[:], max(0, size-int64(len(p.last)))}} {
		length := min(size-part.at, int64(len(part.bytes)))
		if n, err := file.ReadAt(part.bytes[:length], part.at); int64(n) < length && err != io.EOF {
			return p, fmt.Errorf("read storage file: %w", err)
		}
	}
	return p, nil
}

// extend adds the blocks that are final in the file, which is as now says. When it is not
// ok, there was an error, or what had been read was changed meanwhile. Only in that case
// nothing is known any more: an asker who leaves, or a disk that cannot be read for a
// moment, does not take from the others what is known already.
func (x *index) extend(ctx context.Context, view storage.View, now fs.FileInfo, progress func(done, total int64)) (ok bool, err error) {
	size := now.Size()
	before, err := takeFingerprint(view, size)
	if err != nil {
		return false, err
	}
	// A block that the file does not fill is not final.
	last := min(int(size/BlockBytes), maxBlocks)
	blocks, hashes := x.blocks, x.hashes
	if last > len(blocks) {
		if err = x.read(ctx, view, size, last, progress); len(x.blocks) == len(blocks) && err != nil {
			return false, err
		}
		after, printErr := takeFingerprint(view, size)
		switch {
		case printErr != nil:
			x.blocks, x.hashes = blocks, hashes // what was read since cannot be vouched for
			return false, printErr
		case after != before:
			x.forget()
			return false, err
		}
	}
	x.size, x.print, x.seen, x.cut = size, before, now, err != nil
	return err == nil, err
}

// read adds the blocks before last, on all cores, up to the first that is not final.
func (x *index) read(ctx context.Context, view storage.View, size int64, last int, progress func(done, total int64)) error {
	first := len(x.blocks)
	workers := min(x.workers, last-first)
	indexers := make([]*indexer, min(2*workers, last-first))
	for i := range indexers {
		indexers[i] = &indexer{seed: x.seed}
	}
	return inOrder(workers, last-first, indexers, func(s *indexer, i int) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return s.read(view, size, first+i)
	}, func(s *indexer) bool {
		if s.final {
			x.add(s)
		}
		if progress != nil {
			progress(int64(len(x.blocks))*BlockBytes, size)
		}
		return s.final
	})
}

// add appends what s found. A list of names that equals the last block's is shared.
func (x *index) add(s *indexer) {
	b := s.found
	if last := len(x.blocks) - 1; last >= 0 && slices.Equal(x.blocks[last].names, s.names.sorted) {
		b.names = x.blocks[last].names
	} else if x.hashes+len(s.names.sorted) <= maxHashes {
		b.names = slices.Clone(s.names.sorted)
		x.hashes += len(b.names)
	} else {
		b.anyName = true
	}
	x.blocks = append(x.blocks, b)
}
