package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Limits of what may disturb a run, as shares of all cores' time.
const (
	stealLimit   = 0.01
	foreignLimit = 0.1
)

// clockTick is the unit of /proc/stat, fixed by Linux towards programs.
const clockTick = time.Second / 100

// machineLoad is what else the machine did during a run.
type machineLoad struct {
	Known   bool    `json:"known"` // false where the platform does not tell
	Steal   float64 `json:"steal"`
	Foreign float64 `json:"foreign"` // CPU used by other programs
}

// cores is CPU time of all cores since the machine started.
type cores struct{ work, steal, total time.Duration }

var errStat = errors.New("not a line such as \"cpu 1 2 3 4 5 6 7 8 ...\"")

// parseCores reads the first line of /proc/stat: user, nice, system, idle, iowait,
// irq, softirq, steal; the guests' times after them are part of user.
func parseCores(text string) (cores, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return cores{}, fmt.Errorf("parse /proc/stat: %.60q is %w", line, errStat)
	}
	var c cores
	for i, f := range fields[1:9] {
		ticks, err := strconv.ParseUint(f, 10, 40)
		if err != nil {
			return cores{}, fmt.Errorf("parse /proc/stat: field %d, %.20q: %w", i+1, f, errStat)
		}
		d := time.Duration(ticks) * clockTick
		c.total += d
		switch i {
		case 3, 4: // idle, iowait
		case 7:
			c.steal += d
		default:
			c.work += d
		}
	}
	return c, nil
}

// reading is the machine's and this program's CPU time at one instant.
type reading struct {
	cores cores
	own   time.Duration
	known bool
}

func readMachine() reading {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return reading{}
	}
	c, err := parseCores(string(text))
	var usage syscall.Rusage
	if err != nil || syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return reading{}
	}
	return reading{cores: c, own: time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), known: true}
}

// since returns what happened from an earlier reading on besides this program and
// its children, which used so many seconds.
func (r reading) since(earlier reading, children float64) machineLoad {
	total := (r.cores.total - earlier.cores.total).Seconds()
	if !r.known || !earlier.known || total <= 0 {
		return machineLoad{}
	}
	foreign := (r.cores.work - earlier.cores.work - (r.own - earlier.own)).Seconds() - children
	return machineLoad{Known: true, Steal: (r.cores.steal - earlier.cores.steal).Seconds() / total, Foreign: max(0, foreign/total)}
}

// disturbed says what was beyond the limits, or nothing.
func (m machineLoad) disturbed() string {
	switch {
	case m.Steal > stealLimit:
		return fmt.Sprintf("hypervisor took %.1f %% of the CPU time, limit %.0f %%", m.Steal*100, stealLimit*100)
	case m.Foreign > foreignLimit:
		return fmt.Sprintf("other programs used %.0f %% of the CPU time, limit %.0f %%", m.Foreign*100, foreignLimit*100)
	}
	return ""
}
