// Durability measures what the durable queue costs: what one core takes in with each sync
// policy beside the queue in memory, one sample at a time and in batches, and how long a
// client waits at a moderate rate. It writes durability.json, durability.md and a plot of
// that wait against what a power failure may take.
//
// A run is one fresh server process with fresh data on one core, and the load generator on
// another. A round holds one run of every arm under every load, in random order from a seed;
// runs of one round are compared with each other. Rates are by the server's counters at two
// instants between which the load goes on. Afterwards the file must hold what was accepted:
// of batches the lines are counted, otherwise the generator reads back each sample.
//
// scripts/durability.sh builds what it needs and starts it.
package main
