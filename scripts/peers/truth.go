package main

import (
	"slices"
	"time"

	"phase0/bench/stat"
	"phase0/scripts/refserver/tally"
)

// queue is a server that answers in the order of arrival, offered requests on an
// ideal schedule. Its response times are what an exact client would report.
type queue struct {
	rate    int // requests per second
	seconds int
	stalls  []tally.Stall // from the first request on, in order
	service int64         // that the server spends on one request, nanoseconds
}

// responses returns the response times, sorted.
func (q queue) responses() []int64 {
	all := make([]int64, q.rate*q.seconds)
	free, next := int64(0), 0
	for i := range all {
		due := int64(i) * int64(time.Second) / int64(q.rate)
		start := max(due, free)
		for next < len(q.stalls) && start >= q.stalls[next].StartNS {
			start = max(start, q.stalls[next].EndNS)
			next++
		}
		free = start + q.service
		all[i] = free - due
	}
	slices.Sort(all)
	return all
}

// since returns the stalls counted from an instant.
func since(start int64, stalls []tally.Stall) []tally.Stall {
	moved := make([]tally.Stall, len(stalls))
	for i, s := range stalls {
		moved[i] = tally.Stall{StartNS: s.StartNS - start, EndNS: s.EndNS - start}
	}
	return moved
}

// burst is how many requests after a stall are looked at to see how long one
// takes: as many lie ready in the connections, whatever the client does.
const burst = connections / 2

// serviceTime is the median time between two requests that the server took one
// after the other, as it does right after a stall; 0 when there was none.
func serviceTime(stalls []tally.Stall, stamps []int64) int64 {
	var gaps []int64
	for _, s := range stalls {
		first, _ := slices.BinarySearch(stamps, s.EndNS)
		last := min(first+burst, len(stamps)-1)
		for i := first; i < last; i++ {
			gaps = append(gaps, stamps[i+1]-stamps[i])
		}
	}
	slices.Sort(gaps)
	return stat.Quantile(gaps, stat.P50)
}

// truth is what an exact client would have reported of a run.
type truth struct {
	Service     int64              `json:"service_ns"` // the server's time for one request
	Percentiles map[string]float64 `json:"percentiles_ns"`
}

func truthOf(j job, t tally.Tally, stamps []int64) *truth {
	q := queue{rate: j.Rate, seconds: j.Seconds, stalls: since(t.FirstNS, t.Stalls), service: serviceTime(t.Stalls, stamps)}
	times := q.responses()
	out := truth{Service: q.service, Percentiles: map[string]float64{}}
	for _, p := range percentiles() {
		out.Percentiles[p.name] = float64(stat.Quantile(times, p.rank))
	}
	return &out
}

// How far a percentile may be from the truth.
const (
	shareLimit = 0.02
	timeLimit  = float64(time.Millisecond)
)

// exact reports whether a percentile is close enough to the truth.
func exact(claimed, true float64) bool {
	difference := max(claimed-true, true-claimed)
	return difference <= timeLimit || difference <= shareLimit*true
}

// deviation is how far arrivals were from an even schedule, in nanoseconds.
type deviation struct {
	P50 int64 `json:"p50_ns"`
	P99 int64 `json:"p99_ns"`
	Max int64 `json:"max_ns"`
	// Steady is that of arrivals that were due while the machine ran at its usual speed, where
	// it did not always.
	Steady *deviation `json:"steady,omitempty"`
}

// deviationOf compares the i-th arrival with start + i/rate, where start is chosen
// so that half of the arrivals are early and half late. Slow tells when the machine was.
func deviationOf(stamps []int64, rate int, slow func(due int64) bool) *deviation {
	off := make([]int64, len(stamps))
	for i, at := range stamps {
		off[i] = at - int64(i)*int64(time.Second)/int64(rate)
	}
	sorted := slices.Sorted(slices.Values(off))
	start := stat.Quantile(sorted, stat.P50)
	var steady []int64
	for i := range off {
		off[i] = max(off[i]-start, start-off[i])
		if !slow(start + int64(i)*int64(time.Second)/int64(rate)) {
			steady = append(steady, off[i])
		}
	}
	d := deviationAt(off)
	if len(steady) > 0 && len(steady) < len(off) {
		d.Steady = deviationAt(steady)
	}
	return d
}

func deviationAt(off []int64) *deviation {
	slices.Sort(off)
	return &deviation{P50: stat.Quantile(off, stat.P50), P99: stat.Quantile(off, stat.P99), Max: stat.Quantile(off, 10_000)}
}
