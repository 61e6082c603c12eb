// Spinserver answers every request with 202 after keeping its core busy for a while,
// and can be made slower by a known share: the planted effect by which scripts/power
// proves what bench finds. It stores nothing.
package main
