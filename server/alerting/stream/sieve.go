package stream

import "phase0/server/sample"

// Bounds of what a sieve remembers of series. Above the first it forgets everything; labels
// that are longer than the last are judged each time.
const (
	maxVerdictBytes = 32 << 20
	verdictBytes    = 64 // of an entry, beside its labels
	longestVerdict  = 1 << 10
)

// sieve keeps samples that no rule reads away from the engine's goroutine: most are of that
// kind, and cost a look-up of their name, or of their name and their labels. It belongs to
// the goroutine that observes.
type sieve struct {
	metrics *map[string]*metric // that the verdicts are about
	bytes   int
}

// use turns to other rules.
func (s *sieve) use(metrics *map[string]*metric) {
	if s.metrics != metrics {
		*s = sieve{metrics: metrics}
	}
}

// reads reports whether some rule reads a sample.
func (s *sieve) reads(one *sample.Sample) bool {
	m := (*s.metrics)[one.Name]
	if m == nil || !m.selective {
		return m != nil
	}
	verdict, known := m.verdicts[one.Labels]
	if !known {
		verdict = s.judge(m, one.Labels)
	}
	return verdict
}

// judge finds out about a series and remembers it.
func (s *sieve) judge(m *metric, labels sample.Labels) bool {
	verdict := m.reads(labels)
	if len(labels) > longestVerdict {
		return verdict
	}
	if s.bytes += len(labels) + verdictBytes; s.bytes > maxVerdictBytes {
		for _, m := range *s.metrics {
			m.verdicts = nil
		}
		s.bytes = len(labels) + verdictBytes
	}
	if m.verdicts == nil {
		m.verdicts = map[sample.Labels]bool{}
	}
	m.verdicts[labels] = verdict
	return verdict
}
