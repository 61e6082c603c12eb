package platform

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"phase0/server/alerting/notify"
	"phase0/server/alerting/notify/outbox"
	"phase0/server/ingest/framing"
	"phase0/server/queue/wal"
	"phase0/server/ratelimit"
	"phase0/server/sample"
	"phase0/server/series"
)

// Config is everything that a platform can be told. Defaults returns one that
// works; zero values are refused by Validate.
type Config struct {
	Mode string // shown at start; the choices are in Components
	Components

	Addr string // host:port; port 0 picks a free one
	Data string // path of the storage file

	RulesFile     string        // "" = the seed's three rules
	AlertInterval time.Duration // of poll

	// Of stream, but for the last: how long a notification waits for others, how often what
	// fires is told again (0 = once), and what its windows hold at most.
	AlertGroupWait      time.Duration
	AlertRepeatInterval time.Duration
	AlertMaxSeries      int
	AlertMaxSamples     int
	AlertMaxInstances   int // rules about series
	AlertMaxActive      int // alerts

	// Receivers of notifications beside the console; without a URL there is none.
	Webhook      notify.Target
	Alertmanager notify.Target
	Outbox       string // directory for what is not delivered yet; "" = beside Data
	OutboxBytes  int64

	// RateLimit, such as 1000/s, is what each client may push; "" limits nobody. RateKey
	// tells how clients are told apart: address or header:NAME. A RateBurst of 0 is a
	// second's worth.
	RateLimit string
	RateBurst int
	RateKey   string

	// Pprof is host:port of the profiler; "" = none. It is loopback without a host.
	Pprof string

	LogRequests bool

	// AppendDelay, when positive, lowers the capacity of storage to ten samples a delay.
	// It is for overload experiments.
	AppendDelay time.Duration

	FlushInterval   time.Duration // bounded queue; 0 = append at once
	QueueLimit      int           // samples, bounded queue
	QueueBytes      int           // and their memory
	Sync            string        // of the wal queue: always, interval=100ms, none
	WALBytes        int64         // of its log
	MaxSeries       int           // distinct ones since the start; 0 = no limit
	MaxConns        int
	MaxBodyBytes    int
	MaxBodiesBytes  int64 // of all bodies under way
	MaxHeaderBytes  int
	MaxQuerySamples int
	MaxQueryBytes   int
	MaxQueryValues  int
	MaxQueries      int // answered at the same time
	ReadTimeout     time.Duration
	WriteTimeout    time.Duration
	IdleTimeout     time.Duration
	ShutdownTimeout time.Duration
}

// Defaults returns the configuration of `server` without flags.
func Defaults() Config {
	return Config{
		Mode:           "single",
		Components:     presets["single"],
		Addr:           "127.0.0.1:8080",
		Data:           "phase0_metrics.jsonl",
		AlertInterval:  10 * time.Second,
		AlertMaxSeries: 100_000,
		// Some 24 bytes each, with what is known of stretches of them.
		AlertMaxSamples: 10_000_000,
		// 60 MB when rules have the same range; 2 GB when each has its own, of 120 samples.
		AlertMaxInstances: 500_000,
		AlertMaxActive:    100_000, // 150 MB
		// About 100,000 notifications.
		OutboxBytes: 64 << 20,
		RateKey:     "address",
		// Long beside an append of some samples, short beside everything that waits for one
		// to be visible.
		FlushInterval: 2 * time.Millisecond,
		QueueLimit:    100_000,
		QueueBytes:    64 << 20,
		Sync:          "always",
		WALBytes:      1 << 30,
		// 17 MB of hashes.
		MaxSeries:    1_000_000,
		MaxConns:     4096,
		MaxBodyBytes: 1 << 20,
		// Thousands of clients that are slow to send large bodies would have gigabytes.
		MaxBodiesBytes: 256 << 20,
		// fasthttp reads a request line and its headers into one buffer of this size,
		// one per connection being served.
		MaxHeaderBytes:  16 << 10,
		MaxQuerySamples: 1_000_000,
		// A million samples without labels; with the longest labels, six hundred.
		MaxQueryBytes: 64 << 20,
		// 160 MB, while one answer is computed.
		MaxQueryValues: 20_000_000,
		// An answer takes its samples, 48 bytes each, their text and its own, MaxQueryBytes
		// each: some two hundred megabytes while it is made.
		MaxQueries: 4,
		// In single mode a client that is slow to send or to read holds everybody up for
		// as long.
		ReadTimeout:     5 * time.Second,
		WriteTimeout:    5 * time.Second,
		IdleTimeout:     60 * time.Second,
		ShutdownTimeout: 30 * time.Second,
	}
}

// ErrConfig is wrapped by errors about a setting that can never work, as opposed to
// one that the machine refuses at the moment.
var ErrConfig = errors.New("invalid configuration")

