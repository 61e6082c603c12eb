// Package report turns a run into what people read: a table of one screen, a page
// for a repository (report.md with SVG plots), the raw data (run.json), and a file
// for stock benchstat (bench.txt, Go benchmark format, golang/proposal 14313).
//
// Everything printed follows from the experiment.Run that is stored beside it.
// Store writes a directory of results: it is prepared and probed before the first
// trial, filled at the end, and becomes visible by one rename, so that nobody sees
// half a report and none is overwritten.
package report
