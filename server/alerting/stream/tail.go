package stream

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"phase0/server/sample"
	"phase0/server/storage"
)

const (
	// maxTail bounds the samples that are held at once of those that have come since.
	maxTail = 1 << 19
	// contextEvery is how many lines pass between looks at the context.
	contextEvery = 1024
)

// follow plays what stands in view behind the mark, until now. What was played is kept when
// there is an error.
func (f *filling) follow(ctx context.Context, view storage.View, now int64) error {
	if err := f.check(view); err != nil {
		return err
	}
	now = max(now, f.at)
	for f.mark < view.Size() {
		samples, length, err := f.tail(ctx, view)
		if err != nil {
			return err
		}
		until := now
		if f.mark += length; f.mark < view.Size() && len(samples) > 0 { // there is more to come
			until = max(f.at, min(milliseconds(now), samples[len(samples)-1].Timestamp)*1e6)
		}
		slices.SortStableFunc(samples, func(a, b sample.Sample) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
		f.core.play(len(samples), func(i int) sample.Sample { return samples[i] }, f.at, until)
		f.at = until
	}
	f.core.play(0, nil, f.at, now)
	f.at = now
	return nil
}

// tail reads lines from the mark on, to the end of the file or to that of one line. Of their
// samples it returns those that rules read.
func (f *filling) tail(ctx context.Context, view storage.View) (samples []sample.Sample, length int64, err error) {
	left := view.Size() - f.mark
	lines := bufio.NewReaderSize(io.NewSectionReader(view, f.mark, left), sample.MaxLineBytes)
	var decoder sample.Decoder
	inside := false // a line that is too long for a sample
	for n := 0; length < left && (len(samples) < f.most || inside); n++ {
		if n%contextEvery == 0 && ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		line, err := lines.ReadSlice('\n')
		length += int64(len(line))
		tooLong := errors.Is(err, bufio.ErrBufferFull)
		switch {
		case errors.Is(err, io.EOF) && length < left:
			f.core = nil
			return nil, 0, errReplaced
		case err != nil && !tooLong && !errors.Is(err, io.EOF):
			return nil, 0, fmt.Errorf("read storage file: %w", err)
		}
		if !inside && !tooLong {
			if s, ok := decoder.ParseLine(line); ok && f.sieve.reads(&s) {
				samples = append(samples, s)
			}
		}
		inside = tooLong
	}
	return samples, length, nil
}
