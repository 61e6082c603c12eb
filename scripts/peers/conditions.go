package main

import (
	"context"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"phase0/bench/trial"
)

// conditions is what else the figures depend on.
type conditions struct {
	Date      time.Time       `json:"date"` // UTC
	Commit    string          `json:"commit"`
	Dirty     bool            `json:"dirty"`
	GoVersion string          `json:"go_version"`
	Host      trial.Host      `json:"host"`
	Placement trial.Placement `json:"placement"`
	Command   []string        `json:"command"`
}

// gitTimeout bounds each question to git.
const gitTimeout = 5 * time.Second

func describe(ctx context.Context, dir string, placement trial.Placement, command []string) conditions {
	c := conditions{
		Date: time.Now().UTC(), Commit: "unknown", GoVersion: runtime.Version(),
		Host: trial.DescribeHost(dir), Placement: placement, Command: command,
	}
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	if head, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output(); err == nil {
		c.Commit = strings.TrimSpace(string(head))
		changes, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output()
		c.Dirty = err != nil || len(changes) > 0
	}
	return c
}
