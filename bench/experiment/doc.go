// Package experiment plans trials, runs them, and compares what they measured.
//
// A Profile says how much is measured. NewPlan turns it into Tasks, one per
// measurement, and Steps, the trials in the order in which they run: blocks, in
// each of which every task is visited once in random order and its arms run one
// after another in random order. Two trials of one block form a pair. The order
// follows from the seed alone.
//
// A Runner runs a plan and makes up for void trials with further blocks, within
// limits. Compare is a pure function of the trials: anybody who has the stored
// trials can compute every published figure again.
//
// A Runner is used from one goroutine.
package experiment
