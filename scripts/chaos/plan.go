package main

import (
	"context"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"phase0/bench/trial"
)

// arm is a configuration of the server and what it promises.
type arm struct {
	trial.Arm
	// durable means that an accepted sample survives the process.
	durable bool
}

// arms are what is tested. The durable one takes part when the server has its queue.
func arms(withLog bool) []arm {
	all := []arm{
		{Arm: trial.Arm{Name: "single", ServerArgs: []string{"-mode", "single"}}},
		{Arm: trial.Arm{Name: "concurrent", ServerArgs: []string{"-mode", "concurrent"}}},
	}
	if withLog {
		args := []string{"-mode", "concurrent", "-queue", "wal", "-sync", "always"}
		all = append(all, arm{Arm: trial.Arm{Name: "durable", ServerArgs: args}, durable: true})
	}
	return all
}

// hasLog asks a server's help whether it knows the durable queue.
func hasLog(ctx context.Context, server string) bool {
	out, err := exec.CommandContext(ctx, server, "-h").Output()
	return err == nil && strings.Contains(string(out), "-sync ")
}

// fault is a row of the plan.
type fault struct {
	name, title string
	tries       int
	hold        time.Duration
	signal      syscall.Signal
	traced      bool // it needs strace, which slows the server down
	// mayEnd says that an arm may need a restart.
	mayEnd func(arm) bool
	build  func(arm) trial.Fault
	// never says why an arm cannot feel it, or nothing.
	never func(arm) string
	// possible says why the machine does not allow it, or nothing.
	possible func() string
}

const (
	loadRate        = 2000
	loadConnections = 32
	tracedRate      = 300 // every system call of a traced server stops twice
	loadWarmup      = 600 * time.Millisecond
	loadAfter       = 400 * time.Millisecond
	loadTimeout     = time.Second
	shortHold       = 1500 * time.Millisecond
	stopHold        = 5 * time.Second
	silentHold      = 6 * time.Second // longer than the server waits for a receiver
	slowDelay       = "delay_enter=50ms"
)

// faults are all rows, in the order of the report.
func faults() []fault {
	return []fault{
		{name: "kill", title: "kill -9", tries: 20, signal: syscall.SIGKILL},
		{name: "term", title: "SIGTERM", tries: 5, signal: syscall.SIGTERM},
		{name: "stop", title: "SIGSTOP 5 s", tries: 1, hold: stopHold, build: func(arm) trial.Fault { return &stopped{} }},
		{name: "full", title: "disk full", tries: 2, build: func(arm) trial.Fault { return &fullDisk{} }, possible: fullDiskPossible},
		{name: "limit", title: "file may not grow", tries: 2, build: func(arm) trial.Fault { return &sizeLimit{} }, mayEnd: durable},
		{name: "slow", title: "slow disk, 50 ms", tries: 2, traced: true, build: slowDisk},
		{name: "write", title: "failing writes, EIO", tries: 2, traced: true, build: failingWrites},
		{name: "sync", title: "failing syncs, EIO", tries: 2, traced: true, build: failingSyncs, mayEnd: durable, never: syncsNothing},
		{name: "hook-silent", title: "silent webhook", tries: 1, hold: silentHold, build: func(arm) trial.Fault { return &hooked{} }},
		{name: "hook-gone", title: "dead webhook", tries: 2, build: func(arm) trial.Fault { return &hooked{gone: true} }},
		network(cutReset, "network: reset"),
		network(cutBlackHole, "network: black hole"),
		network(cutHalfClose, "network: half-close"),
		network(cutDrip, "network: drip"),
	}
}

func network(how cut, title string) fault {
	return fault{name: "net-" + string(how), title: title, tries: 2, build: func(arm) trial.Fault { return &proxied{how: how} }}
}

func durable(a arm) bool { return a.durable }

// slowDisk delays what each arm waits for: the log's syncs, or the file's writes.
func slowDisk(a arm) trial.Fault {
	if a.durable {
		return &traced{calls: "fsync,fdatasync", inject: slowDelay}
	}
	return &traced{calls: "write", inject: slowDelay, onData: true}
}

func failingWrites(arm) trial.Fault {
	return &traced{calls: "write", inject: "error=EIO", onData: true}
}

func failingSyncs(arm) trial.Fault { return &traced{calls: "fsync,fdatasync", inject: "error=EIO"} }

func syncsNothing(a arm) string {
	if a.durable {
		return ""
	}
	return "this arm never syncs"
}

// names lists the faults for -only.
func names() []string {
	var all []string
	for _, f := range faults() {
		all = append(all, f.name)
	}
	return all
}

// ordeal returns a trial of a fault and an arm.
func (f fault) ordeal(a arm) trial.Ordeal {
	o := trial.Ordeal{
		Rate: loadRate, Connections: loadConnections, Warmup: loadWarmup, Hold: f.hold, After: loadAfter,
		Timeout: loadTimeout, Signal: f.signal, Fault: trial.Calm{}, MayEnd: f.mayEnd != nil && f.mayEnd(a),
	}
	if f.build != nil {
		o.Fault = f.build(a)
	}
	if o.Hold == 0 && f.signal == 0 {
		o.Hold = shortHold
	}
	if f.traced {
		o.Rate = tracedRate
	}
	return o
}

// cells plans all chosen faults for all arms. With quick each cell has one try, kills
// three.
func cells(all []arm, only []string, quick bool) []*cell {
	var planned []*cell
	chosen := map[string]bool{}
	for _, name := range only {
		chosen[name] = true
	}
	for _, f := range faults() {
		if !chosen[f.name] {
			continue
		}
		if quick {
			f.tries = max(1, f.tries/7)
		}
		impossible := tracePossibleFor(f)
		if impossible == "" && f.possible != nil {
			impossible = f.possible()
		}
		for _, a := range all {
			c := &cell{Fault: f.name, Title: f.title, Arm: a.Name, Durable: a.durable, Planned: f.tries, Impossible: impossible, fault: f, arm: a}
			if f.never != nil {
				c.Never = f.never(a)
			}
			planned = append(planned, c)
		}
	}
	return planned
}

func tracePossibleFor(f fault) string {
	if f.traced {
		return tracePossible()
	}
	return ""
}
