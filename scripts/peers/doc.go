// Peers measures loadgen side by side with other HTTP load generators against
// the reference server, and writes peers.json, peers.md and plots.
//
// A run is one fresh process of the server on one core and one of the client on
// another. A round holds one run of every client, in random order from a seed;
// runs of one round are compared with each other. What a client says of itself, its
// claim, is set against what the server counted.
//
// scripts/peers.sh builds what it needs and starts it.
package main
