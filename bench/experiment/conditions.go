package experiment

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"phase0/bench/trial"
)

// Conditions is what else a result depends on.
type Conditions struct {
	// Commit is that of the measured server, or "unknown".
	Commit string `json:"commit"`
	Dirty  bool   `json:"dirty"`
	// GoVersion built the server.
	GoVersion string `json:"go_version"`
	// BuildSettings are the server's, as "-race=true".
	BuildSettings []string `json:"build_settings,omitempty"`
	// Modules are the versions of the server's dependencies, as "path version".
	Modules []string `json:"modules,omitempty"`
	// Environment lists the variables that change how Go programs run.
	Environment []string        `json:"environment,omitempty"`
	Host        trial.Host      `json:"host"`
	Placement   trial.Placement `json:"placement"`
	Limits      trial.Limits    `json:"limits"`
	// Procs says how many threads run Go code in each program.
	ProcsServer    int      `json:"gomaxprocs_server"`
	ProcsQuery     int      `json:"gomaxprocs_query_server"`
	ProcsGenerator int      `json:"gomaxprocs_generator"`
	ProcsBench     int      `json:"gomaxprocs_bench"`
	Command        []string `json:"command"`
}

// gitTimeout bounds the two questions to git.
const gitTimeout = 5 * time.Second

// Describe collects the conditions of trials with h. It must be called before
// the placement is adopted, which changes what the runtime sees.
func Describe(ctx context.Context, h *trial.Harness, command []string) Conditions {
	c := Conditions{
		Commit: "unknown", Host: trial.DescribeHost(h.Dir), Placement: h.Placement, Limits: h.Limits,
		ProcsBench: runtime.GOMAXPROCS(0), Command: command,
	}
	c.ProcsServer, c.ProcsQuery, c.ProcsGenerator = procs(h.Placement)
	for _, name := range []string{"GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG"} {
		if value, set := os.LookupEnv(name); set {
			c.Environment = append(c.Environment, name+"="+value)
		}
	}
	if info, err := buildinfo.ReadFile(h.Server); err == nil {
		c.readBuild(info)
	}
	if c.Commit == "unknown" {
		c.askGit(ctx)
	}
	return c
}

// procs returns the GOMAXPROCS that the runtime of each program chooses from the
// cores it is given.
func procs(p trial.Placement) (server, query, generator int) {
	if p.Pinned {
		return len(p.Server), len(p.All), len(p.Generator)
	}
	n := runtime.GOMAXPROCS(0)
	return n, n, n
}

func (c *Conditions) readBuild(info *debug.BuildInfo) {
	c.GoVersion = info.GoVersion
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			c.Commit = s.Value
		case s.Key == "vcs.modified":
			c.Dirty = s.Value == "true"
		case !strings.HasPrefix(s.Key, "vcs") && s.Value != "":
			c.BuildSettings = append(c.BuildSettings, s.Key+"="+s.Value)
		}
	}
	for _, m := range info.Deps {
		c.Modules = append(c.Modules, m.Path+" "+m.Version)
	}
}

// askGit is for servers built without a stamp. The working tree may have changed
// since then, so that it says less.
func (c *Conditions) askGit(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, gitTimeout)
	defer cancel()
	head, err := exec.CommandContext(ctx, "git", "rev-parse", "HEAD").Output()
	if err != nil {
		return
	}
	c.Commit = strings.TrimSpace(string(head))
	changes, err := exec.CommandContext(ctx, "git", "status", "--porcelain").Output()
	c.Dirty = err != nil || len(changes) > 0
}

// ShortCommit is the commit's first seven digits, or "nocommit".
func (c Conditions) ShortCommit() string {
	if c.Commit == "unknown" || len(c.Commit) < 7 {
		return "nocommit"
	}
	return c.Commit[:7]
}

// String names the machine in one line.
func (c Conditions) String() string {
	commit := c.ShortCommit()
	if c.Dirty {
		commit += " (dirty)"
	}
	return fmt.Sprintf("commit %s, %s, %s, %d cores, %s", commit, c.GoVersion, c.Host.CPU, c.Host.Cores, c.Host.OS)
}
