// Package knee finds the highest rate that a server sustains: the knee of its
// latency curve. Find offers one rate after another, by way of a function that
// carries out a run, and brackets the knee between the last rate that passes and
// the first that fails. Write shows the curve and the bracket to people; Knee is
// also the JSON form.
//
// A run passes when it keeps all objectives and sends nearly all that it offered.
// One that the generator or its machine spoilt says nothing about the server: it
// is void and repeated. Rates are doubled (or halved, when the first fails) until
// one passes and a higher one fails, and bisected until the two are close. On the
// way a single run scouts each rate; the two ends are then confirmed by the majority
// of several more, and when that contradicts the scout, the bracket moves and the
// search goes on.
//
// The bracket holds for the length of the runs: a queue that grows slowly takes
// longer to miss an objective. Runs follow each other at once; a server that needs
// time to recover gets it from the function that carries them out.
package knee

import (
	"context"

	"phase0/loadgen/record"
)

// MaxRuns is the most runs that a search takes.
const MaxRuns = 60

// Measure carries out one run of the open model at a rate in requests per second.
// Each run gets another seed. The end of the context ends the run, which may
// then return a result that says that it was interrupted, or an error.
type Measure func(ctx context.Context, rate float64, seed uint64) (record.Result, error)

// Ruling is what a run, or the majority of several, says about a rate. Its text
// is part of the JSON form.
type Ruling string

// The rulings.
const (
	Pass   Ruling = "pass"
	Fail   Ruling = "fail"
	Void   Ruling = "void"    // spoilt by the generator or its machine
	TooFew Ruling = "too few" // not enough requests for the objectives' percentiles
)

// What can end a search before both ends are found, as in Knee.LimitedBy.
// "generator" and "machine" are what a run's verdict calls its bottleneck.
const (
	byGenerator    = "generator"    // runs above LastPass were void
	byMachine      = "machine"      // likewise
	byMax          = "max"          // Config.Max passes
	byLowest       = "lowest"       // 1 rps fails
	byObservations = "observations" // rates below FirstFail have too few requests
	byRuns         = "runs"         // MaxRuns were made
	byInterrupted  = "interrupted"
	byError        = "error" // a run could not be carried out
)

// Knee is what a search found. Rates are in requests per second.
type Knee struct {
	// LastPass is the highest rate that passes below all that fail; 0 when none did.
	LastPass float64 `json:"last_pass_rps"`
	// FirstFail is the lowest rate that fails; 0 when none did.
	FirstFail float64 `json:"first_fail_rps"`
	// Confirmed: a majority of votes decided for LastPass and for FirstFail, as far
	// as there are any, and the search came to its own end.
	Confirmed bool `json:"confirmed"`
	// Bottleneck is what held the server back at FirstFail, or, when void runs
	// limited the search, what spoilt them: "server", "pool", "generator" or
	// "machine". Empty when nothing failed.
	Bottleneck string `json:"bottleneck,omitempty"`
	// LimitedBy says what kept the search from a bracket as narrow as Precision:
	// "generator", "machine", "max", "lowest", "observations", "runs",
	// "interrupted" or "error". Empty when nothing did.
	LimitedBy string `json:"limited_by,omitempty"`

	Objectives string  `json:"objectives"` // canonical, see package slo
	Precision  float64 `json:"precision"`  // asked for: FirstFail ≤ LastPass × (1 + Precision)
	Runs       int     `json:"runs"`
	Points     []Point `json:"points"` // every run, in order of time
}

// Point is one run.
type Point struct {
	Run   int    `json:"run"` // from 1
	RunID string `json:"run_id"`
	Seed  uint64 `json:"seed"`

	Rate     float64 `json:"rate_rps"` // offered
	Achieved float64 `json:"achieved_rps"`
	// P50 and P99 are of the response time of the accepted.
	P50      record.Percentile `json:"p50"`
	P99      record.Percentile `json:"p99"`
	ErrShare float64           `json:"err_share"` // of the scheduled, not accepted; 0–1

	Ruling Ruling `json:"ruling"`
	// Vote: the run counts for or against confirming the rate. The first at a rate
	// only scouts, and a void one does not count.
	Vote bool `json:"vote"`
	// Reason says why the ruling is not pass: the first objective missed and its
	// value, or what spoilt the run.
	Reason string `json:"reason,omitempty"`
	// Bottleneck is the run's own verdict.
	Bottleneck string `json:"bottleneck,omitempty"`
}
