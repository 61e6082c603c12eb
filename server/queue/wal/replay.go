package wal

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"phase0/server/queue"
	"phase0/server/sample"
)

// replay gives out what the log held when it was opened. Only the consumer touches it,
// except for the counts.
type replay struct {
	reader  *reader // nil when everything was given out
	decoder decoder
	samples []sample.Sample // decoded and not acknowledged
	decoded []sample.Sample // where samples are
	numbers []stretch       // whose sequence numbers these are
	next    uint64          // behind what is acknowledged
	lend    int             // samples of the last pop

	total uint64
	acked atomic.Uint64
}

// stretch is so many samples with consecutive sequence numbers.
type stretch struct {
	first   uint64
	samples int
}

// pop returns samples and the sum of their Sample.Size, or none when everything was acknowledged.
func (p *replay) pop(ctx context.Context, want queue.Want) (samples []sample.Sample, size int, err error) {
	if p.reader == nil && len(p.samples) == 0 {
		return nil, 0, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if len(p.samples) == 0 {
		if err := p.fill(want.Samples); err != nil {
			return nil, 0, err
		}
		if len(p.samples) == 0 {
			return nil, 0, nil
		}
	}
	p.lend, size = want.Fit(p.samples, 1)
	return p.samples[:p.lend:p.lend], size, nil
}

// fill decodes records until there are some samples or no records any more.
func (p *replay) fill(samples int) error {
	p.samples, p.numbers = p.decoded[:0], p.numbers[:0]
	defer func() { p.decoded = p.samples }()
	for p.reader != nil && len(p.samples) < samples {
		r, err := p.reader.next()
		if errors.Is(err, io.EOF) {
			p.reader = nil
			return nil
		}
		if err != nil {
			return err
		}
		if r.payload == nil {
			continue // lost
		}
		from := len(p.samples)
		if p.samples, err = p.decoder.decode(p.samples, r); err != nil {
			return err
		}
		if r.first < p.next { // some of them are in the storage file
			p.samples = append(p.samples[:from], p.samples[from+int(p.next-r.first):]...)
			r.first = p.next
		}
		p.numbers = append(p.numbers, stretch{first: r.first, samples: len(p.samples) - from})
	}
	return nil
}

// ack forgets n samples; false means that they were none of these.
func (p *replay) ack(n int) bool {
	if p.lend == 0 {
		return false
	}
	p.samples, p.lend = p.samples[n:], 0
	p.acked.Add(uint64(n))
	for n > 0 {
		s := &p.numbers[0]
		took := min(n, s.samples)
		p.next = s.first + uint64(took)
		s.first, s.samples, n = p.next, s.samples-took, n-took
		if s.samples == 0 {
			p.numbers = p.numbers[1:]
		}
	}
	return true
}

func (p *replay) acknowledged() uint64 { return p.next }

func (p *replay) counts() (total, acked uint64) { return p.total, p.acked.Load() }
