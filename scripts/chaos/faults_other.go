//go:build !linux

package main

import "phase0/bench/trial"

const onlyLinux = "only Linux has what it takes"

type (
	stopped   struct{ trial.Calm }
	fullDisk  struct{ trial.Calm }
	sizeLimit struct{ trial.Calm }
	traced    struct {
		trial.Calm
		calls, inject string
		onData        bool
	}
)

func fullDiskPossible() string { return onlyLinux }
func tracePossible() string    { return onlyLinux }
