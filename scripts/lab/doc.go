// Package lab is what the measuring programs under scripts/ share: processes on
// chosen cores, what the machine did meanwhile, medians with their intervals, and
// the parts of a Markdown report.
//
// A program plans its runs, starts each subject with Start, brackets the run with
// two readings of ReadMachine, condenses the figures with Summarize and Paired, and
// writes a Document and JSON. What a run measures, and what its figures mean, is the
// program's own.
package lab
