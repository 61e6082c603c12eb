package main

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Names of the experiments.
const (
	closedLoop = "closed"
	stalling   = "stall"
	pacing     = "pace"
	steadiness = "steady"
)

func experiments() []string { return []string{closedLoop, stalling, pacing, steadiness} }

// The fixed parts of the experiments.
const (
	stallRate    = 2000
	stallSeconds = 12 // two stalls
	stallFor     = "500ms"
	stallEvery   = "5s"
	paceRate     = 1000
	paceSeconds  = 10
	maxStamps    = "100000"
	// gatherFor is how often the server looks for requests in the closed loop. Some ten
	// then share the cost. With 150 µs the server had at times read all that a client had
	// in flight before it answered the first, and the client waited.
	gatherFor = "60us"
	// steadyPool keeps a pause of the server from holding up the schedule, which is
	// what an open loop is for; few of these connections are used at a time.
	steadyPool = 128
)

func steadyRates() []int { return []int{5000, 20_000, 40_000, 80_000} }

// job is one run to come.
type job struct {
	Experiment string `json:"experiment"`
	Client     string `json:"client"`
	Rate       int    `json:"rate"` // requests per second, 0 in the closed loop
	Round      int    `json:"round"`
	Order      int    `json:"order"` // within the experiment
	Seconds    int    `json:"seconds"`
}

// server returns the server's flags; stamps is the file for arrival times.
func (j job) server(stamps string) []string {
	switch j.Experiment {
	case closedLoop:
		return []string{"-spin", "-gather", gatherFor}
	case stalling:
		return []string{"-stall", stallFor, "-every", stallEvery, "-stamps", stamps, "-stamps-max", maxStamps}
	case pacing:
		return []string{"-spin", "-stamps", stamps, "-stamps-max", maxStamps}
	}
	return nil
}

// stamped reports whether the server writes stamps.
func (j job) stamped() bool { return j.Experiment == stalling || j.Experiment == pacing }

// plan lists all runs. Within a round the order is random, from the seed.
func plan(present []tool, chosen []string, rounds, seconds int, seed uint64) []job {
	random := rand.New(rand.NewPCG(seed, 0))
	var all []job
	for _, experiment := range experiments() {
		if !slices.Contains(chosen, experiment) {
			continue
		}
		order := 0
		for round := range rounds {
			jobs := oneRound(experiment, present, seconds)
			random.Shuffle(len(jobs), func(i, k int) { jobs[i], jobs[k] = jobs[k], jobs[i] })
			for _, j := range jobs {
				j.Round, j.Order = round, order
				order++
				all = append(all, j)
			}
		}
	}
	return all
}

func oneRound(experiment string, present []tool, seconds int) []job {
	var jobs []job
	for _, t := range present {
		add := func(rate, seconds int) {
			if rate == 0 && t.closed || rate > 0 && rate <= t.top {
				jobs = append(jobs, job{Experiment: experiment, Client: t.name, Rate: rate, Seconds: seconds})
			}
		}
		switch experiment {
		case closedLoop:
			add(0, seconds)
		case stalling:
			add(stallRate, stallSeconds)
		case pacing:
			add(paceRate, paceSeconds)
		case steadiness:
			for _, rate := range steadyRates() {
				add(rate, seconds)
			}
		}
	}
	return jobs
}

// perRun is about what starting and stopping takes.
const perRun = 500 * time.Millisecond

func estimate(jobs []job) time.Duration {
	var sum time.Duration
	for _, j := range jobs {
		sum += time.Duration(j.Seconds)*time.Second + perRun
	}
	return sum.Round(time.Second)
}
