package parallel

import (
	"bytes"
	"io"

	"phase0/server/query"
	"phase0/server/sample"
)

// scanner reads one block after the other and finds what matches. It belongs to one
// goroutine at a time.
type scanner struct {
	reader  blockReader
	decoder sample.Decoder
}

// target is what a query looks for.
type target struct {
	query.Selector
	form form
}

// scan reads block n and hands yield what matches. Known is the index's entry for the
// block, nil when it has none; with it, lines of other names are passed over unseen.
func (s *scanner) scan(file io.ReaderAt, size int64, n int, t *target, known *block, yield func(sample.Sample)) (query.Stats, error) {
	lines, _, err := s.reader.read(file, size, n)
	if err != nil {
		return query.Stats{}, err
	}
	stats := query.Stats{Bytes: min(BlockBytes, size-int64(n)*BlockBytes)}
	samples, skipped := s.lines(lines, t, known == nil, yield)
	if known != nil {
		samples, skipped = known.samples, known.skipped
	}
	stats.Samples, stats.Skipped = int64(samples), int64(skipped)
	return stats, nil
}

// lines hands yield what matches. The counts are right only when it is asked to count.
func (s *scanner) lines(text []byte, t *target, count bool, yield func(sample.Sample)) (samples, skipped uint32) {
	for len(text) > 0 {
		line, rest, fits := next(text)
		text = rest
		if !fits {
			skipped++
			continue
		}
		value, timestamp, v := t.form.parse(line)
		if v == ours {
			samples++
			if timestamp >= t.Start && timestamp <= t.End {
				yield(sample.Sample{Name: t.Name, Value: value, Timestamp: timestamp})
			}
			continue
		}
		if v == other {
			if !count {
				continue
			}
			if _, _, ok := split(line); ok {
				samples++
				continue
			}
		}
		sm, ok := s.decoder.ParseLine(line)
		switch {
		case ok:
			samples++
			if t.Matches(sm) {
				yield(sm)
			}
		case !blank(line):
			skipped++
		}
	}
	return samples, skipped
}

// blank reports a line of nothing but space, which is no line.
func blank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }
