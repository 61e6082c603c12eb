// Package trial runs one trial: a fresh server process with a fresh data
// directory, a measured window, a clean stop, and gates that decide whether the
// numbers may be used.
//
// A Harness holds what all trials share. The kinds of trial are Specs: Load offers
// requests with the load generator as a child process, Query reads a prepared file
// back in a closed loop, Alert breaches rules and waits for the webhooks. Each
// returns a Result: raw scalars by unit, the reasons that void them, and the flags
// that reproduce them.
//
// On Linux with two or more cores the server runs on one core and everything else
// on another. A child inherits its affinity from the thread that starts it, which is
// its own for as long as it lives: set afterwards, it would move only one of the
// child's threads. Elsewhere
// nothing is pinned, and the Placement says so.
//
// Trials measure one another if they overlap, so a Harness is used from one
// goroutine at a time. A server that cannot be started is an error; a server
// that misbehaves once it runs voids its trial.
package trial
