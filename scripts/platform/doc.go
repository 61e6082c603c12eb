// Platform measures what the server's mechanisms are worth on this machine: how
// near ingest comes to the HTTP stack it stands on and to other time-series
// databases, how fast a file is scanned, and what overload and slow clients do to
// it. It writes platform.json, platform.md and plots.
//
// A run is one fresh server process with fresh data on one core, and the load
// generator on another, unless the experiment says otherwise. A round holds one run
// of every arm, in random order from a seed; runs of one round are compared with
// each other. Samples are counted where they end up, in the file, at two instants
// between which the load goes on; what answers promise does not count. A target is
// reached or not; the figures stand beside it.
//
// scripts/platform.sh builds what it needs and starts it.
package main
