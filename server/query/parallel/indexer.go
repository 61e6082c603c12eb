package parallel

import (
	"hash/maphash"
	"io"
	"math"
	"slices"

	"phase0/server/sample"
)

// indexer reads blocks for the index.
type indexer struct {
	seed    maphash.Seed
	reader  blockReader
	decoder sample.Decoder
	labels  labelTexts

	found block // without names
	names nameSet
	final bool
}

// read looks at block n of a file of size bytes.
func (s *indexer) read(file io.ReaderAt, size int64, n int) error {
	lines, final, err := s.reader.read(file, size, n)
	if err != nil {
		return err
	}
	s.final = final
	s.found = block{minTime: math.MaxInt64, maxTime: math.MinInt64}
	s.names.reset()
	for len(lines) > 0 {
		lines = lines[s.line(lines):]
	}
	s.names.sort()
	s.found.anyName = s.names.overflow
	return nil
}

// line notes the line that text begins with and returns its length.
func (s *indexer) line(text []byte) int {
	name, fields := split(text)
	if fields.length > 0 && s.labels.known(fields.labels) {
		s.sample(maphash.Bytes(s.seed, name), fields.timestamp)
		return fields.length
	}
	line, _, fits := next(text)
	sm, ok := sample.Sample{}, false
	if fits {
		sm, ok = s.decoder.ParseLine(line)
	}
	switch {
	case ok:
		s.labels.learn(fields.labels, sm)
		s.sample(maphash.String(s.seed, sm.Name), sm.Timestamp)
	case !fits || !blank(line):
		s.found.skipped++
	}
	return len(line)
}

func (s *indexer) sample(name uint64, timestamp int64) {
	s.names.add(name)
	s.found.samples++
	s.found.minTime = min(s.found.minTime, timestamp)
	s.found.maxTime = max(s.found.maxTime, timestamp)
}

// nameSet collects up to maxNames hashes.
type nameSet struct {
	table    [4 * maxNames]uint64 // open addressing; 0 is free
	sorted   []uint64
	overflow bool
}

func (s *nameSet) reset() {
	if len(s.sorted) > 0 {
		clear(s.table[:])
	}
	s.sorted, s.overflow = s.sorted[:0], false
}

func (s *nameSet) add(hash uint64) {
	hash = max(hash, 1) // as index.hash does
	i := hash % uint64(len(s.table))
	for s.table[i] != 0 {
		if s.table[i] == hash {
			return
		}
		i = (i + 1) % uint64(len(s.table))
	}
	if len(s.sorted) == maxNames {
		s.overflow = true
		return
	}
	s.table[i] = hash
	s.sorted = append(s.sorted, hash)
}

// sort completes the set, which is empty when there were too many.
func (s *nameSet) sort() {
	if s.overflow {
		clear(s.table[:])
		s.sorted = s.sorted[:0]
	}
	slices.Sort(s.sorted)
}
