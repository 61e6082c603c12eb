// Package series bounds how many series a server lets come into being. A client that puts
// a request's number into a name makes a new series with every sample, and every index,
// cache and dashboard downstream pays for each of them. Above the limit new series are
// refused; known ones go on.
//
// Of a series nothing is kept but a hash of 64 bits, so the memory is 32 bytes for each
// that the limit permits, at most, and half as much again while it grows. Two of a million
// series share a hash with a probability of one in 37 million; then one of them is not
// counted.
package series

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"phase0/server/sample"
)

// Most is the largest limit; its hashes take 2 GiB.
const Most = 1 << 27

const firstSlots = 1 << 10

// Set holds the series that were seen since the start. It is safe for concurrent use; to
// look up what is known takes no lock. Create it with New.
type Set struct {
	most  int
	seed  maphash.Seed
	slots atomic.Pointer[[]atomic.Uint64] // a power of two, half of them empty; 0 is empty
	count atomic.Int64

	adding sync.Mutex
}

// New returns an empty set for as many series.
func New(most int) (*Set, error) {
	if most < 1 || most > Most {
		return nil, fmt.Errorf("limit of %d series is not between 1 and %d", most, Most)
	}
	s := &Set{most: most, seed: maphash.MakeSeed()}
	slots := make([]atomic.Uint64, firstSlots)
	s.slots.Store(&slots)
	return s, nil
}

// Len returns how many series are known.
func (s *Set) Len() int { return int(s.count.Load()) }

// Admit makes the series of all samples known. When they are too many it adds none and
// returns the first sample whose series is new, otherwise -1.
func (s *Set) Admit(samples []sample.Sample) (refused int) {
	slots := *s.slots.Load()
	for i := range samples {
		if !has(slots, s.hash(&samples[i])) {
			return s.admitNew(samples, i)
		}
	}
	return -1
}

// admitNew goes on at the first new one.
func (s *Set) admitNew(samples []sample.Sample, first int) (refused int) {
	if s.Len() >= s.most {
		// Without this a flood of new names would keep everybody at the lock.
		if slots := *s.slots.Load(); !has(slots, s.hash(&samples[first])) {
			return first
		}
	}
	fresh := make([]uint64, len(samples)-first)
	for i := range fresh {
		fresh[i] = s.hash(&samples[first+i])
	}
	slices.Sort(fresh)
	fresh = slices.Compact(fresh)

	s.adding.Lock()
	defer s.adding.Unlock()
	slots := *s.slots.Load()
	fresh = slices.DeleteFunc(fresh, func(hash uint64) bool { return has(slots, hash) })
	if s.Len()+len(fresh) > s.most {
		return s.firstNew(slots, samples, first)
	}
	slots = s.enlarge(slots, len(fresh))
	for _, hash := range fresh {
		put(slots, hash)
	}
	s.count.Add(int64(len(fresh)))
	return -1
}

// firstNew looks again, because others may have added what was new a moment ago.
func (s *Set) firstNew(slots []atomic.Uint64, samples []sample.Sample, first int) int {
	for i := first; i < len(samples); i++ {
		if !has(slots, s.hash(&samples[i])) {
			return i
		}
	}
	return first
}

// enlarge makes room for so many more. Who still looks at the old slots takes what is added
// from now on for new, and looks again under the lock.
func (s *Set) enlarge(slots []atomic.Uint64, more int) []atomic.Uint64 {
	need := 2 * (s.Len() + more)
	if need <= len(slots) {
		return slots
	}
	larger := make([]atomic.Uint64, 1<<bits.Len(uint(need-1)))
	for i := range slots {
		if hash := slots[i].Load(); hash != 0 {
			put(larger, hash)
		}
	}
	s.slots.Store(&larger)
	return larger
}

// hash is never 0.
func (s *Set) hash(x *sample.Sample) uint64 {
	hash := maphash.String(s.seed, x.Name)
	if x.Labels != "" {
		// Turned, so that a name and labels do not stand for each other.
		hash ^= bits.RotateLeft64(maphash.String(s.seed, string(x.Labels)), 31)
	}
	return max(hash, 1)
}

func has(slots []atomic.Uint64, hash uint64) bool {
	for i := int(hash); ; i++ {
		switch slots[i&(len(slots)-1)].Load() {
		case hash:
			return true
		case 0:
			return false
		}
	}
}

func put(slots []atomic.Uint64, hash uint64) {
	i := int(hash) & (len(slots) - 1)
	for slots[i].Load() != 0 {
		i = (i + 1) & (len(slots) - 1)
	}
	slots[i].Store(hash)
}
