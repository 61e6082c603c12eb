// Package trial runs one trial: a fresh server process with a fresh data
// directory, a measured window, a clean stop, and gates that decide whether the
// numbers may be used.
//
// A Harness holds what all trials share. The kinds of trial are Specs:
//
//	Load       requests offered by the load generator, a child process
//	Freshness  the same, and how soon the samples can be queried
//	Mixed      the same, and queries of a prepared file beside it
//	Knee       a search for the highest rate that keeps objectives
//	Overload   several times the capacity of a storage that was slowed down
//	Loss       kill -9 or SIGTERM under load, and what is there after a restart
//	Query      queries of a prepared file, one after another
//	Alert      rules breached, also under load, and what tells of it awaited
//
// Each returns a Result: raw scalars by unit, the reasons that void them, and the
// flags that reproduce them. An Arm is a configuration of our server or, for Load
// alone, any other that takes requests.
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