// Validate refuses what cannot work, naming the flag.
func (c Config) Validate() error {
	if err := c.Components.validate(); err != nil {
		return err
	}
	if _, _, err := c.rateLimit(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if _, err := c.pprofAddr(); err != nil {
		return fmt.Errorf("%w: -pprof: %w", ErrConfig, err)
	}
	if _, err := wal.ParsePolicy(c.Sync); err != nil {
		return fmt.Errorf("%w: -sync: %w", ErrConfig, err)
	}
	for _, check := range []struct {
		ok   bool
		hint string
	}{
		{c.AlertInterval > 0, "-alert-interval must be above 0, such as 10s"},
		{c.OutboxBytes >= outbox.MinBytes, fmt.Sprintf("-outbox-bytes must be at least %d", outbox.MinBytes)},
		{c.AlertGroupWait >= 0 && c.AlertRepeatInterval >= 0, "-alert-group-wait and -alert-repeat-interval must not be negative"},
		{c.AlertMaxSeries > 0 && c.AlertMaxSamples > 0, "-alert-max-series and -alert-max-samples must be at least 1"},
		{c.AlertMaxInstances > 0 && c.AlertMaxActive > 0, "-alert-max-instances and -alert-max-active must be at least 1"},
		{c.QueueLimit >= sample.MaxBatch, fmt.Sprintf("-queue-limit must be at least %d, the largest batch of one request", sample.MaxBatch)},
		{c.QueueBytes >= c.leastQueueBytes(), fmt.Sprintf("-queue-bytes must be at least %d, for the largest request that -max-body permits", c.leastQueueBytes())},
		{c.WALBytes >= wal.MinBytes, fmt.Sprintf("-wal-bytes must be at least %d", wal.MinBytes)},
		{c.FlushInterval >= 0, "-flush-interval must not be negative"},
		{c.MaxSeries >= 0 && c.MaxSeries <= series.Most, fmt.Sprintf("-max-series must be at least 1 and at most %d, or 0 for no limit", series.Most)},
		{c.MaxConns > 0, "-max-conns must be at least 1"},
		{c.MaxBodyBytes > 0, "-max-body must be at least 1 byte"},
		{c.MaxBodiesBytes >= c.leastBodiesBytes(), fmt.Sprintf("-max-bodies must be at least %d, for one body that -max-body permits, and unpacked", c.leastBodiesBytes())},
		{c.MaxQuerySamples > 0, "-query-max-samples must be at least 1"},
		{c.MaxQueryBytes > 0, "-query-max-bytes must be at least 1"},
		{c.MaxQueryValues > 0, "-query-max-values must be at least 1"},
		{c.MaxQueries > 0, "-max-queries must be at least 1"},
		{c.ReadTimeout > 0 && c.WriteTimeout > 0 && c.IdleTimeout > 0, "-read-timeout, -write-timeout and -idle-timeout must be above 0, such as 5s"},
		{c.ShutdownTimeout > 0, "-shutdown-timeout must be above 0, such as 30s"},
		{c.AppendDelay >= 0, "-append-delay must not be negative"},
		{c.Data != "", "-data must name a file"},
	} {
		if !check.ok {
			return fmt.Errorf("%w: %s", ErrConfig, check.hint)
		}
	}
	return nil
}

// leastQueueBytes is what an empty queue must take: as many samples as fit into one request,
// with names and labels as long as its body. Escapes that are shorter in a request than in
// the file make labels three times as long at most.
func (c Config) leastQueueBytes() int { return 1<<20 + 3*c.MaxBodyBytes }

// leastBodiesBytes lets one body grow as far as it may, plain and unpacked: buffers double.
func (c Config) leastBodiesBytes() int64 { return 4 * int64(c.MaxBodyBytes) }

// rateLimit returns a limiter, nil for none, and the header that it goes by, "" for none.
func (c Config) rateLimit() (limit *ratelimit.Limiter, header string, err error) {
	header, ok := strings.CutPrefix(c.RateKey, "header:")
	switch {
	case !ok && c.RateKey != "address" || ok && !framing.IsName(header):
		return nil, "", fmt.Errorf("-rate-key %q is neither address nor header:NAME with a name that a header can have", c.RateKey)
	case !ok:
		header = ""
	}
	if c.RateLimit == "" {
		if c.RateBurst != 0 {
			return nil, "", errors.New("-rate-burst needs -rate-limit")
		}
		if ok {
			return nil, "", errors.New("-rate-key needs -rate-limit")
		}
		return nil, header, nil
	}
	rate, err := ratelimit.ParseRate(c.RateLimit)
	if err != nil {
		return nil, "", fmt.Errorf("-rate-limit: %w", err)
	}
	burst := c.RateBurst
	if burst == 0 {
		burst = rate.DefaultBurst()
	}
	if limit, err = ratelimit.New(rate, burst); err != nil {
		return nil, "", fmt.Errorf("-rate-burst: %w", err)
	}
	return limit, header, nil
}

// series returns a set for the limit, nil for none.
func (c Config) series() (*series.Set, error) {
	if c.MaxSeries == 0 {
		return nil, nil
	}
	return series.New(c.MaxSeries)
}

// pprofAddr returns the address with loopback for a missing host.
func (c Config) pprofAddr() (string, error) {
	if c.Pprof == "" {
		return "", nil
	}
	text := c.Pprof
	if !strings.Contains(text, ":") {
		text = ":" + text
	}
	host, port, err := net.SplitHostPort(text)
	n, numErr := strconv.Atoi(port)
	if err != nil || numErr != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("%q is not HOST:PORT or a port, such as 127.0.0.1:6060", c.Pprof)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port), nil
}
