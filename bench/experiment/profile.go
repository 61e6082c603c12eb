package experiment

import (
	"fmt"
	"slices"
	"time"

	"phase0/bench/stat"
)

// Names of the experiments, as -only takes them and results store them.
const (
	Ingest     = "ingest"
	Response   = "response"
	SlowClient = "slow-client"
	Query      = "query"
	Alert      = "alert"
)

// Names returns the experiments in the order of the report.
func Names() []string { return []string{Ingest, Response, SlowClient, Query, Alert} }

// Profile says how much is measured.
type Profile struct {
	Name string `json:"name"`
	// Pairs is the number of blocks.
	Pairs int `json:"pairs"`
	// Only restricts the run to these experiments; empty means all.
	Only []string `json:"only,omitempty"`
	// Rates are the offered rates of the response time experiment, in requests/s.
	Rates []int `json:"rates"`
	// SlowRate is the offered rate beside the slow client. While that client holds a
	// single accept loop, half a second's requests wait, each on a connection, so
	// that SlowConnections must be more than half of it: otherwise the generator's
	// pool would be measured.
	SlowRate        int `json:"slow_rate"`
	SlowConnections int `json:"slow_connections"`
	// PointCounts are the sizes of the files that queries read.
	PointCounts []int `json:"point_counts"`
	// NoKeepAlive adds the arm that dials for every request.
	NoKeepAlive bool          `json:"no_keep_alive"`
	Connections int           `json:"connections"`
	Warmup      time.Duration `json:"warmup_ns"`
	// Window is the measured time of one trial. Low rates get longer windows, so
	// that a p99 can be had.
	Window time.Duration `json:"window_ns"`
	// AlertProbes rules are breached in each of AlertTrials trials.
	AlertProbes   int           `json:"alert_probes"`
	AlertTrials   int           `json:"alert_trials"`
	AlertInterval time.Duration `json:"alert_interval_ns"`
	// Limit is the time, counted from the first trial, after which no trial is
	// started to make up for a void one.
	Limit time.Duration `json:"limit_ns"`
}

// Quick ends within four minutes and is what `make bench` runs.
func Quick() Profile {
	return Profile{
		Name: "quick", Pairs: stat.MinPairs,
		Rates: []int{200, 2253}, SlowRate: 200, SlowConnections: 256, PointCounts: []int{1_000, 10_000, 100_000},
		Connections: 64, Warmup: 400 * time.Millisecond, Window: 2 * time.Second,
		AlertProbes: 40, AlertTrials: 1, AlertInterval: 10 * time.Second,
		Limit: 220 * time.Second,
	}
}

// Full ends within 25 minutes and is what results are cited from.
func Full() Profile {
	p := Quick()
	p.Name, p.Pairs = "full", 12
	p.Rates = []int{50, 100, 200, 1000, 2253, 5000}
	p.NoKeepAlive = true
	p.AlertTrials = 3
	p.Limit = 23 * time.Minute
	return p
}

// ProfileByName returns Quick or Full.
func ProfileByName(name string) (Profile, error) {
	switch name {
	case "quick":
		return Quick(), nil
	case "full":
		return Full(), nil
	}
	return Profile{}, fmt.Errorf("unknown profile %q; known are quick and full", name)
}

// Validate returns an error that names what cannot be measured.
func (p Profile) Validate() error {
	if p.Pairs < 1 || p.Pairs > stat.MaxPairs {
		return fmt.Errorf("pairs must be 1 to %d, got %d", stat.MaxPairs, p.Pairs)
	}
	for _, name := range p.Only {
		if !slices.Contains(Names(), name) {
			return fmt.Errorf("unknown experiment %q; known are %v", name, Names())
		}
	}
	return nil
}

func (p Profile) includes(name string) bool {
	return len(p.Only) == 0 || slices.Contains(p.Only, name)
}

// windowAt is long enough for a p99 at the rate, with a few requests to spare.
func (p Profile) windowAt(rate int) time.Duration {
	needed := stat.P99.MinObservations() + 30
	return max(p.Window, time.Duration(needed)*time.Second/time.Duration(rate)).Round(100 * time.Millisecond)
}
