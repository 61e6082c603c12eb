package query

import (
	"math"
	"slices"
)

// keyOf maps a float to an integer such that integers are in the order of the floats,
// −0 before 0. Two engines that collect the same values in another order then give the
// same percentile to the bit.
func keyOf(v float64) uint64 {
	bits := math.Float64bits(v)
	if bits>>63 == 1 {
		return ^bits
	}
	return bits | 1<<63
}

func floatOf(key uint64) float64 {
	if key>>63 == 1 {
		return math.Float64frombits(key &^ (1 << 63))
	}
	return math.Float64frombits(^key)
}

// values holds keys in any order, in chunks that are never copied: 8 bytes a value and
// at most as much again while there are few.
type values struct {
	chunks [][]uint64
	n      int
}

const (
	firstChunk   = 16
	largestChunk = 8192
)

func (v *values) add(key uint64) {
	last := len(v.chunks) - 1
	if last < 0 || len(v.chunks[last]) == cap(v.chunks[last]) {
		v.chunks = append(v.chunks, make([]uint64, 0, min(max(firstChunk, v.n), largestChunk)))
		last++
	}
	v.chunks[last] = append(v.chunks[last], key)
	v.n++
}

// maxSorted is how many values are sorted to find ranks among them. More would have to be
// copied for it, so ranks are found by counting, in time that grows with n alone.
const maxSorted = 1 << 16

// prepare makes ready for ranked: it returns the values sorted, in the memory of scratch,
// when they are few.
func (v *values) prepare(scratch []uint64) []uint64 {
	scratch = scratch[:0]
	if v.n > maxSorted {
		return scratch
	}
	for _, chunk := range v.chunks {
		scratch = append(scratch, chunk...)
	}
	slices.Sort(scratch)
	return scratch
}

// ranked returns the r-th smallest value, from 1. Sorted is what prepare returned.
func (v *values) ranked(r int, sorted []uint64) uint64 {
	if v.n <= maxSorted {
		return sorted[r-1]
	}
	// Sixteen bits at a time from the highest: count how many values go on with each
	// pattern, and enter the one in which the rank lies.
	var prefix uint64
	counts := make([]uint32, 1<<16)
	for shift := 48; shift >= 0; shift -= 16 {
		clear(counts)
		above := ^uint64(0) << (shift + 16) // 0 for the first
		for _, chunk := range v.chunks {
			for _, key := range chunk {
				if key&above == prefix {
					counts[uint16(key>>shift)]++
				}
			}
		}
		pattern := 0
		for ; r > int(counts[pattern]); pattern++ {
			r -= int(counts[pattern])
		}
		prefix |= uint64(pattern) << shift
	}
	return prefix
}
