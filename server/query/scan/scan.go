// Package scan is the seed's query engine: every question reads the whole file,
// parses every line and then filters. It has no index on purpose, so its time
// grows with what is stored, not with what is asked. One goroutine, constant
// memory.
package scan

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"phase0/server/query"
	"phase0/server/sample"
	"phase0/server/storage"
)

// readBytes is the size of one read; it must hold the longest line.
const readBytes = sample.MaxLineBytes

// contextEvery is how many lines pass between looks at the context.
const contextEvery = 1024

// Opener is the part of a storage.Store that a query needs.
type Opener interface {
	Open() (storage.View, error)
}

// Engine implements query.Engine. Create it with New.
type Engine struct{ store Opener }

// New returns an engine over what store holds.
func New(store Opener) *Engine { return &Engine{store: store} }

// Select implements query.Engine.
func (e *Engine) Select(ctx context.Context, sel query.Selector, yield func(sample.Sample) bool) (query.Stats, error) {
	view, err := e.store.Open()
	if err != nil {
		return query.Stats{}, fmt.Errorf("open storage file: %w", err)
	}
	defer view.Close()
	filter := query.Filter{Selector: sel}
	s := scanner{reader: bufio.NewReaderSize(io.NewSectionReader(view, 0, sel.Within(view.Size())), readBytes)}
	for n := 0; ; n++ {
		if n%contextEvery == 0 && ctx.Err() != nil {
			return s.stats, context.Cause(ctx)
		}
		sm, ok, err := s.next()
		if errors.Is(err, io.EOF) {
			return s.stats, nil
		}
		if err != nil {
			return s.stats, fmt.Errorf("read storage file: %w", err)
		}
		if ok && filter.Matches(&sm) && !yield(sm) {
			return s.stats, nil
		}
	}
}

// Fold implements query.Engine.
func (e *Engine) Fold(ctx context.Context, sel query.Selector, f *query.Fold) (query.Stats, error) {
	return e.Select(ctx, sel, f.Add)
}

// scanner reads samples line by line.
type scanner struct {
	reader  *bufio.Reader
	decoder sample.Decoder
	stats   query.Stats
}

// next returns the next line's sample; ok is false for a line that is none.
func (s *scanner) next() (sm sample.Sample, ok bool, err error) {
	line, err := s.reader.ReadSlice('\n')
	s.stats.Bytes += int64(len(line))
	if errors.Is(err, bufio.ErrBufferFull) {
		s.stats.Skipped++
		return sample.Sample{}, false, s.skipLine()
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
		return sample.Sample{}, false, err
	}
	// A last line without line end is either whole, and counts, or torn.
	sm, ok = s.decoder.ParseLine(line)
	switch {
	case ok:
		s.stats.Samples++
	case len(bytes.TrimSpace(line)) > 0:
		s.stats.Skipped++
	}
	return sm, ok, nil
}

// skipLine drops the rest of a line that no sample can fill.
func (s *scanner) skipLine() error {
	for {
		rest, err := s.reader.ReadSlice('\n')
		s.stats.Bytes += int64(len(rest))
		if err == nil || errors.Is(err, io.EOF) {
			return nil // the next read reports the end of the file
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}
