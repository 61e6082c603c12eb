package trial

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxCores bounds the cores that are looked at: those a unix.CPUSet holds.
const maxCores = 1024

func affinity() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("read affinity: %w", err)
	}
	var cores []int
	for core := range maxCores {
		if set.IsSet(core) {
			cores = append(cores, core)
		}
	}
	return cores, nil
}

func setOf(cores []int) *unix.CPUSet {
	var set unix.CPUSet
	for _, core := range cores {
		set.Set(core)
	}
	return &set
}

func moveThread(cores []int) error { return unix.SchedSetaffinity(0, setOf(cores)) }

// moveProcess moves all threads. One that ends meanwhile is no error; one that
// starts meanwhile inherits from a thread that is or will be moved, and the second
// pass finds it.
func moveProcess(cores []int) error {
	for range 2 {
		entries, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("list threads: %w", err)
		}
		for _, entry := range entries {
			tid, err := strconv.Atoi(entry.Name())
			if err != nil {
				continue
			}
			if err := unix.SchedSetaffinity(tid, setOf(cores)); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("bind thread %d: %w", tid, err)
			}
		}
	}
	return nil
}

// childAttributes keeps a terminal's Ctrl-C from the children, whom bench stops
// in order, and ends them when bench is killed and cannot.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// maxRSSUnit is the unit of Rusage.Maxrss in bytes.
const maxRSSUnit = 1024
