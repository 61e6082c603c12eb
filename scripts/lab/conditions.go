package lab

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"phase0/bench/trial"
)

// Conditions is what the figures depend on besides the code.
type Conditions struct {
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

// Describe looks at the machine and the work tree; dir is the directory whose file
// system is of interest.
func Describe(ctx context.Context, dir string, placement trial.Placement, command []string) Conditions {
	c := Conditions{
		Date: time.Now().UTC(), Commit: "unknown", GoVersion: runtime.Version(),
		Host: trial.DescribeHost(dir), Placement: placement, Command: command,
	}
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	if head, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output(); err == nil {
		c.Commit = strings.TrimSpace(string(head))
		// Reports, of another program or an earlier piece of this one, change nothing.
		paths := []string{"status", "--porcelain", "--", ".", ":(exclude,top)results"}
		if filepath.IsLocal(dir) {
			paths = append(paths, ":(exclude)"+dir)
		}
		changes, err := exec.CommandContext(ctx, "git", paths...).Output()
		c.Dirty = err != nil || len(changes) > 0
	}
	return c
}

// String is the line under a report's title; client names what the server does not
// share its core with.
func (c Conditions) String(client string) string {
	commit := c.Commit
	if c.Dirty {
		commit += " (with changes)"
	}
	placed := c.Placement.Why
	if p := c.Placement; p.Pinned && len(p.Server) > 0 && len(p.Generator) > 0 {
		placed = fmt.Sprintf("server on core %d, %s on core %d", p.Server[0], client, p.Generator[0])
	}
	return fmt.Sprintf("%s · commit %s · %s · kernel %s · %s, %d cores · %s", c.Date.Format("2006-01-02 15:04 UTC"), commit, c.GoVersion, c.Host.Kernel, c.Host.CPU, c.Host.Cores, placed)
}
