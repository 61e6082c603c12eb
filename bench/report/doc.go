// Package report turns a run into what people read: a table of one screen, a page
// that needs no other file and no network (report.html), the same for a repository
// (report.md with SVG plots), the raw data (run.json), and a file for stock benchstat
// (bench.txt, Go benchmark format, golang/proposal 14313).
//
// Of makes a Document of a run, Loads of results of loadgen; both pages render it, so
// that they say the same.
// Everything printed follows from the experiment.Run that is stored beside it, and
// the same run gives the same bytes.
// Store writes a directory of results: it is prepared and probed before the first
// trial, filled at the end, and becomes visible by one rename, so that nobody sees
// half a report and none is overwritten.
package report
