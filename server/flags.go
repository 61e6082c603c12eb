package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"phase0/server/alerting/notify"
	"phase0/server/platform"
)

// errDone is returned when -h or -version has said everything.
var errDone = errors.New("done")

// usageError is the caller's mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

const help = `server runs the Phase 0 monitoring platform.

Usage:
  server [flags] [port]
  server check-rules FILE    says what is wrong with a rule file

  server                                     the baseline: one accept loop, one sample per write
  server -mode concurrent                    keep-alive, bounded queue, batched appends, indexed
                                             queries, alerts as samples come in
  server -mode single -ingest concurrent     one component replaced, the rest as in single
  server 8081                                another port
  server -rules rules.yml -webhook http://127.0.0.1:9093/hook

What to run:
  -mode NAME             single or concurrent: a preset of the next five (default single)
  -ingest NAME           single: one accept loop, one request per connection
                         concurrent: many connections at once, kept alive
  -queue NAME            memory: unbounded list, looked at every 100 ms
                         bounded: refuses with 503 above -queue-limit
                         wal: bounded, over a log on the disk that survives a crash
  -storage NAME          jsonl: open, append a line, close, for every sample
                         batched: the same file, many lines per write
  -query NAME            scan: read and parse the whole file, then filter
                         parallel: an index in memory, and a scan of the rest on all cores
  -alerting NAME         poll: evaluate every rule each -alert-interval
                         stream: evaluate samples as they come in, tell each change once

Where:
  -addr HOST:PORT        address to listen on; port 0 picks a free one (default %s)
  -data FILE             storage file (default %s)

Alerting:
  -rules FILE            rules in Prometheus' rule-file format (default: the three built in)
  -alert-interval D      poll: time between evaluations (default %v)
  -alert-group-wait D    stream: how long a notification waits for others (default %v)
  -alert-repeat-interval D   stream: tell again what goes on firing, each time with a key of
                         its own (default: once)
  -alert-max-series N    stream: series that rules read; more are not evaluated (default %d)
  -alert-max-samples N   stream: samples in their windows; the oldest leave (default %d)
  -alert-max-instances N stream: rules about series, in all; series that bring more are not
                         evaluated (default %d)
  -alert-max-active N    alerts, typically of 1.5 KiB each; more are not raised before others
                         are over (default %d)

Notifications, beside the console; each is kept on disk until it is delivered, and stream
remembers there what it told:
  -webhook URL           POST them there, in Alertmanager's webhook JSON, version 4
  -webhook-token-file F  with the bearer token in this file
  -alertmanager URL      POST them to the Alertmanager there
  -alertmanager-token-file F
                         with the bearer token in this file
  -outbox DIR            where they are kept (default: the storage file's name and .outbox)
  -outbox-bytes BYTES    and how much of them; above it the oldest are dropped. Up to a quarter
                         may be what stream remembers as told (default %d)
  A receiver has %v to answer; then, and after any other failure, it is tried again.
  An argument can be seen by other users of the machine. URLs that hold a secret, and
  tokens, can be in the environment instead: PHASE0_WEBHOOK, PHASE0_WEBHOOK_TOKEN,
  PHASE0_ALERTMANAGER, PHASE0_ALERTMANAGER_TOKEN.

Appending:
  -flush-interval D      least time between two appends that are not full, behind a bounded
                         queue; 0 appends at once (default %v)

Durable queue, -queue wal; its log is in FILE.wal beside the storage file:
  -sync POLICY           what a 202 means: always: the samples are on the disk, synced;
                         interval=D: they are D later; none: the system writes them some
                         time. All of them survive the end of the process (default %s)
  server fsck DIR        checks the log in DIR and its storage file, changes nothing; exit
                         code 1 if anything is damaged or cannot be read
  -wal-bytes BYTES       size of the log; when it is full, pushes get 503 (default %d)

Rate limit, for POST /metrics:
  -rate-limit RATE       requests of each client, of one sample or a batch, such as 1000/s,
                         90/m; more get 429 (default: no limit)
  -rate-burst N          requests at once after a pause (default 0: what comes in a second)
  -rate-key KEY          address, or header:NAME if a proxy sets it (default %s)

Logs and profiles:
  -log-requests          one log line per request, on stderr
  -pprof ADDR            Go profiles at http://ADDR/debug/pprof/, on loopback without a host

Limits:
  -queue-limit N         samples that a bounded queue holds (default %d)
  -queue-bytes BYTES     and what they take in memory at most (default %d)
  -max-series N          distinct series since the start; a new one above it gets 400; 0 is
                         no limit (default %d)
  -max-conns N           connections at a time; more get 503 (default %d)
  -max-body BYTES        request body; a larger one gets 413 (default %d)
  -max-bodies BYTES      memory of all request bodies under way; above it those that grow
                         get 503 (default %d)
  -query-max-samples N   samples in one answer; more get 422 (default %d)
  -query-max-bytes BYTES bytes of one answer with samples; more get 422 (default %d)
  -query-max-values N    samples of which percentiles are computed; more get 422 (default %d)
  -max-queries N         queries answered at a time; more get 503 (default %d)
  -read-timeout D        from a request's first byte to its last (default %v)
  -write-timeout D       for an answer (default %v)
  -idle-timeout D        between requests on a kept-alive connection (default %v)
  -shutdown-timeout D    for draining at the end (default %v)

Experiments:
  -append-delay D        each append takes at least D and at most 10 samples, so that
                         storage's capacity is 10/D; to see overload (default off)

  -h                     this text
  -version               version and commit

Try it:
  curl -d '{"name":"cpu_usage","value":85}' http://%[1]s/metrics
  curl 'http://%[1]s/query?name=cpu_usage'

SIGHUP, or POST /-/reload: read -rules again; a file with a fault changes nothing.
SIGINT or SIGTERM: stop accepting, store what was accepted, exit. A second one: exit at once.
Exit codes: 0 clean shutdown, 1 could not run or could not store everything, 2 usage.
`

