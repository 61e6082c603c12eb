package experiment

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// Profile says how much is measured.
type Profile struct {
	Name string `json:"name"`
	// Pairs is the number of blocks.
	Pairs int `json:"pairs"`
	// Blocks are the numbers of blocks of experiments that have fewer than Pairs.
	Blocks map[string]int `json:"blocks,omitempty"`
	// Experiments are measured, in the order of the report.
	Experiments []string `json:"experiments"`

	Warmup time.Duration `json:"warmup_ns"`
	// Window is the measured time of one trial. Low rates get longer windows, so
	// that a p99 can be had.
	Window time.Duration `json:"window_ns"`
	// Connections are those of maximum RPS; the last is also allowed to all other load.
	Connections []int `json:"connections"`
	// NoKeepAlive adds the arm that dials for every request.
	NoKeepAlive bool `json:"no_keep_alive"`
	// Rates are the offered rates of the response time experiment, in requests/s.
	Rates []int `json:"rates"`
	// SlowRate is the offered rate beside the slow client. While that client holds a
	// single accept loop, half a second's requests wait, each on a connection, so
	// that SlowConnections must be more than half of it: otherwise the generator's
	// pool would be measured.
	SlowRate        int `json:"slow_rate"`
	SlowConnections int `json:"slow_connections"`
	// PointCounts are the sizes of the files that queries read. Those above
	// LargePoints are read in the blocks of "query-large" only.
	PointCounts []int `json:"point_counts"`
	// Shares are the parts of the time range that queries ask for, in a file of
	// SharePoints.
	Shares      []float64 `json:"shares,omitempty"`
	SharePoints int       `json:"share_points,omitempty"`
	// AlertProbes are the breaches of each trial, under the conditions of each cell.
	AlertProbes int         `json:"alert_probes"`
	AlertCells  []AlertCell `json:"alert_cells"`
	// FaultRate is the offered rate while a server is killed or looked at for
	// freshness; MixedRate that beside queries.
	FaultRate int `json:"fault_rate"`
	MixedRate int `json:"mixed_rate,omitempty"`
	// Limit is the time, counted from the first trial, after which no trial is
	// started to make up for a void one.
	Limit time.Duration `json:"limit_ns"`
}

// alertRate is the load beside which alerts are measured, in samples per second.
const alertRate = 5000

// LargePoints is the size of file above which a query of the whole file takes
// seconds.
const LargePoints = 1_000_000

// Keys of Profile.Blocks that are parts of experiments.
const (
	queryLarge = "query-large" // files above LargePoints
	lossTerm   = "loss-term"   // SIGTERM instead of SIGKILL
	// The load of durable; its crashes are as many as there are blocks, because their
	// number bounds the share of those that lose something.
	durableLoad = "durable-load"
)

// Quick ends within four minutes and is what `make bench` runs.
func Quick() Profile {
	return Profile{
		Name: "quick", Pairs: stat.MinPairs, Blocks: map[string]int{Alert: 1, Loss: 1},
		Experiments: []string{Ingest, Response, SlowClient, Query, Alert, Loss},
		Warmup:      400 * time.Millisecond, Window: 2 * time.Second,
		Connections: []int{64},
		Rates:       []int{200, 2253}, SlowRate: 200, SlowConnections: 256,
		PointCounts: []int{1_000, 10_000, 100_000},
		AlertProbes: 400, AlertCells: []AlertCell{{Rules: 1, Rate: alertRate}},
		FaultRate: 2000, MixedRate: 2000,
		Shares: []float64{trial.MinuteShare(1_000_000), 0.1, 1}, SharePoints: 1_000_000,
		Limit: 220 * time.Second,
	}
}

