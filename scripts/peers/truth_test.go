package main

import (
	"math"
	"slices"
	"testing"

	"phase0/bench/stat"
	"phase0/scripts/refserver/tally"
)

const ms = int64(1e6)

func TestQueueWithoutStalls(t *testing.T) {
	got := queue{rate: 1000, seconds: 1, service: 10_000}.responses()
	if len(got) != 1000 || got[0] != 10_000 || got[999] != 10_000 {
		t.Errorf("%d responses from %d to %d, want 1000 of 10000", len(got), got[0], got[len(got)-1])
	}
}

// A stall of 500 ms at 2000 rps makes 1000 requests wait, the first for 500 ms; in
// 12 s with two stalls the p99 is that of the 240th longest wait: 500 ms − 119 × 0.5 ms.
func TestQueueWithStalls(t *testing.T) {
	q := queue{rate: 2000, seconds: 12, stalls: []tally.Stall{{StartNS: 5000 * ms, EndNS: 5500 * ms}, {StartNS: 10_000 * ms, EndNS: 10_500 * ms}}}
	got := q.responses()
	for _, c := range []struct {
		rank stat.Percentile
		want int64
	}{{stat.P50, 0}, {stat.P99, 440 * ms}, {9990, 494 * ms}, {10_000, 500 * ms}} {
		if v := stat.Quantile(got, c.rank); v < c.want-ms || v > c.want+ms {
			t.Errorf("p%v is %d ns, want %d", float64(c.rank)/100, v, c.want)
		}
	}
}

// What piled up is served one after the other: the k-th waits k services longer.
func TestQueueDrains(t *testing.T) {
	stall := []tally.Stall{{StartNS: 0, EndNS: 100 * ms}}
	fast := queue{rate: 1000, seconds: 1, stalls: stall}.responses()
	slow := queue{rate: 1000, seconds: 1, stalls: stall, service: ms / 2}.responses()
	if fast[0] != 0 || slow[0] != ms/2 {
		t.Fatalf("shortest %d and %d, want 0 and half a millisecond", fast[0], slow[0])
	}
	count := func(times []int64) int {
		first, _ := slices.BinarySearch(times, slow[0]+1)
		return len(times) - first
	}
	if a, b := count(fast), count(slow); a != 100 || b < 198 || b > 201 {
		t.Errorf("%d and %d requests waited, want 100 and 200", a, b)
	}
}

func TestServiceTime(t *testing.T) {
	var stamps []int64
	for i := range int64(100) {
		stamps = append(stamps, i*ms) // before the stall, one in a millisecond
	}
	for i := range int64(64) {
		stamps = append(stamps, 600*ms+i*5000)
	}
	if got := serviceTime([]tally.Stall{{StartNS: 100 * ms, EndNS: 600 * ms}}, stamps); got != 5000 {
		t.Errorf("service takes %d ns, want 5000", got)
	}
	if got := serviceTime([]tally.Stall{{StartNS: 1, EndNS: 700 * ms}}, stamps); got != 0 {
		t.Errorf("service takes %d ns, want 0: nothing followed the stall", got)
	}
}

func TestExact(t *testing.T) {
	for _, c := range []struct {
		claimed, true float64
		want          bool
	}{
		{90e3, 10e3, true}, {1.1e6, 10e3, false}, {440e6, 448e6, true}, {440e6, 450e6, false}, {0, 450e6, false},
	} {
		if got := exact(c.claimed, c.true); got != c.want {
			t.Errorf("exact(%v, %v) is %t", c.claimed, c.true, got)
		}
	}
}

func never(int64) bool { return false }

// A slow machine makes arrivals late; they are told apart by when they were due.
func TestDeviationOfASteadyMachine(t *testing.T) {
	stamps := make([]int64, 1000)
	for i := range stamps {
		stamps[i] = 77 + int64(i)*ms
		if i >= 300 && i < 350 {
			stamps[i] += 10 * ms
		}
	}
	slow := func(due int64) bool { return due >= 77+300*ms && due < 77+350*ms }
	got := deviationOf(stamps, 1000, slow)
	if got.P99 != 10*ms || got.Steady == nil || *got.Steady != (deviation{}) {
		t.Errorf("%+v, of the steady machine %+v, want a p99 of 10 ms and nothing", *got, got.Steady)
	}
	if got := deviationOf(stamps, 1000, never); got.Steady != nil {
		t.Errorf("a machine that was never slow has %+v", *got.Steady)
	}
}

func TestDeviation(t *testing.T) {
	even := make([]int64, 1000)
	for i := range even {
		even[i] = 77 + int64(i)*ms
	}
	if got := *deviationOf(even, 1000, never); got != (deviation{}) {
		t.Errorf("even arrivals deviate by %+v", got)
	}
	late := slices.Clone(even)
	late[500] += 3 * ms / 10
	if got := *deviationOf(late, 1000, never); got != (deviation{Max: 3 * ms / 10}) {
		t.Errorf("one late arrival gives %+v", got)
	}
	bursts := make([]int64, 1000)
	for i := range bursts {
		bursts[i] = int64(i/10) * 10 * ms // ten at once
	}
	if got := *deviationOf(bursts, 1000, never); got.P50 < 2*ms || got.P50 > 3*ms || got.Max != 5*ms {
		t.Errorf("bursts of ten give %+v, want a p50 of 2 to 3 ms and a maximum of 5 ms", got)
	}
}

func TestSince(t *testing.T) {
	got := since(100, []tally.Stall{{StartNS: 150, EndNS: 170}})
	if !slices.Equal(got, []tally.Stall{{StartNS: 50, EndNS: 70}}) {
		t.Errorf("got %v", got)
	}
}

func TestAdvantage(t *testing.T) {
	var ours, theirs []run
	for round := range 8 {
		ours = append(ours, run{job: job{Round: round}, RPS: 200 + float64(round), CPUPerRequest: 5})
		theirs = append(theirs, run{job: job{Round: round}, RPS: 100 + float64(round)/2, CPUPerRequest: 20})
	}
	theirs[7].Void = "server 95 % busy"
	for _, rounds := range []int{5, 8} {
		got, ok := advantage(ours[:rounds], theirs[:rounds], rpsOf, stat.HigherIsBetter, 1)
		if !ok || math.Abs(got.Median-2) > 1e-9 || got.N != min(rounds, 7) {
			t.Errorf("%d rounds: %+v, want 2 from %d", rounds, got, min(rounds, 7))
		}
		if got, _ := advantage(ours[:rounds], theirs[:rounds], cpuOf, stat.LowerIsBetter, 1); math.Abs(got.Median-4) > 1e-9 {
			t.Errorf("%d rounds: CPU %+v, want 4", rounds, got)
		}
	}
	if got, ok := advantage(ours, nil, rpsOf, stat.HigherIsBetter, 1); ok {
		t.Errorf("without a peer: %+v", got)
	}
}
