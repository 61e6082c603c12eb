package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/run"
	"phase0/loadgen/schedule"
)

// Defaults and ranges of the flags.
const (
	defaultURL         = "http://127.0.0.1:8080/metrics"
	defaultPath        = "/metrics"
	defaultRPS         = 200
	defaultDuration    = 10 * time.Second
	defaultConnections = 64
	defaultTimeout     = 5 * time.Second

	minDuration    = 10 * time.Millisecond
	maxDuration    = 24 * time.Hour
	maxConnections = 10_000
	maxRequests    = 1_000_000_000_000
	minTimeout     = time.Millisecond
	maxTimeout     = 10 * time.Minute
)

// options is the command line.
type options struct {
	config  run.Config // without RunID, Version and Progress
	out     string     // file for the result, or empty
	quiet   bool
	version bool
}

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// raw is the command line before its values are checked together.
type raw struct {
	options
	target  string
	body    string
	headers headerList
	given   map[string]bool // flags that were set
}

// parse reads the command line. Flags may stand before and after the URL.
// flag.ErrHelp means that help was asked for.
func parse(args []string) (options, error) {
	r := raw{target: defaultURL, given: map[string]bool{}}
	fs := r.flags()
	targets, err := scan(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		return options{}, err
	}
	if err != nil {
		return options{}, usagef("%w", err)
	}
	if len(targets) > 1 {
		return options{}, usagef("unexpected argument %q: there can be one URL", targets[1])
	}
	if len(targets) == 1 {
		r.target = targets[0]
	}
	fs.Visit(func(f *flag.Flag) { r.given[f.Name] = true })
	if r.version {
		return r.options, nil
	}
	return r.resolve()
}

// scan parses flags and returns the arguments between them.
func scan(fs *flag.FlagSet, args []string) ([]string, error) {
	var targets []string
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		if fs.NArg() == 0 {
			return targets, nil
		}
		targets = append(targets, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

func (r *raw) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("loadgen", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	c := &r.config
	c.RPS, c.Duration, c.Timeout = defaultRPS, defaultDuration, defaultTimeout
	fs.Func("rps", "", rpsFlag(&c.RPS))
	fs.Func("d", "", durationFlag(&c.Duration, minDuration, maxDuration))
	fs.Func("timeout", "", durationFlag(&c.Timeout, minTimeout, maxTimeout))
	connections := int64(defaultConnections)
	c.Connections = defaultConnections
	fs.Func("c", "", func(s string) error {
		err := countFlag(&connections, maxConnections)(s)
		c.Connections = int(connections)
		return err
	})
	fs.Func("n", "", countFlag(&c.Requests, maxRequests))
	fs.StringVar(&c.Model, "model", run.Open, "")
	fs.StringVar(&c.Method, "m", "POST", "")
	fs.StringVar(&c.Engine, "engine", run.Auto, "")
	fs.BoolVar(&c.KeepAlive, "keepalive", true, "")
	fs.Uint64Var(&c.Seed, "seed", 1, "")
	fs.StringVar(&r.body, "body", "", "")
	fs.Var(&r.headers, "H", "")
	fs.StringVar(&r.out, "o", "", "")
	fs.BoolVar(&r.quiet, "quiet", false, "")
	fs.BoolVar(&r.version, "version", false, "")
	return fs
}

// resolve checks what depends on more than one flag.
func (r *raw) resolve() (options, error) {
	c := &r.config
	var err error
	if c.URL, err = parseTarget(r.target); err != nil {
		return options{}, err
	}
	switch {
	case c.Model != run.Open && c.Model != run.Closed:
		return options{}, usagef("-model %q is neither open nor closed", c.Model)
	case c.Model == run.Closed && r.given["rps"]:
		return options{}, usagef("-rps needs -model open: in the closed model answers set the pace")
	case !isToken(c.Method):
		return options{}, usagef("-m %q is not an HTTP method", c.Method)
	case r.given["o"] && r.out == "":
		return options{}, usagef("-o needs a file name")
	case r.given["body"] && !engine.CarriesBody(c.Method):
		return options{}, usagef("-body needs a method that carries one, such as POST; -m is %s", c.Method)
	}
	if r.given["n"] && !r.given["d"] {
		c.Duration = 0
	}
	c.Headers = r.headers
	if r.given["body"] {
		if c.Body, err = readBody(r.body); err != nil {
			return options{}, err
		}
	}
	return r.options, nil
}

// parseTarget understands a URL, or host:port with or without a path. Without a
// path the target is /metrics, without a host this machine.
func parseTarget(s string) (*url.URL, error) {
	text := s
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, usagef("%q is not a URL such as %s", s, defaultURL)
	case u.Scheme == "https":
		return nil, usagef("%q: https is not supported, only http", s)
	case u.Scheme != "http":
		return nil, usagef("%q: scheme %s is not supported, only http", s, u.Scheme)
	case u.Hostname() == "" && u.Port() == "":
		return nil, usagef("%q has no host; write it like %s", s, defaultURL)
	case u.User != nil:
		return nil, usagef("%q: put credentials into a header: -H 'Authorization: ...'", s)
	}
	if port, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || port < 1 || port > 65535) {
		return nil, usagef("%q: port %s is outside 1 to 65535", s, u.Port())
	}
	if u.Hostname() == "" {
		u.Host = "127.0.0.1" + u.Host
	}
	if u.Path == "" {
		u.Path = defaultPath
	}
	u.Fragment = ""
	return u, nil
}