// Standard ends within 25 minutes and adds how servers fail and recover.
func Standard() Profile {
	p := Quick()
	p.Name, p.Pairs = "standard", 10
	p.Experiments = []string{Ingest, Response, SlowClient, Query, Selectivity, Alert, Loss, Knee, Freshness, Mixed, Overload, Durable}
	p.Blocks = map[string]int{Alert: 1, Knee: 6, Overload: 6, Selectivity: 6, lossTerm: 6, Durable: 6, durableLoad: 6}
	p.Connections = []int{1, 16, 64}
	p.NoKeepAlive = true
	p.Rates = []int{200, 1000, 2253, 5000}
	p.PointCounts = append(p.PointCounts, 1_000_000)
	p.AlertCells = []AlertCell{{1, alertRate, []time.Duration{time.Second}}}
	p.Limit = 24 * time.Minute
	return p
}

// Full ends within an hour and is what results are cited from.
func Full() Profile {
	p := Standard()
	p.Name, p.Pairs = "full", 14
	p.Experiments = append(p.Experiments, Ladder)
	both, quick := []time.Duration{10 * time.Second, time.Second}, []time.Duration{time.Second}
	p.AlertCells = []AlertCell{
		{1, 0, quick}, {1, alertRate, both}, {1000, 0, both}, {1000, alertRate, both}, {trial.MaxAlertRules, 0, both}, {trial.MaxAlertRules, alertRate, both},
	}
	p.Blocks = map[string]int{Alert: 2, Knee: 6, Overload: 6, Selectivity: 8, queryLarge: 6, Freshness: 10, Mixed: 10, Ladder: 6, lossTerm: 6, durableLoad: 12}
	p.PointCounts = append(p.PointCounts, 10_000_000)
	p.Limit = 58 * time.Minute
	return p
}

// ProfileByName returns Quick, Standard or Full.
func ProfileByName(name string) (Profile, error) {
	switch name {
	case "quick":
		return Quick(), nil
	case "standard":
		return Standard(), nil
	case "full":
		return Full(), nil
	}
	return Profile{}, fmt.Errorf("unknown profile %q; known are quick, standard and full", name)
}

// Limits of what a profile may be changed to.
const (
	maxWindow      = 5 * time.Minute
	maxConnections = 10_000
)

// Validate returns an error that names what cannot be measured.
func (p Profile) Validate() error {
	if p.Pairs < 1 || p.Pairs > stat.MaxPairs {
		return fmt.Errorf("pairs must be 1 to %d, got %d", stat.MaxPairs, p.Pairs)
	}
	if len(p.Experiments) == 0 {
		return fmt.Errorf("no experiment is chosen; known are %s", strings.Join(Names(), ", "))
	}
	for _, name := range p.Experiments {
		if !slices.Contains(Names(), name) {
			return fmt.Errorf("unknown experiment %q; known are %s", name, strings.Join(Names(), ", "))
		}
	}
	if p.Window < 100*time.Millisecond || p.Window > maxWindow {
		return fmt.Errorf("window must be 100ms to %v, got %v", maxWindow, p.Window)
	}
	if p.Warmup < 10*time.Millisecond || p.Warmup > maxWindow {
		return fmt.Errorf("warm-up must be 10ms to %v, got %v", maxWindow, p.Warmup)
	}
	for _, n := range p.Connections {
		if n < 1 || n > maxConnections {
			return fmt.Errorf("connections must be 1 to %d, got %d", maxConnections, n)
		}
	}
	return nil
}

func (p Profile) includes(name string) bool { return slices.Contains(p.Experiments, name) }

// blocks is how often an experiment is repeated.
func (p Profile) blocks(name string) int {
	if n, ok := p.Blocks[name]; ok {
		return min(n, p.Pairs)
	}
	return p.Pairs
}

// conns is the number of connections that load may use where nothing else is said.
func (p Profile) conns() int { return p.Connections[len(p.Connections)-1] }

// alertCell returns the cell of a case.
func (p Profile) alertCell(kase string) AlertCell {
	for _, cell := range p.AlertCells {
		if cell.Case() == kase {
			return cell
		}
	}
	return AlertCell{}
}

// windowAt is long enough for a p99 at the rate, with a few requests to spare.
func (p Profile) windowAt(rate int) time.Duration {
	needed := stat.P99.MinObservations() + 30
	return max(p.Window, time.Duration(needed)*time.Second/time.Duration(rate)).Round(100 * time.Millisecond)
}
