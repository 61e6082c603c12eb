// Package audit finds out whether a directory of results says what was measured.
//
// Verify recomputes all that follows from the raw trials in run.json: findings and
// warnings are concluded anew and compared field by field, the pages, plots and
// bench.txt are rendered anew and compared byte by byte, and every file is compared
// with its line in SHA256SUMS, which covers what follows from nothing else. A digit
// that was changed by hand anywhere is named with its place and both values.
//
// It proves no honesty: who changes a trial, recomputes everything and writes new
// checksums leaves a directory that verifies. And it holds for the version of bench
// that wrote the directory; another one may word its report differently.
//
// Nothing is written. The functions may be called from any goroutine.
package audit
