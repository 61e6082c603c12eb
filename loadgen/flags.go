package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/knee"
	"phase0/loadgen/run"
	"phase0/loadgen/schedule"
	"phase0/loadgen/slo"
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

	defaultVerifyWait = 30 * time.Second
	defaultFindTime   = 5 * time.Second
	defaultSLO        = "p99<20ms,err<0.1%"
)

// Formats of what is printed.
const (
	formatText = "text"
	formatJSON = "json"
	formatGo   = "bench" // of Go benchmarks
)

// options is the command line.
type options struct {
	config     run.Config // without RunID, Version and Progress
	objectives []slo.Objective
	out        string // file for the result, or empty
	hdr        string // file for the percentile distribution, or empty
	format     string
	quiet      bool
	version    bool
}

// findOptions is the command line of find.
type findOptions struct {
	options
	search knee.Config // without Progress
}

// usageError is a command line that cannot be understood.
type usageError struct {
	err     error
	command string // whose help explains, with a space in front; empty for a plain load
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...)}
}

// raw is the command line before its values are checked together.
type raw struct {
	options
	target      string
	body        string
	headers     headerList
	arrivals    string
	query       string
	slo         string
	insecure    bool
	authorities string          // file of certificates, or empty
	given       map[string]bool // flags that were set
}

// parse reads the command line of a run. Flags may stand before and after the URL.
// flag.ErrHelp means that help was asked for.
func parse(args []string) (options, error) {
	r := newRaw()
	if err := r.read(r.flags(), args); err != nil || r.version {
		return r.options, err
	}
	return r.resolve()
}

// parseFind reads the command line of find, which has most flags of a run.
func parseFind(args []string) (findOptions, error) {
	r := newRaw()
	r.slo, r.config.Duration = defaultSLO, defaultFindTime
	var search knee.Config
	fs := r.flags()
	fs.Func("from", "", rateFlag(&search.From))
	fs.Func("max", "", rateFlag(&search.Max))
	fs.Func("precision", "", percentFlag(&search.Precision))
	fs.IntVar(&search.Confirm, "confirm", 0, "")
	if err := r.read(fs, args); err != nil || r.version {
		return findOptions{options: r.options}, err
	}
	for _, name := range []string{"rps", "profile", "model", "n", "verify", "freshness", "hdr"} {
		if r.given[name] {
			return findOptions{}, usagef("-%s does not go with find, which makes runs of its own", name)
		}
	}
	if r.format == formatGo {
		return findOptions{}, usagef("-format %s does not go with find", formatGo)
	}
	opts, err := r.resolve()
	if err != nil {
		return findOptions{}, err
	}
	search.Objectives, search.Seed = opts.objectives, opts.config.Seed
	if _, _, err := knee.EstimateRuns(search); err != nil {
		return findOptions{}, usagef("%w", err)
	}
	return findOptions{options: opts, search: search}, nil
}

func newRaw() *raw { return &raw{target: defaultURL, given: map[string]bool{}} }

// read takes the arguments.
func (r *raw) read(fs *flag.FlagSet, args []string) error {
	targets, err := scan(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	if err != nil {
		return usagef("%w", err)
	}
	if len(targets) > 1 {
		return usagef("unexpected argument %q: there can be one URL", targets[1])
	}
	if len(targets) == 1 {
		r.target = targets[0]
	}
	fs.Visit(func(f *flag.Flag) { r.given[f.Name] = true })
	return nil
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
	r.loadFlags(fs)
	r.requestFlags(fs)
	r.checkFlags(fs)
	r.outputFlags(fs)
	fs.BoolVar(&r.version, "version", false, "")
	return fs
}

// outputFlags are about what is written.
func (r *raw) outputFlags(fs *flag.FlagSet) {
	fs.StringVar(&r.out, "o", "", "")
	fs.StringVar(&r.hdr, "hdr", "", "")
	fs.StringVar(&r.format, "format", formatText, "")
	fs.BoolVar(&r.quiet, "quiet", false, "")
}

// loadFlags are about how much and how fast.
func (r *raw) loadFlags(fs *flag.FlagSet) {
	c := &r.config
	c.RPS, c.Timeout, c.Connections = defaultRPS, defaultTimeout, defaultConnections
	if c.Duration == 0 {
		c.Duration = defaultDuration
	}
	fs.Func("rps", "", rateFlag(&c.RPS))
	fs.Func("profile", "", func(s string) (err error) {
		c.Phases, err = schedule.ParseProfile(s)
		c.Profile = s
		return err
	})
	fs.StringVar(&r.arrivals, "arrivals", string(schedule.Uniform), "")
	fs.Func("d", "", durationFlag(&c.Duration, minDuration, maxDuration))
	fs.Func("timeout", "", durationFlag(&c.Timeout, minTimeout, maxTimeout))
	connections := func(s string) error {
		n := int64(c.Connections)
		err := countFlag(&n, maxConnections)(s)
		c.Connections = int(n)
		return err
	}
	fs.Func("c", "", connections)
	fs.Func("max-conns", "", connections)
	fs.Func("n", "", countFlag(&c.Requests, maxRequests))
	fs.StringVar(&c.Model, "model", run.Open, "")
	fs.StringVar(&c.Engine, "engine", run.Auto, "")
	fs.BoolVar(&c.KeepAlive, "keepalive", true, "")
	fs.BoolVar(&c.Reconnect, "reconnect", false, "")
	fs.Uint64Var(&c.Seed, "seed", 1, "")
}

// requestFlags are about what is sent.
func (r *raw) requestFlags(fs *flag.FlagSet) {
	c := &r.config
	fs.StringVar(&c.Method, "m", "POST", "")
	fs.StringVar(&r.body, "body", "", "")
	fs.Func("batch", "", func(s string) error {
		n := int64(c.Batch)
		err := countFlag(&n, engine.MaxBatch)(s)
		c.Batch = int(n)
		return err
	})
	fs.BoolVar(&c.Literal, "literal", false, "")
	fs.Var(&r.headers, "H", "")
	fs.BoolVar(&r.insecure, "insecure", false, "")
	fs.StringVar(&r.authorities, "cacert", "", "")
}

// checkFlags are about what is looked at beside the load.
func (r *raw) checkFlags(fs *flag.FlagSet) {
	c := &r.config
	c.VerifyWait = defaultVerifyWait
	fs.Func("query-rps", "", rateFlag(&c.QueryRPS))
	fs.StringVar(&r.query, "query-url", "", "")
	fs.BoolVar(&c.Freshness, "freshness", false, "")
	fs.BoolVar(&c.Verify, "verify", false, "")
	fs.Func("verify-wait", "", durationFlag(&c.VerifyWait, minTimeout, maxTimeout))
	fs.StringVar(&r.slo, "slo", r.slo, "")
}

// resolve checks what depends on more than one flag.
func (r *raw) resolve() (options, error) {
	c := &r.config
	var err error
	if c.URL, err = parseTarget(r.target); err != nil {
		return options{}, err
	}
	for _, check := range []func() error{r.checkModel, r.checkRequest, r.checkTLS, r.checkBeside, r.checkOutput} {
		if err := check(); err != nil {
			return options{}, err
		}
	}
	if (r.given["n"] || len(c.Phases) > 0) && !r.given["d"] {
		c.Duration = 0
	}
	if err := c.Check(); err != nil {
		return options{}, usagef("%w", err)
	}
	return r.options, nil
}

func (r *raw) checkModel() error {
	c := &r.config
	c.Arrivals = schedule.Arrivals(r.arrivals)
	switch {
	case c.Model != run.Open && c.Model != run.Closed:
		return usagef("-model %q is neither open nor closed", c.Model)
	case c.Arrivals != schedule.Uniform && c.Arrivals != schedule.Poisson:
		return usagef("-arrivals %q is neither %s nor %s", r.arrivals, schedule.Uniform, schedule.Poisson)
	case r.given["rps"] && r.given["profile"]:
		return usagef("-rps and -profile both say the rate: give one")
	}
	for _, name := range []string{"rps", "profile", "arrivals"} {
		if c.Model == run.Closed && r.given[name] {
			return usagef("-%s needs -model open: in the closed model answers set the pace", name)
		}
	}
	return nil
}

func (r *raw) checkRequest() (err error) {
	c := &r.config
	switch {
	case !isToken(c.Method):
		return usagef("-m %q is not an HTTP method", c.Method)
	case r.given["body"] && !engine.CarriesBody(c.Method):
		return usagef("-body needs a method that carries one, such as POST; -m is %s", c.Method)
	case r.given["batch"] && (r.given["body"] || !engine.CarriesBody(c.Method)):
		return usagef("-batch is of the default body, and needs it")
	}
	c.Headers = r.headers
	if r.given["body"] {
		c.Body, err = readBody(r.body)
	}
	return err
}

func (r *raw) checkTLS() error {
	c := &r.config
	if (r.insecure || r.authorities != "") && c.URL.Scheme != "https" {
		return usagef("-insecure and -cacert need an https url")
	}
	if c.URL.Scheme != "https" {
		return nil
	}
	c.TLS = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: r.insecure}
	if r.authorities == "" {
		return nil
	}
	pem, err := os.ReadFile(r.authorities)
	if err != nil {
		return usagef("-cacert: %w", err)
	}
	c.TLS.RootCAs = x509.NewCertPool()
	if !c.TLS.RootCAs.AppendCertsFromPEM(pem) {
		return usagef("-cacert: %s holds no certificate in PEM form", r.authorities)
	}
	return nil
}

func (r *raw) checkBeside() (err error) {
	c := &r.config
	switch {
	case c.Verify && (r.given["body"] || !engine.CarriesBody(c.Method)):
		return usagef("-verify knows the samples of the default body only")
	case r.given["verify-wait"] && !c.Verify:
		return usagef("-verify-wait needs -verify")
	case r.given["query-url"] && c.QueryRPS == 0:
		return usagef("-query-url needs -query-rps")
	case c.QueryRPS > 0 && c.Model == run.Closed && r.given["n"] && !r.given["d"]:
		return usagef("-query-rps needs -d in the closed model")
	case c.Freshness && c.Model == run.Closed && r.given["n"] && !r.given["d"]:
		return usagef("-freshness needs -d in the closed model")
	}
	if r.given["query-url"] {
		if c.QueryURL, err = parseQueryURL(r.query, c.URL); err != nil {
			return err
		}
	}
	if r.slo != "" || r.given["slo"] {
		if r.objectives, err = slo.Parse(r.slo); err != nil {
			return usagef("-slo: %w", err)
		}
	}
	return nil
}

func (r *raw) checkOutput() error {
	switch {
	case r.given["o"] && r.out == "":
		return usagef("-o needs a file name")
	case r.out != "" && r.out == r.hdr:
		return usagef("-o and -hdr name the same file")
	case r.given["hdr"] && r.hdr == "":
		return usagef("-hdr needs a file name")
	case r.format != formatText && r.format != formatJSON && r.format != formatGo:
		return usagef("-format %q is unknown: %s, %s or %s", r.format, formatText, formatJSON, formatGo)
	}
	return nil
}

// parseQueryURL understands a URL, or a path on the host of the load.
func parseQueryURL(s string, load *url.URL) (*url.URL, error) {
	if strings.HasPrefix(s, "/") {
		u, err := load.Parse(s)
		if err != nil {
			return nil, usagef("-query-url %q is neither a URL nor a path", s)
		}
		u.RawQuery = strings.ReplaceAll(u.RawQuery, " ", "%20")
		return u, nil
	}
	u, err := parseTarget(s)
	if err != nil {
		return nil, usagef("-query-url: %w", err)
	}
	return u, nil
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
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, usagef("%q: scheme %s is not supported, only http and https", s, u.Scheme)
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
	u.RawQuery = strings.ReplaceAll(u.RawQuery, " ", "%20")
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

func rateFlag(into *float64) func(string) error {
	return func(s string) (err error) {
		*into, err = schedule.ParseRate(s)
		return err
	}
}

// percentFlag reads 5% or 0.05.
func percentFlag(into *float64) func(string) error {
	return func(s string) error {
		text, percent := strings.CutSuffix(s, "%")
		v, err := strconv.ParseFloat(text, 64)
		if percent {
			v /= 100
		}
		if err != nil || !(v > 0 && v <= 1) {
			return errors.New("must be above 0 and at most 1, or a percentage such as 5%")
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
