package trial

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// MachineLoad is what the machine did during a trial's window.
type MachineLoad struct {
	// Known is false where the platform does not tell; the shares are 0 then.
	Known bool `json:"known"`
	// Shares are of all cores' time, 0–1.
	Steal   float64 `json:"steal"`
	Foreign float64 `json:"foreign"` // CPU used by other programs
	// Pressure is the share of the window in which some task waited for a CPU.
	Pressure float64 `json:"pressure"`
	// Slow is the share of the window in which a core took more than three times as long for
	// a piece of work as it does mostly (package pulse); taken by trials of alerts only.
	Slow float64 `json:"slow,omitempty"`
}

// machineSample is a reading of the counters that a MachineLoad is the
// difference of.
type machineSample struct {
	at       time.Time
	cpu      cpuTimes
	server   cpuTimes // of the cores that servers are pinned to
	pressure time.Duration
	own      time.Duration // CPU time of bench itself
	cores    int
	known    bool
}

// serverBusySince is the time in which the cores of servers were not idle.
func (s machineSample) serverBusySince(earlier machineSample, cores int) time.Duration {
	if !s.known || !earlier.known {
		return 0
	}
	elapsed := s.at.Sub(earlier.at) * time.Duration(cores)
	return max(0, elapsed-(s.server.idle-earlier.server.idle)-(s.server.steal-earlier.server.steal))
}

// sampleMachine reads the counters. What cannot be read stays unknown.
func (h *Harness) sampleMachine() machineSample {
	s := machineSample{at: time.Now(), own: ownCPU()}
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return s
	}
	if s.cpu, err = parseCPUTimes(stat, "cpu"); err != nil {
		return s
	}
	s.cores = countCores(stat)
	for _, core := range h.Placement.Server {
		times, err := parseCPUTimes(stat, fmt.Sprintf("cpu%d", core))
		if err != nil {
			return s
		}
		if s.server, err = s.server.add(times); err != nil {
			return s
		}
	}
	s.known = true
	if text, err := os.ReadFile("/proc/pressure/cpu"); err == nil {
		// Kernels without pressure accounting are common; the share stays 0.
		s.pressure, _ = parsePressure(text)
	}
	return s
}

// tickRounding is what whole clock ticks can add to the difference between the
// machine's and the processes' times; it matters in windows of a few hundred
// milliseconds.
const tickRounding = 3 * clockTick

// loadSince returns the difference to an earlier sample; children is the CPU time
// that this trial's processes used in between.
func (s machineSample) loadSince(earlier machineSample, children time.Duration) MachineLoad {
	elapsed := s.at.Sub(earlier.at)
	total := elapsed * time.Duration(s.cores)
	if !s.known || !earlier.known || total <= 0 {
		return MachineLoad{}
	}
	// The kernel may sample who works at each tick, and a load in step with the tick is
	// then seen always or never. Idle time it takes from the clock, so that work is what
	// is left of the time that went by.
	idle, steal := s.cpu.idle-earlier.cpu.idle, s.cpu.steal-earlier.cpu.steal
	interrupt := s.cpu.interrupt - earlier.cpu.interrupt
	work := total - idle - steal - interrupt
	foreign := work - (s.own - earlier.own) - children - tickRounding
	return MachineLoad{
		Known:    true,
		Steal:    share(s.cpu.steal-earlier.cpu.steal, total),
		Foreign:  share(foreign, total),
		Pressure: share(s.pressure-earlier.pressure, elapsed),
	}
}

func share(part, whole time.Duration) float64 {
	return min(1, max(0, part.Seconds()/whole.Seconds()))
}

func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// processCPU returns the CPU time that a running process has used so far.
func processCPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read process CPU time: %w", err)
	}
	p, err := parseProcessStat(stat)
	return p.own, err
}

// processMemory returns the resident set of a running process and its peak, in
// bytes. The peak is not taken from wait4's rusage where this exists: there a child
// starts with its parent's.
func processMemory(pid int) (now, peak int64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read process memory: %w", err)
	}
	if now, err = parseKiB(status, "VmRSS"); err != nil {
		return 0, 0, err
	}
	peak, err = parseKiB(status, "VmHWM")
	return now, peak, err
}

// groupCPU returns the CPU time that the processes of a group, and those of their
// children that have ended, used so far.
func groupCPU(group int) (time.Duration, error) {
	var sum time.Duration
	err := eachOfGroup(group, func(_ string, p processStat) error {
		sum += p.own + p.children
		return nil
	})
	return sum, err
}

// groupMemory adds up the resident sets of a group's processes and their peaks, in
// bytes. Pages that they share count several times.
func groupMemory(group int) (now, peak int64, err error) {
	err = eachOfGroup(group, func(pid string, _ processStat) error {
		id, err := strconv.Atoi(pid)
		if err != nil {
			return err
		}
		n, p, err := processMemory(id)
		now, peak = now+n, peak+p
		return err
	})
	return now, peak, err
}

// eachOfGroup calls use for the processes of a group. Those that end meanwhile are
// passed over, whatever use says of them.
func eachOfGroup(group int, use func(pid string, p processStat) error) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	found := false
	for _, entry := range entries {
		pid := entry.Name()
		if pid[0] < '0' || pid[0] > '9' {
			continue
		}
		text, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			continue
		}
		p, err := parseProcessStat(text)
		if err != nil || p.group != group {
			continue
		}
		if use(pid, p) == nil {
			found = true
		}
	}
	if !found {
		return fmt.Errorf("find process group %d: %w", group, os.ErrNotExist)
	}
	return nil
}
