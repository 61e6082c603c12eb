package lab

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Limits of what may disturb a run, as shares of all cores' time.
const (
	StealLimit   = 0.01
	ForeignLimit = 0.1
)

// clockTick is the unit of /proc/stat, fixed by Linux towards programs.
const clockTick = time.Second / 100

// Load is what else the machine did during a run.
type Load struct {
	Known   bool    `json:"known"` // false where the platform does not tell
	Steal   float64 `json:"steal"`
	Foreign float64 `json:"foreign"` // CPU used by other programs
}

// cores is CPU time of some cores since the machine started.
type cores struct{ work, steal, total time.Duration }

var (
	errStat   = errors.New("not a line such as \"cpu 1 2 3 4 5 6 7 8 ...\"")
	errMemory = errors.New("not a line such as \"VmRSS:  1234 kB\"")
)

// parseCores reads a line of /proc/stat: user, nice, system, idle, iowait, irq,
// softirq, steal; the guests' times after them are part of user. The name "cpu"
// stands for all cores, "cpu0" for the first.
func parseCores(text, name string) (cores, error) {
	var fields []string
	for line := range strings.Lines(text) {
		if fields = strings.Fields(line); len(fields) > 0 && fields[0] == name {
			break
		}
	}
	if len(fields) < 9 || fields[0] != name {
		return cores{}, fmt.Errorf("parse /proc/stat: %.20s: %w", name, errStat)
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

// Reading is the machine's and this program's CPU time at one instant.
type Reading struct {
	cores cores
	own   time.Duration // of this program and of its children that have ended
	known bool
}

// ReadMachine reads the counters. What cannot be read stays unknown.
func ReadMachine() Reading {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Reading{}
	}
	c, err := parseCores(string(text), "cpu")
	var self, children syscall.Rusage
	if err != nil || syscall.Getrusage(syscall.RUSAGE_SELF, &self) != nil || syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children) != nil {
		return Reading{}
	}
	own := self.Utime.Nano() + self.Stime.Nano() + children.Utime.Nano() + children.Stime.Nano()
	return Reading{cores: c, own: time.Duration(own), known: true}
}

// Since returns what happened from an earlier reading on besides this program and
// its children. Children that ran in between must have ended.
func (r Reading) Since(earlier Reading) Load {
	total := (r.cores.total - earlier.cores.total).Seconds()
	if !r.known || !earlier.known || total <= 0 {
		return Load{}
	}
	foreign := (r.cores.work - earlier.cores.work - (r.own - earlier.own)).Seconds()
	return Load{Known: true, Steal: (r.cores.steal - earlier.cores.steal).Seconds() / total, Foreign: max(0, foreign/total)}
}

// Disturbed says what was beyond the limits, or nothing.
func (m Load) Disturbed() string {
	switch {
	case m.Steal > StealLimit:
		return fmt.Sprintf("hypervisor took %.1f %% of the CPU time, limit %.0f %%", m.Steal*100, StealLimit*100)
	case m.Foreign > ForeignLimit:
		return fmt.Sprintf("other programs used %.0f %% of the CPU time, limit %.0f %%", m.Foreign*100, ForeignLimit*100)
	}
	return ""
}

// CoreWork returns for how long the given cores have worked since the machine
// started, interrupts included; ok is false where the platform does not tell.
func CoreWork(list []int) (work time.Duration, ok bool) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil || len(list) == 0 {
		return 0, false
	}
	for _, core := range list {
		c, err := parseCores(string(text), "cpu"+strconv.Itoa(core))
		if err != nil {
			return 0, false
		}
		work += c.work
	}
	return work, true
}

// ProcessMemory returns the resident set of a running process and its peak, in
// bytes.
func ProcessMemory(pid int) (now, peak int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	if now, err = parseMemory(string(text), "VmRSS"); err != nil {
		return 0, 0, err
	}
	peak, err = parseMemory(string(text), "VmHWM")
	return now, peak, err
}

// parseMemory reads a line of /proc/PID/status and returns bytes.
func parseMemory(text, key string) (int64, error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != key+":" || fields[2] != "kB" {
			continue
		}
		n, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64>>10 {
			break
		}
		return n << 10, nil
	}
	return 0, fmt.Errorf("parse %s: %w", key, errMemory)
}
