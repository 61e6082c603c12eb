// Package ratelimit holds back clients that send too much: a token bucket for each client
// in a table of fixed size. A bucket is kept as one instant, that at which it will be full
// again (the generic cell rate algorithm, ITU-T I.371), so a client costs 16 bytes.
//
// The table has sets of eight clients. One that finds its set taken replaces the one whose
// bucket is nearest to full; if that was full already, nothing is lost, since a client that
// is not known begins with a full bucket. So made-up clients cost no memory. With many at
// once they can win others their burst back, never more than that for each time that they
// push one out.
package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	ways = 8
	sets = 8192
	// Clients is how many are known at a time.
	Clients = ways * sets
	locks   = 256
)

// Limiter is safe for concurrent use. Create it with New; nil limits nobody.
type Limiter struct {
	interval int64 // nanoseconds between two tokens
	depth    int64 // nanoseconds in which an empty bucket fills
	start    time.Time
	seed     maphash.Seed // unknown to clients, who could aim at a set otherwise
	locks    [locks]sync.Mutex
	sets     [][ways]bucket
}

type bucket struct {
	client uint64
	fullAt int64 // nanoseconds since the limiter's start
}

// New returns a limiter that lets each client send at a rate, and up to burst requests at
// once after a pause.
func New(rate Rate, burst int) (*Limiter, error) {
	if err := rate.check(burst); err != nil {
		return nil, err
	}
	return &Limiter{
		interval: int64(rate.interval), depth: int64(rate.interval) * int64(burst),
		start: time.Now(), seed: maphash.MakeSeed(), sets: make([][ways]bucket, sets),
	}, nil
}

// Take takes a token from the bucket of the client that key stands for. Without one it
// returns how long it is until there is one, provided that nobody else takes it.
func (l *Limiter) Take(key []byte) (wait time.Duration) {
	now := int64(time.Since(l.start))
	client := maphash.Bytes(l.seed, key)
	set := client % sets
	lock := &l.locks[set%locks]
	lock.Lock()
	defer lock.Unlock()
	b := find(&l.sets[set], client)
	fullAt := max(b.fullAt, now) + l.interval
	if early := fullAt - l.depth - now; early > 0 {
		return time.Duration(early)
	}
	b.fullAt = fullAt
	return 0
}

// find returns the client's bucket, a new one in the place of another if need be.
func find(set *[ways]bucket, client uint64) *bucket {
	fullest := &set[0]
	for i := range set {
		b := &set[i]
		if b.client == client {
			return b
		}
		if b.fullAt < fullest.fullAt {
			fullest = b
		}
	}
	*fullest = bucket{client: client}
	return fullest
}
