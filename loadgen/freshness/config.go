package freshness

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

// Defaults and ranges.
const (
	defaultEvery      = 100 * time.Millisecond
	defaultTimeout    = 5 * time.Second
	defaultConcurrent = 16

	minEvery      = time.Millisecond
	maxEvery      = time.Hour
	minTimeout    = time.Millisecond
	maxTimeout    = 10 * time.Minute
	maxConcurrent = 1024
	maxRunID      = 64
)

// Config is what to probe. Zero values stand for the defaults.
type Config struct {
	Ingest *url.URL // where samples are posted; queries go to /query of the same host
	// Headers are sent with samples and queries alike.
	Headers []engine.Header
	// RunID is part of the probes' series, loadgen_<run id>_fresh: 1 to 64 letters,
	// digits, - and _.
	RunID string
	Seed  uint64 // of the jitter

	// Every is the period: one probe in each, from the second on. 1 ms to 1 h,
	// default 100 ms.
	Every time.Duration
	// Duration ends the starting of probes; those outstanding are then awaited. Zero
	// means that only the context's end does, which cuts them off.
	Duration time.Duration
	// Poll is the pause between the queries of a probe. Zero, the default, means
	// 1 ms or 5 % of the probe's age, whichever is longer.
	Poll time.Duration
	// Timeout is the age at which a probe is given up, and the time for the answer
	// to its sample. 1 ms to 10 min, default 5 s.
	Timeout time.Duration
	// Concurrent bounds the probes that are outstanding. 1 to 1024, default 16.
	Concurrent int
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	if c.Every == 0 {
		c.Every = defaultEvery
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Concurrent == 0 {
		c.Concurrent = defaultConcurrent
	}
	return c
}

// check says which value is outside its range.
func (c Config) check() error {
	switch {
	case c.Ingest == nil || c.Ingest.Scheme != "http" || c.Ingest.Host == "":
		return errors.New("the ingest URL must be http with a host")
	case !plain(c.RunID):
		return fmt.Errorf("run id %.80q is not 1 to %d letters, digits, - and _", c.RunID, maxRunID)
	case c.Every < minEvery || c.Every > maxEvery:
		return fmt.Errorf("period %v is outside %v to %v", c.Every, minEvery, maxEvery)
	case c.Timeout < minTimeout || c.Timeout > maxTimeout:
		return fmt.Errorf("timeout %v is outside %v to %v", c.Timeout, minTimeout, maxTimeout)
	case c.Concurrent < 1 || c.Concurrent > maxConcurrent:
		return fmt.Errorf("%d probes at the same time are outside 1 to %d", c.Concurrent, maxConcurrent)
	case c.Duration < 0:
		return fmt.Errorf("duration %v is negative", c.Duration)
	case c.Poll < 0:
		return fmt.Errorf("pause %v is negative", c.Poll)
	}
	for _, h := range c.Headers {
		if engine.Frames(h.Name) {
			return fmt.Errorf("header %s frames the message and cannot be chosen", h.Name)
		}
	}
	return nil
}

// plain reports whether a run id means the same in JSON and in a URL.
func plain(id string) bool {
	other := func(r rune) bool {
		return !(r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	}
	return id != "" && len(id) <= maxRunID && !strings.ContainsFunc(id, other)
}

// newProber returns an error that names the value of cfg that is not valid.
func newProber(cfg Config) (*prober, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("plan freshness probes: %w", err)
	}
	port := cfg.Ingest.Port()
	if port == "" {
		port = "80"
	}
	return &prober{
		Config:  cfg,
		address: net.JoinHostPort(cfg.Ingest.Hostname(), port),
		series:  "loadgen_" + cfg.RunID + "_fresh",
		book:    record.NewFreshnessBook(cfg.Timeout + time.Second),
	}, nil
}
