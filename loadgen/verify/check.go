package verify

import (
	"fmt"
	"math"

	"phase0/loadgen/engine"
	"phase0/loadgen/ledger"
	"phase0/loadgen/record"
)

// check compares the values of one series after the other with the ledger. Sample
// k of the run is value k ÷ SeriesCount of series k mod SeriesCount and was
// carried by request k ÷ batch.
type check struct {
	ledger  *ledger.Ledger
	batch   int64
	samples int64 // of the requests up to the last that was sent
	// forgets: there are requests that the ledger could not hold.
	forgets bool

	series int64
	name   string
	length int64 // samples of this series, whether they were sent or not
	seen   tally

	found record.Verification
}

// begin turns to another series.
func (c *check) begin(series int64, name string) {
	c.series, c.name = series, name
	c.length = (c.samples - series + engine.SeriesCount - 1) / engine.SeriesCount
	c.seen.reset(c.length)
}

// outcome returns what became of the request that carried value v, v < c.length.
func (c *check) outcome(v int64) ledger.Outcome {
	return c.ledger.At((v*engine.SeriesCount + c.series) / c.batch)
}

// take counts values that the server returned.
func (c *check) take(values []float64) {
	c.found.Read += int64(len(values))
	for _, value := range values {
		switch v, ok := c.attempted(value); {
		case !ok && c.forgotten(value):
			// Counted as unchecked by its request.
		case !ok:
			c.found.Phantom++
			c.example(&c.found.Examples.Phantom, value)
		default:
			switch c.seen.add(v) {
			case 0:
			case 1:
				c.found.Duplicated++
				c.found.SurplusCopies++
				c.example(&c.found.Examples.Duplicated, value)
			default:
				c.found.SurplusCopies++
			}
		}
	}
}

// attempted returns the value as a whole number if a request carried it.
func (c *check) attempted(value float64) (int64, bool) {
	if !(value >= 0 && value < float64(c.length)) || value != math.Trunc(value) {
		return 0, false
	}
	v := int64(value)
	return v, c.outcome(v) != ledger.NotSent
}

// forgotten reports whether a value may belong to a request beyond the ledger.
func (c *check) forgotten(value float64) bool {
	first := float64(ledger.MaxRequests) * float64(c.batch)
	return c.forgets && value == math.Trunc(value) && value*engine.SeriesCount+float64(c.series) >= first
}

// end judges the samples of the series once all of its values were taken.
func (c *check) end() {
	var gap int64 // the lost since the last one seen
	any := false
	for v := range c.length {
		seen := c.seen.at(v) > 0
		switch c.outcome(v) {
		case ledger.NotSent:
			continue
		case ledger.Refused:
			if seen {
				c.found.Zombie++
				c.example(&c.found.Examples.Zombie, float64(v))
			}
		case ledger.Ambiguous:
			if seen {
				c.found.Recovered++
			}
		case ledger.Accepted:
			if !seen {
				gap++
				c.example(&c.found.Examples.Lost, float64(v))
			}
		}
		switch {
		case !seen:
			continue
		case any:
			c.found.LostMiddle += gap
		default:
			c.found.LostPrefix += gap
		}
		any, gap = true, 0
	}
	c.found.LostTail += gap
}

// sum adds what follows from the counts of all series.
func (c *check) sum(counts ledger.Counts) record.Verification {
	v := &c.found
	v.Accepted = counts.Accepted * c.batch
	v.Ambiguous = counts.Ambiguous * c.batch
	v.Unchecked = counts.Beyond * c.batch
	v.Lost = v.LostPrefix + v.LostMiddle + v.LostTail
	v.LossRateBound = lossBound(v.Lost, v.Accepted)
	return *v
}

func (c *check) example(list *[]string, value float64) {
	if len(*list) < record.MaxExamples {
		*list = append(*list, fmt.Sprintf("%s value %v", c.name, value))
	}
}

// tally counts up to 2 for each of some numbers, in 2 bits each.
type tally []uint64

// reset makes room for the numbers 0 … n−1 and sets all to 0.
func (t *tally) reset(n int64) {
	words := int((n + 31) / 32)
	if cap(*t) < words {
		*t = make(tally, words)
	}
	*t = (*t)[:words]
	clear(*t)
}

func (t tally) at(i int64) uint64 { return t[i/32] >> (i % 32 * 2) & 3 }

// add counts i once more and returns its count before.
func (t tally) add(i int64) uint64 {
	before := t.at(i)
	if before < 2 {
		t[i/32] += 1 << (i % 32 * 2)
	}
	return before
}
