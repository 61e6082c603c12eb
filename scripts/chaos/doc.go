// Command chaos lets faults befall real servers under load and counts what they cost;
// `make chaos` runs it.
//
// A cell is one fault and one arm, a configuration of the server. Each of its tries is
// a trial.Ordeal: a fresh process in a fresh directory, a load of which every sample
// is known, the fault at a random moment, and then two counts of what is there, by
// queries and from the file. A try in which nothing shows that the fault was felt
// proves nothing and is told as such; so is a fault that the machine does not allow.
// Neither is ever counted as a promise kept.
//
// plan.go has the cells, judge.go what each arm promises. The faults are processes
// that are signalled, a disk that is full (a small tmpfs, or a limit on the size of
// files), system calls that fail or take long (strace), a receiver of notifications
// that is silent or gone, and a network that is cut (a proxy of our own).
package main