// parseFlags turns the command line into a configuration.
func parseFlags(args []string, stdout io.Writer) (platform.Config, error) {
	cfg := platform.Defaults()
	fs := flag.NewFlagSet("server", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	chosen := platform.Components{}
	version := fs.Bool("version", false, "")
	fs.StringVar(&cfg.Mode, "mode", cfg.Mode, "")
	fs.StringVar(&chosen.Ingest, "ingest", "", "")
	fs.StringVar(&chosen.Queue, "queue", "", "")
	fs.StringVar(&chosen.Storage, "storage", "", "")
	fs.StringVar(&chosen.Query, "query", "", "")
	fs.StringVar(&chosen.Alerting, "alerting", "", "")
	fs.StringVar(&cfg.Addr, "addr", cfg.Addr, "")
	fs.StringVar(&cfg.Data, "data", cfg.Data, "")
	fs.StringVar(&cfg.RulesFile, "rules", cfg.RulesFile, "")
	fs.DurationVar(&cfg.AlertInterval, "alert-interval", cfg.AlertInterval, "")
	fs.DurationVar(&cfg.AlertGroupWait, "alert-group-wait", cfg.AlertGroupWait, "")
	fs.DurationVar(&cfg.AlertRepeatInterval, "alert-repeat-interval", cfg.AlertRepeatInterval, "")
	fs.IntVar(&cfg.AlertMaxSeries, "alert-max-series", cfg.AlertMaxSeries, "")
	fs.IntVar(&cfg.AlertMaxSamples, "alert-max-samples", cfg.AlertMaxSamples, "")
	fs.IntVar(&cfg.AlertMaxInstances, "alert-max-instances", cfg.AlertMaxInstances, "")
	fs.IntVar(&cfg.AlertMaxActive, "alert-max-active", cfg.AlertMaxActive, "")
	fs.StringVar(&cfg.Webhook.URL, "webhook", os.Getenv("PHASE0_WEBHOOK"), "")
	fs.StringVar(&cfg.Webhook.Token.File, "webhook-token-file", "", "")
	cfg.Webhook.Token.Text = os.Getenv("PHASE0_WEBHOOK_TOKEN")
	fs.StringVar(&cfg.Alertmanager.URL, "alertmanager", os.Getenv("PHASE0_ALERTMANAGER"), "")
	fs.StringVar(&cfg.Alertmanager.Token.File, "alertmanager-token-file", "", "")
	cfg.Alertmanager.Token.Text = os.Getenv("PHASE0_ALERTMANAGER_TOKEN")
	fs.StringVar(&cfg.Outbox, "outbox", cfg.Outbox, "")
	fs.Int64Var(&cfg.OutboxBytes, "outbox-bytes", cfg.OutboxBytes, "")
	fs.StringVar(&cfg.RateLimit, "rate-limit", cfg.RateLimit, "")
	fs.IntVar(&cfg.RateBurst, "rate-burst", cfg.RateBurst, "")
	fs.StringVar(&cfg.RateKey, "rate-key", cfg.RateKey, "")
	fs.StringVar(&cfg.Pprof, "pprof", cfg.Pprof, "")
	fs.BoolVar(&cfg.LogRequests, "log-requests", cfg.LogRequests, "")
	fs.DurationVar(&cfg.FlushInterval, "flush-interval", cfg.FlushInterval, "")
	fs.IntVar(&cfg.QueueLimit, "queue-limit", cfg.QueueLimit, "")
	fs.IntVar(&cfg.QueueBytes, "queue-bytes", cfg.QueueBytes, "")
	fs.IntVar(&cfg.MaxSeries, "max-series", cfg.MaxSeries, "")
	fs.StringVar(&cfg.Sync, "sync", cfg.Sync, "")
	fs.Int64Var(&cfg.WALBytes, "wal-bytes", cfg.WALBytes, "")
	fs.IntVar(&cfg.MaxConns, "max-conns", cfg.MaxConns, "")
	fs.IntVar(&cfg.MaxBodyBytes, "max-body", cfg.MaxBodyBytes, "")
	fs.Int64Var(&cfg.MaxBodiesBytes, "max-bodies", cfg.MaxBodiesBytes, "")
	fs.IntVar(&cfg.MaxQuerySamples, "query-max-samples", cfg.MaxQuerySamples, "")
	fs.IntVar(&cfg.MaxQueryBytes, "query-max-bytes", cfg.MaxQueryBytes, "")
	fs.IntVar(&cfg.MaxQueryValues, "query-max-values", cfg.MaxQueryValues, "")
	fs.IntVar(&cfg.MaxQueries, "max-queries", cfg.MaxQueries, "")
	fs.DurationVar(&cfg.ReadTimeout, "read-timeout", cfg.ReadTimeout, "")
	fs.DurationVar(&cfg.WriteTimeout, "write-timeout", cfg.WriteTimeout, "")
	fs.DurationVar(&cfg.IdleTimeout, "idle-timeout", cfg.IdleTimeout, "")
	fs.DurationVar(&cfg.ShutdownTimeout, "shutdown-timeout", cfg.ShutdownTimeout, "")

	fs.DurationVar(&cfg.AppendDelay, "append-delay", cfg.AppendDelay, "")

	ports, err := parseMixed(fs, args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		d := platform.Defaults()
		fmt.Fprintf(stdout, help, d.Addr, d.Data, d.AlertInterval, d.AlertGroupWait, d.AlertMaxSeries, d.AlertMaxSamples, d.AlertMaxInstances, d.AlertMaxActive, d.OutboxBytes, notify.DeliveryTimeout, d.FlushInterval, d.Sync, d.WALBytes, d.RateKey, d.QueueLimit, d.QueueBytes, d.MaxSeries, d.MaxConns, d.MaxBodyBytes, d.MaxBodiesBytes,
			d.MaxQuerySamples, d.MaxQueryBytes, d.MaxQueryValues, d.MaxQueries, d.ReadTimeout, d.WriteTimeout, d.IdleTimeout, d.ShutdownTimeout)
		return cfg, errDone
	case err != nil:
		return cfg, usageError{err}
	case *version:
		fmt.Fprintln(stdout, "server", buildVersion())
		return cfg, errDone
	}
	if err := setAddr(&cfg, ports); err != nil {
		return cfg, err
	}
	preset, err := platform.Mode(cfg.Mode)
	if err != nil {
		return cfg, usageError{err}
	}
	cfg.Components = chosen.Or(preset)
	return cfg, durableFlags(fs, cfg.Queue)
}

// durableFlags refuses flags of the durable queue beside another: who gives them believes that
// what was accepted is safe.
func durableFlags(fs *flag.FlagSet, queue string) (err error) {
	fs.Visit(func(f *flag.Flag) {
		if (f.Name == "sync" || f.Name == "wal-bytes") && queue != "wal" && err == nil {
			err = usagef("-%s is for -queue wal, and the queue is %s", f.Name, queue)
		}
	})
	return err
}

// parseMixed lets flags stand before and after other arguments, which it returns.
func parseMixed(fs *flag.FlagSet, args []string) (others []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		if fs.NArg() == 0 {
			return others, nil
		}
		others = append(others, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// setAddr applies the port argument and checks the address.
func setAddr(cfg *platform.Config, ports []string) error {
	if len(ports) > 1 {
		return usagef("unexpected argument %q; only one port may be given", ports[1])
	}
	host, port, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return usagef("-addr %q is not HOST:PORT, such as 127.0.0.1:8080", cfg.Addr)
	}
	if len(ports) == 1 {
		port = ports[0]
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return usagef("port %q is not a number from 0 to 65535", port)
	}
	cfg.Addr = net.JoinHostPort(host, port)
	return nil
}

// buildVersion tells what the Go toolchain stamped into the binary.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	var version strings.Builder
	version.WriteString(info.Main.Version)
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "vcs.modified" && s.Value == "true" {
			version.WriteString(" " + s.Key + "=" + s.Value)
		}
	}
	return version.String() + " " + info.GoVersion
}
