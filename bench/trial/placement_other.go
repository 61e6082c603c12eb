//go:build !linux

package trial

import (
	"errors"
	"runtime"
	"syscall"
)

func affinity() ([]int, error) { return nil, errors.New("no affinity calls on " + runtime.GOOS) }

func moveThread([]int) error { return errors.ErrUnsupported }

func moveProcess([]int) error { return errors.ErrUnsupported }

// childAttributes keeps a terminal's Ctrl-C from the children, whom bench stops
// in order.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// maxRSSUnit is the unit of Rusage.Maxrss in bytes.
const maxRSSUnit = 1
