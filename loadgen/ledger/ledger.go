// Package ledger remembers what became of every request of a run, in 2 bits
// each, so that package verify can compare it afterwards with what the server
// stored. It knows nothing of samples: which samples a request carried is for
// the reader to say. A Ledger is safe for concurrent use.
//
// The memory is allocated in chunks of 64 Ki requests (16 KiB); beside them a
// Ledger takes 512 KiB from the start.
package ledger

import (
	"math/bits"
	"sync/atomic"
)

// Outcome is what is known about a request when it is over.
type Outcome uint8

// The outcomes. Their values are what a Ledger stores.
const (
	// NotSent: no byte was written, so the server cannot have the samples.
	NotSent Outcome = iota
	// Refused: answered with 4xx, so definitely not accepted.
	Refused
	// Ambiguous: sent, and the answer is missing, broken or 5xx. The samples may
	// or may not be stored.
	Ambiguous
	// Accepted: answered with 2xx.
	Accepted
)

const (
	chunkRequests   = 1 << 16
	bitsPerRequest  = 2
	requestsPerWord = 64 / bitsPerRequest
	// lowBits has the lower bit of every request in a word.
	lowBits = 0x5555_5555_5555_5555
)

// MaxRequests bounds what a Ledger keeps: 1 GiB, which is 12 hours at 100,000
// requests per second. What is marked beyond is only counted.
const MaxRequests int64 = 1 << 32

// Ledger holds the outcomes of the requests 0 … MaxRequests−1. Create it with New.
type Ledger struct {
	chunks [MaxRequests / chunkRequests]atomic.Pointer[chunk]
	beyond atomic.Int64
}

type chunk [chunkRequests / requestsPerWord]atomic.Uint64

// Counts says how many requests had which outcome.
type Counts struct {
	NotSent, Refused, Ambiguous, Accepted int64
	// Beyond is how many were marked outside of 0 … MaxRequests−1. Their outcome
	// is forgotten and they are in no other count.
	Beyond int64
}

// New returns a Ledger in which no request was sent.
func New() *Ledger { return new(Ledger) }

// Mark sets the outcome of request i, from 0. It reports false when i is outside
// of 0 … MaxRequests−1, in which case the outcome is not kept but counted as
// beyond. A request must be marked at most once: a second outcome does not
// replace the first but mixes with it. Marking NotSent changes nothing. Mark
// does not allocate, except for the first request of a chunk.
func (l *Ledger) Mark(i int64, o Outcome) bool {
	if o == NotSent {
		return true
	}
	if i < 0 || i >= MaxRequests {
		l.beyond.Add(1)
		return false
	}
	word, shift := place(i)
	l.chunk(i / chunkRequests)[word].Or(uint64(o) << shift)
	return true
}

// chunk returns chunk number n and makes it if need be.
func (l *Ledger) chunk(n int64) *chunk {
	at := &l.chunks[n]
	if c := at.Load(); c != nil {
		return c
	}
	at.CompareAndSwap(nil, new(chunk))
	return at.Load()
}

// place returns where in its chunk request i stands.
func place(i int64) (word, shift int64) {
	i %= chunkRequests
	return i / requestsPerWord, i % requestsPerWord * bitsPerRequest
}

// At returns the outcome of request i; NotSent when it was not marked.
func (l *Ledger) At(i int64) Outcome {
	if i < 0 || i >= MaxRequests {
		return NotSent
	}
	c := l.chunks[i/chunkRequests].Load()
	if c == nil {
		return NotSent
	}
	word, shift := place(i)
	return Outcome(c[word].Load() >> shift & (1<<bitsPerRequest - 1))
}

// Len is one more than the highest request with another outcome than NotSent, 0
// without any. It looks through the chunks, so it is not for hot paths.
func (l *Ledger) Len() int64 {
	for n := len(l.chunks) - 1; n >= 0; n-- {
		c := l.chunks[n].Load()
		if c == nil {
			continue
		}
		for w := len(c) - 1; w >= 0; w-- {
			if used := bits.Len64(c[w].Load()); used > 0 {
				inWord := (used + bitsPerRequest - 1) / bitsPerRequest
				return int64(n)*chunkRequests + int64(w)*requestsPerWord + int64(inWord)
			}
		}
	}
	return 0
}

// Counts counts the requests 0 … Len()−1 by outcome. It reads the whole ledger.
func (l *Ledger) Counts() Counts {
	counts := Counts{Beyond: l.beyond.Load()}
	for n := range l.chunks {
		if c := l.chunks[n].Load(); c != nil {
			counts.add(c)
		}
	}
	counts.NotSent = l.Len() - counts.Refused - counts.Ambiguous - counts.Accepted
	return counts
}

// add counts what was sent, 32 requests at a time: the two bits of each are
// brought side by side into the lower one.
func (counts *Counts) add(c *chunk) {
	for w := range c {
		word := c[w].Load()
		low, high := word&lowBits, word>>1&lowBits
		counts.Accepted += int64(bits.OnesCount64(low & high))
		counts.Ambiguous += int64(bits.OnesCount64(high &^ low))
		counts.Refused += int64(bits.OnesCount64(low &^ high))
	}
}