// readBody returns the text, or the content of the file for @file.
func readBody(s string) ([]byte, error) {
	name, isFile := strings.CutPrefix(s, "@")
	if !isFile {
		return []byte(s), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, usagef("-body: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, engine.MaxBody+1))
	if err != nil {
		return nil, usagef("-body: %w", err)
	}
	if len(data) > engine.MaxBody {
		return nil, usagef("-body: %s is larger than %d MiB", name, engine.MaxBody>>20)
	}
	return data, nil
}

// The errors below come after "invalid value "x" for flag -f: ".

func rpsFlag(into *float64) func(string) error {
	return func(s string) error {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(v) || v < schedule.MinRate || v > schedule.MaxRate {
			return fmt.Errorf("must be %v to %d requests per second", schedule.MinRate, schedule.MaxRate)
		}
		*into = v
		return nil
	}
}

func durationFlag(into *time.Duration, lowest, highest time.Duration) func(string) error {
	return func(s string) error {
		v, err := time.ParseDuration(s)
		if err != nil || v < lowest || v > highest {
			return fmt.Errorf("must be %v to %v, with a unit, such as 10s", lowest, highest)
		}
		*into = v
		return nil
	}
}

func countFlag(into *int64, highest int64) func(string) error {
	return func(s string) error {
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil || v < 1 || v > highest {
			return fmt.Errorf("must be 1 to %d", highest)
		}
		*into = v
		return nil
	}
}

// headerList is a repeatable flag of "Name: value".
type headerList []engine.Header

func (h *headerList) String() string { return "" }

func (h *headerList) Set(s string) error {
	name, value, ok := strings.Cut(s, ":")
	if !ok || !isToken(name) || strings.ContainsAny(value, "\r\n\x00") {
		return errors.New("must be like 'Name: value'")
	}
	if engine.Frames(name) {
		return errors.New("loadgen frames messages itself; see -keepalive for connections")
	}
	*h = append(*h, engine.Header{Name: name, Value: strings.TrimSpace(value)})
	return nil
}

// isToken reports whether s is a token of HTTP, as methods and header names are.
func isToken(s string) bool {
	for _, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		digit := c >= '0' && c <= '9'
		if !letter && !digit && !strings.ContainsRune("!#$%&'*+-.^_`|~", c) {
			return false
		}
	}
	return s != ""
}

// version is the module's version, or the commit of a local build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}
