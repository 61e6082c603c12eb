package main

import (
	"fmt"
	"syscall"
	"time"

	"phase0/bench/trial"
	"phase0/scripts/powerloss/volume"
)

const (
	loadRate    = 5000
	connections = 64
	// A cut falls between half of some time and all of it, which is random in this range,
	// so that some come before the first checkpoint, after a second, and some behind it.
	soonest, latest = 200 * time.Millisecond, 1600 * time.Millisecond
	hold            = 1500 * time.Millisecond
	after           = 300 * time.Millisecond
	timeout         = time.Second
	interval        = 100 * time.Millisecond
	faultTries      = 5 // of faults that last
)

// expectation is what becomes of accepted samples.
type expectation string

const (
	keeps expectation = "nothing lost"
	loses expectation = "something lost" // or else the test sees nothing
	bound expectation = "no more lost than of the interval"
)

// cell is a fault and a server, with its tries.
type cell struct {
	Name    string       `json:"name"`
	Title   string       `json:"title"`
	Args    []string     `json:"server_args"`
	Mutant  string       `json:"mutant,omitempty"` // the bug in the server
	Expects expectation  `json:"expects"`
	Planned int          `json:"planned"`
	Tries   []trial.Toll `json:"tries"`

	Verdict string   `json:"verdict"`
	Why     []string `json:"why,omitempty"`
	Sum     sum      `json:"sum"`

	server string // path of the program
	build  func(seed uint64) trial.Fault
	tells  bool // health must say degraded
}

// wal are the flags of the durable queue.
func wal(policy string) []string {
	return []string{"-mode", "concurrent", "-queue", "wal", "-sync", policy}
}

// mutant is a server with a planted bug.
type mutant struct{ name, path string }

// plan lists the cells. Controls get half of the tries.
func plan(server string, mutants []mutant, tries int) []*cell {
	cut := func(seed uint64) trial.Fault { return &powerCut{stage: stage{seed: seed}} }
	all := []*cell{
		{Name: "cut", Title: "power cut", Args: wal("always"), Expects: keeps, Planned: tries, build: cut},
		{Name: "cut-failed", Title: "power cut after a failed sync", Args: wal("always"), Expects: keeps, Planned: tries, build: func(seed uint64) trial.Fault {
			return &powerCut{stage: stage{seed: seed}, failing: true}
		}},
		{Name: "cut-interval", Title: "power cut", Args: wal("interval=" + interval.String()), Expects: bound, Planned: tries, build: func(seed uint64) trial.Fault {
			return &powerCut{stage: stage{seed: seed}, interval: interval}
		}},
		{Name: "cut-none", Title: "power cut", Args: wal("none"), Expects: loses, Planned: (tries + 1) / 2, build: cut},
	}
	all = append(all, failures()...)
	for _, c := range all {
		c.server = server
	}
	for _, m := range mutants {
		all = append(all, &cell{
			Name: "mutant-" + m.name, Title: "power cut", Mutant: m.name, Args: wal("always"), Expects: loses, Planned: (tries + 1) / 2, server: m.path, build: cut,
		})
	}
	return all
}

// failures are faults that the process survives.
func failures() []*cell {
	var all []*cell
	for _, f := range []struct {
		name, title string
		fault       volume.Fault
	}{
		{"sync-once", "a sync fails, EIO", volume.Fault{Op: volume.Sync, Err: syscall.EIO}},
		{"sync-held", "all syncs fail, EIO", volume.Fault{Op: volume.Sync, Err: syscall.EIO, Held: true}},
		{"write-once", "a write fails, EIO", volume.Fault{Op: volume.Write, Err: syscall.EIO}},
		{"write-held", "all writes fail, EIO", volume.Fault{Op: volume.Write, Err: syscall.EIO, Held: true}},
		{"full-once", "half a write, then ENOSPC", volume.Fault{Op: volume.Write, Err: syscall.ENOSPC, Short: true}},
		{"full-held", "disk full, ENOSPC", volume.Fault{Op: volume.Write, Err: syscall.ENOSPC, Short: true, Held: true}},
		{"slow", "each sync takes 200 ms longer", volume.Fault{Op: volume.Sync, Delay: 200 * time.Millisecond, Held: true}},
	} {
		all = append(all, &cell{
			Name: f.name, Title: f.title, Args: wal("always"), Expects: keeps, Planned: faultTries, tells: f.fault.Held && f.fault.Err != 0,
			build: func(seed uint64) trial.Fault { return &failing{stage: stage{seed: seed}, fault: f.fault} },
		})
	}
	return all
}

// ordeal is the trial of a seed.
func (c *cell) ordeal(seed uint64) trial.Ordeal {
	o := trial.Ordeal{Rate: loadRate, Connections: connections, Warmup: moment(seed), Timeout: timeout, Fault: c.build(seed)}
	if _, cuts := o.Fault.(*powerCut); cuts {
		o.Signal = syscall.SIGKILL
	} else {
		o.Hold, o.After = hold, after
	}
	return o
}

func (c *cell) what() string {
	if c.Mutant != "" {
		return fmt.Sprintf("always, bug %s", c.Mutant)
	}
	return c.Args[len(c.Args)-1]
}
