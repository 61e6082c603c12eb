package parallel

import (
	"bytes"
	"io"

	"phase0/server/query"
	"phase0/server/sample"
)

// scanner reads one block after the other and collects what matches. It belongs to one
// goroutine at a time.
type scanner struct {
	reader  blockReader
	decoder sample.Decoder
	labels  labelTexts

	// What one query looks for, and where it puts what it finds: into part, if there is
	// one, otherwise into samples.
	filter  query.Filter
	form    form
	part    *query.Fold
	samples []sample.Sample
	stats   query.Stats
}

// begin readies the scanner for a query. Without a fold the samples are collected.
func (s *scanner) begin(sel query.Selector, form form, fold *query.Fold) {
	s.filter, s.form, s.part = query.Filter{Selector: sel}, form, nil
	if fold != nil {
		s.part = fold.Part()
	}
}

// end lets go of what only the query needed.
func (s *scanner) end() {
	s.filter, s.part = query.Filter{}, nil
	clear(s.samples[:cap(s.samples)])
}

// scan reads block n. Known is the index's entry for it, nil when there is none; with it,
// lines of other names are passed over unseen.
func (s *scanner) scan(file io.ReaderAt, size int64, n int, known *block) error {
	s.samples = s.samples[:0]
	if s.part != nil {
		s.part.Reset()
	}
	lines, _, err := s.reader.read(file, size, n)
	if err != nil {
		return err
	}
	samples, skipped := s.lines(lines, known == nil)
	if known != nil {
		samples, skipped = known.samples, known.skipped
	}
	s.stats = query.Stats{Samples: int64(samples), Bytes: min(BlockBytes, size-int64(n)*BlockBytes), Skipped: int64(skipped)}
	return nil
}

// lines collects what matches. The counts are right only when it is asked to count.
func (s *scanner) lines(text []byte, count bool) (samples, skipped uint32) {
	for len(text) > 0 {
		fields, verdict := s.form.parse(text)
		if verdict == other {
			if !count {
				_, text, _ = next(text)
				continue
			}
			_, fields = split(text)
		}
		if fields.length > 0 && s.labels.known(fields.labels) {
			samples++
			text = text[fields.length:]
			if verdict == ours {
				s.offer(&fields)
			}
			continue
		}
		line, rest, fits := next(text)
		text = rest
		sm, ok := sample.Sample{}, false
		if fits {
			sm, ok = s.decoder.ParseLine(line)
		}
		switch {
		case ok:
			samples++
			s.labels.learn(fields.labels, sm)
			if s.filter.Matches(&sm) {
				s.take(sm)
			}
		case !fits || !blank(line):
			skipped++
		}
	}
	return samples, skipped
}

// offer takes a sample of the name if it matches. Labels are looked up only where somebody
// asks for them.
func (s *scanner) offer(f *fields) {
	sm := sample.Sample{Name: s.filter.Name, Value: f.value, Timestamp: f.timestamp}
	if !s.filter.MatchesNumbers(&sm) {
		return
	}
	if len(s.filter.Labels) > 0 || s.part == nil {
		sm.Labels = s.labels.labels(f.labels)
	}
	if s.filter.MatchesLabels(sm.Labels) {
		s.take(sm)
	}
}

// take keeps a sample that matches.
func (s *scanner) take(sm sample.Sample) {
	if s.part != nil {
		s.part.Add(sm)
		return
	}
	s.samples = append(s.samples, sm)
}

// blank reports a line of nothing but space, which is no line.
func blank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }
