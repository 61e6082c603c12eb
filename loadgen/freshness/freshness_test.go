package freshness

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

func newTestProber(t *testing.T, cfg Config) *prober {
	t.Helper()
	p, err := newProber(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func probes(t *testing.T, ctx context.Context, cfg Config) record.Freshness {
	t.Helper()
	f, err := Run(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if f.Probes != f.Visible+f.Invisible+f.Open+f.NotAccepted {
		t.Errorf("probes do not add up: %+v", f)
	}
	if f.Lower.Count != f.Visible+f.Invisible+f.Open || f.Upper.Count != f.Visible || f.Upper.Censored != f.Invisible+f.Open {
		t.Errorf("%d lower bounds, %d upper, %d censored do not fit %+v", f.Lower.Count, f.Upper.Count, f.Upper.Censored, f)
	}
	return f
}

// Every bracket holds the instant that the server knows.
func TestBracketsHoldTheTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	tests := []struct {
		name   string
		delay  func(float64) time.Duration
		skew   time.Duration
		poll   time.Duration
		misses bool // the delay is long enough that some query must miss
	}{
		{name: "at once", delay: fixed(0)},
		{name: "before the answer", delay: fixed(-time.Second)},
		{name: "30ms", delay: fixed(30 * time.Millisecond), misses: true},
		{name: "30ms, slow polling", delay: fixed(30 * time.Millisecond), poll: 20 * time.Millisecond, misses: true},
		{name: "uniform", delay: func(float64) time.Duration { return time.Duration(rng.Int64N(int64(100 * time.Millisecond))) }, misses: true},
		{name: "clock an hour ahead", delay: fixed(30 * time.Millisecond), skew: time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := &platform{delay: tt.delay, skew: tt.skew}
			cfg := server.start(t)
			cfg.Poll, cfg.Timeout = tt.poll, 10*time.Second
			p := newTestProber(t, cfg)
			missed := false
			for number := int64(1); number <= 8; number++ {
				o := p.probe(t.Context(), number)
				if o.fate != visible {
					t.Fatalf("probe %d ended as %d: %+v", number, o.fate, o.refusal)
				}
				if truth := server.truth(number, o.accepted); o.lower > truth || truth > o.upper {
					t.Errorf("probe %d: %v is outside [%v, %v]", number, truth, o.lower, o.upper)
				}
				missed = missed || o.lower > 0
			}
			if tt.misses && !missed {
				t.Error("no probe has a lower bound")
			}
		})
	}
}

// The percentiles' brackets hold the percentiles of the true values, which the
// sorted slice knows.
func TestPercentileBracketsHoldTheTruth(t *testing.T) {
	t.Parallel()
	const n = 100
	rng := rand.New(rand.NewPCG(8, 8))
	delays := make([]time.Duration, n+1)
	for i := range delays {
		delays[i] = time.Duration(rng.Int64N(int64(100 * time.Millisecond)))
	}
	server := &platform{delay: func(number float64) time.Duration { return delays[int(number)] }}
	cfg := server.start(t)
	cfg.Timeout = 10 * time.Second
	p := newTestProber(t, cfg)
	truths := make([]float64, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			sleep(t.Context(), time.Duration(i)*5*time.Millisecond)
			o := p.probe(t.Context(), int64(i+1))
			p.enter(o)
			truths[i] = float64(server.truth(int64(i+1), o.accepted))
		})
	}
	wg.Wait()
	f, err := p.book.Result()
	if err != nil {
		t.Fatal(err)
	}
	if f.Visible != n || f.QueryErrors != 0 {
		t.Fatalf("%d of %d visible: %+v", f.Visible, n, f)
	}
	slices.Sort(truths)
	for i, lower := range f.Lower.Percentiles {
		upper := f.Upper.Percentiles[i]
		if lower.Needs > n {
			continue
		}
		truth := truths[int(math.Ceil(lower.Quantile*n))-1]
		// The histograms are exact to 0.1 %.
		if float64(lower.NS) > truth*1.001 || float64(upper.NS) < truth*0.999 || upper.AtLeast {
			t.Errorf("%s: %v is outside [%d, %d]", lower.Name, truth, lower.NS, upper.NS)
		}
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	server := &platform{delay: fixed(20 * time.Millisecond)}
	cfg := server.start(t)
	cfg.Every, cfg.Duration, cfg.Timeout = 5*time.Millisecond, 250*time.Millisecond, 10*time.Second
	cfg.Concurrent = 100
	cfg.Headers = []engine.Header{{Name: "X-Test", Value: "yes"}}
	f := probes(t, t.Context(), cfg)
	// One start in each period but the first.
	if f.Probes != 49 || f.Visible != 49 || f.Skipped != 0 || f.QueryErrors != 0 {
		t.Errorf("%+v", f)
	}
	if f.Queries != int64(server.queries) || f.Probes != int64(server.posts) {
		t.Errorf("%d queries and %d probes; the server saw %d and %d", f.Queries, f.Probes, server.queries, server.posts)
	}
	if f.EverySeconds != 0.005 || f.TimeoutSeconds != 10 || f.FirstError != "" {
		t.Errorf("%+v", f)
	}
	if server.headers[""] || !server.headers["yes"] {
		t.Errorf("headers %v, want yes in all requests", server.headers)
	}
}

func TestNeverVisibleIsCensored(t *testing.T) {
	t.Parallel()
	server := &platform{delay: fixed(never)}
	cfg := server.start(t)
	// Longer than a busy machine takes for the sample's own answer.
	cfg.Every, cfg.Duration, cfg.Timeout = 10*time.Millisecond, 100*time.Millisecond, 5*time.Second
	f := probes(t, t.Context(), cfg)
	// A probe's last query may have been on its way when its time was over.
	if f.Probes != 9 || f.Invisible != 9 || f.QueryErrors != f.QueryErrorKinds["timeout"] || f.QueryErrors > 9 {
		t.Errorf("%+v", f)
	}
	if f.Lower.Max.NS == 0 || f.Lower.Max.NS > int64(cfg.Timeout)*1001/1000 {
		t.Errorf("lower bounds up to %d, want some within the timeout", f.Lower.Max.NS)
	}
	if summary := f.Summary(); !strings.Contains(summary, "9 not visible within 5s") {
		t.Error(summary)
	}
}

// A query that tells nothing is neither a miss nor a hit.
func TestQueryErrorsAreKeptApart(t *testing.T) {
	tests := []struct {
		name  string
		kind  string
		query http.HandlerFunc
	}{
		{"garbage", "bad_json", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }},
		{"object", "bad_json", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"rows":[]}`) }},
		{"500", "status_500", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "[]", http.StatusInternalServerError) }},
		{"429", "status_429", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "[]", http.StatusTooManyRequests) }},
		{"redirect", "status_302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/query", http.StatusFound) }},
		{"announced too large", "too_large", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(bodyLimit+1))
			_, _ = w.Write(make([]byte, bodyLimit+1))
		}},
		{"chunks without end", "too_large", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
					return
				}
			}
		}},
		{"large header", "too_large", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Large", strings.Repeat("x", 2*headerLimit))
		}},
		{"not HTTP", "bad_response", raw("SSH-2.0-OpenSSH\r\n\r\n")},
		{"closed without an answer", "eof", raw("")},
		{"cut short", "eof", raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			server := &platform{delay: fixed(0)}
			server.query = func(w http.ResponseWriter, r *http.Request) {
				if server.count(&server.queries) == 3 {
					cancel()
				}
				tt.query(w, r)
			}
			p := newTestProber(t, server.start(t))
			p.enter(p.probe(ctx, 1))
			f, err := p.book.Result()
			if err != nil {
				t.Fatal(err)
			}
			if f.Open != 1 || f.Lower.Max.NS != 0 || f.FirstError == "" {
				t.Errorf("%+v", f)
			}
			// The third may have failed before it was cut off.
			if n := f.QueryErrorKinds[tt.kind]; n < 2 || n != f.QueryErrors || f.Queries != 3 {
				t.Errorf("%d queries, kinds %v, want %s", f.Queries, f.QueryErrorKinds, tt.kind)
			}
		})
	}
}

func TestSilentQueriesTimeOut(t *testing.T) {
	t.Parallel()
	server := &platform{delay: fixed(0), query: hang}
	p := newTestProber(t, server.start(t))
	p.Timeout = 5 * time.Second // in which the sample's own answer comes on a busy machine, too
	o := p.probe(t.Context(), 1)
	f, err := p.book.Result()
	if o.fate != invisible || o.lower != 0 || f.QueryErrorKinds["timeout"] != 1 || err != nil {
		t.Errorf("%+v, kinds %v, error %v", o, f.QueryErrorKinds, err)
	}
}

// raw answers with these bytes and closes.
func raw(answer string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, answer)
		conn.Close()
	}
}

// Failed queries between misses and hit widen the bracket and do no harm.
func TestFailedQueriesBetweenKeepTheBracketTrue(t *testing.T) {
	t.Parallel()
	server := &platform{delay: fixed(30 * time.Millisecond), busy: 2}
	cfg := server.start(t)
	cfg.Timeout = 10 * time.Second
	p := newTestProber(t, cfg)
	for number := int64(1); number <= 10; number++ {
		o := p.probe(t.Context(), number)
		truth := server.truth(number, o.accepted)
		if o.fate != visible || o.lower > truth || truth > o.upper {
			t.Errorf("probe %d: %v is outside [%v, %v], fate %d", number, truth, o.lower, o.upper, o.fate)
		}
	}
	if f, err := p.book.Result(); err != nil || f.QueryErrorKinds["status_503"] == 0 {
		t.Errorf("kinds %v, error %v", f.QueryErrorKinds, err)
	}
}

func TestNotAccepted(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := Config{Ingest: parse(t, "http://"+ln.Addr().String()+"/metrics"), RunID: "test"}
	ln.Close()
	with := func(h http.HandlerFunc) Config { return (&platform{post: h}).start(t) }
	tests := []struct {
		kind string
		cfg  Config
	}{
		{"refused", nobody},
		{"status_503", with(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "full", http.StatusServiceUnavailable) })},
		{"status_400", with(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad", http.StatusBadRequest) })},
		{"eof", with(raw(""))},
		{"bad_response", with(raw("no\r\n\r\n"))},
		{"timeout", with(hang)},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			tt.cfg.Every, tt.cfg.Duration, tt.cfg.Timeout = 2*time.Millisecond, 20*time.Millisecond, 10*time.Second
			if tt.kind == "timeout" {
				tt.cfg.Timeout = 50 * time.Millisecond
			}
			f := probes(t, t.Context(), tt.cfg)
			if f.NotAccepted != 9 || f.NotAcceptedKinds[tt.kind] != 9 || f.Queries != 0 || f.FirstError == "" {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestServerDiesMidway(t *testing.T) {
	t.Parallel()
	server := &platform{delay: fixed(5 * time.Millisecond)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dying := &http.Server{Handler: server}
	go func() { _ = dying.Serve(ln) }()
	cfg := Config{Ingest: parse(t, "http://"+ln.Addr().String()+"/ingest"), RunID: "test"}
	cfg.Every, cfg.Duration, cfg.Timeout = 10*time.Millisecond, 3*time.Second, time.Second
	ctx, cancel := context.WithCancel(t.Context())
	var killer sync.WaitGroup
	defer killer.Wait()
	defer cancel()
	killer.Go(func() {
		for (server.count(&server.posts) < 20 || server.count(&server.hits) < 5) && sleep(ctx, time.Millisecond) {
		}
		dying.Close()
	})
	f := probes(t, t.Context(), cfg)
	if f.Visible == 0 || f.NotAcceptedKinds["refused"] == 0 || f.Visible+f.Invisible+f.NotAccepted != f.Probes {
		t.Errorf("%+v", f)
	}
}

func TestContextCutsProbesOff(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		server  *platform
		reached func(*platform) int // 4 when all probes have come that far
		open    int64
	}{
		{"waiting to be visible", &platform{delay: fixed(never)}, func(p *platform) int { return min(p.count(&p.queries)/20, 4) }, 4},
		{"waiting for an answer to a query", &platform{delay: fixed(0), query: hang}, func(p *platform) int { return p.count(&p.queries) }, 4},
		{"waiting for the sample's answer", &platform{post: hang}, func(p *platform) int { return p.count(&p.posts) }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := tt.server.start(t)
			cfg.Every, cfg.Timeout, cfg.Concurrent = time.Millisecond, maxTimeout, 4
			ctx, cancel := context.WithCancel(t.Context())
			var canceller sync.WaitGroup
			defer canceller.Wait()
			canceller.Go(func() {
				for tt.reached(tt.server) < 4 && sleep(t.Context(), time.Millisecond) {
				}
				cancel()
			})
			f := probes(t, ctx, cfg)
			if f.Probes != 4 || f.Open != tt.open || f.NotAcceptedKinds["interrupted"] != 4-tt.open {
				t.Errorf("%+v", f)
			}
			if f.QueryErrors != 0 || f.FirstError != "" {
				t.Errorf("an interruption is no error: %v %q", f.QueryErrorKinds, f.FirstError)
			}
		})
	}
}

func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // the server notices the end only then
	<-r.Context().Done()
}

func TestProbesDoNotQueueUp(t *testing.T) {
	t.Parallel()
	server := &platform{delay: fixed(never)}
	cfg := server.start(t)
	cfg.Every, cfg.Duration, cfg.Timeout, cfg.Concurrent = time.Millisecond, 300*time.Millisecond, 100*time.Millisecond, 3
	begin := time.Now()
	f := probes(t, t.Context(), cfg)
	rounds := int64(time.Since(begin)/cfg.Timeout) + 1
	if f.Probes < 3 || f.Probes > 3*rounds || f.Probes+f.Skipped != 299 {
		t.Errorf("%d probes and %d skipped in %d rounds", f.Probes, f.Skipped, rounds)
	}
}

func TestStartsAreOnePerPeriodAndSpread(t *testing.T) {
	const every = 10 * time.Millisecond
	g, again := newGrid(every, 3), newGrid(every, 3)
	var early int
	for number := int64(1); number <= 1000; number++ {
		start := g.start(number)
		if got := int64(start / every); got != number {
			t.Fatalf("start %d is in period %d", number, got)
		}
		if start != again.start(number) {
			t.Fatalf("start %d differs with the same seed", number)
		}
		if start%every < every/2 {
			early++
		}
	}
	// Five standard deviations.
	if early < 420 || early > 580 {
		t.Errorf("%d of 1000 starts are in the first half of their period", early)
	}
}

func TestPause(t *testing.T) {
	for _, tt := range []struct{ poll, age, want time.Duration }{
		{0, 0, time.Millisecond},
		{0, 20 * time.Millisecond, time.Millisecond},
		{0, 100 * time.Millisecond, 5 * time.Millisecond},
		{0, 4 * time.Second, 200 * time.Millisecond},
		{7 * time.Millisecond, 4 * time.Second, 7 * time.Millisecond},
	} {
		p := prober{Config: Config{Poll: tt.poll}}
		if got := p.pause(tt.age); got != tt.want {
			t.Errorf("poll %v at %v: pause %v, want %v", tt.poll, tt.age, got, tt.want)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	tests := []struct {
		want  string
		spoil func(*Config)
	}{
		{"ingest URL", func(c *Config) { c.Ingest = nil }},
		{"ingest URL", func(c *Config) { c.Ingest.Scheme = "https" }},
		{"run id", func(c *Config) { c.RunID = "" }},
		{"run id", func(c *Config) { c.RunID = `a"b` }},
		{"period", func(c *Config) { c.Every = time.Microsecond }},
		{"timeout", func(c *Config) { c.Timeout = time.Hour }},
		{"at the same time", func(c *Config) { c.Concurrent = -1 }},
		{"duration", func(c *Config) { c.Duration = -1 }},
		{"pause", func(c *Config) { c.Poll = -1 }},
		{"header Content-Length", func(c *Config) { c.Headers = []engine.Header{{Name: "Content-Length", Value: "1"}} }},
	}
	for _, tt := range tests {
		cfg := Config{Ingest: parse(t, "http://127.0.0.1:1/metrics"), RunID: "a-B_9"}
		newTestProber(t, cfg)
		tt.spoil(&cfg)
		if _, err := Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want one about %q", err, tt.want)
		}
	}
}
