package verify

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The windows that were answered must cover all of time, once.
func TestWindowsAreDisjointAndCoverAllOfTime(t *testing.T) {
	f := filled(20_000)
	f.limit = 100
	if v := verified(t, f.start(t, accepted(20_000), 1)); v.Read != 20_000 || !v.OK() {
		t.Fatalf("%+v", v)
	}
	next, halved := int64(0), 0
	for i, q := range f.queries {
		if q.Get("name") != series(3) {
			continue
		}
		start, _ := strconv.ParseInt(q.Get("start"), 10, 64)
		end, _ := strconv.ParseInt(q.Get("end"), 10, 64)
		if start != next {
			t.Fatalf("query %d starts at %d, want %d", i, start, next)
		}
		// A window that is asked for again with less had been too much.
		if i+1 < len(f.queries) && f.queries[i+1].Get("name") == series(3) && f.queries[i+1].Get("start") == q.Get("start") {
			halved++
			continue
		}
		next = end + 1
	}
	if next != math.MinInt64 {
		t.Errorf("the last window ends before %d", next)
	}
	if halved < 5 {
		t.Errorf("%d windows were halved", halved)
	}
}

func TestPlanFollowsTheRate(t *testing.T) {
	begin, after := from.Add(-clockMargin).UnixMilli(), to.Add(clockMargin).UnixMilli()
	tests := []struct {
		rows  int64
		whole bool
		width int64 // of the first window during the run, ms
	}{
		{0, true, after - begin},
		{wantedRows, true, after - begin},
		{wantedRows + 1, false, 9999},
		{10 * wantedRows, false, 1000},
		{1 << 40, false, 1},
	}
	for _, tt := range tests {
		want := plan{whole: tt.whole, spans: []span{
			{0, begin - 1, begin}, {begin, after - 1, tt.width}, {after, math.MaxInt64, math.MaxInt64},
		}}
		if got := newPlan(from, to, tt.rows); !reflect.DeepEqual(got, want) {
			t.Errorf("%d rows: %+v, want %+v", tt.rows, got, want)
		}
	}
	epoch := time.UnixMilli(0)
	if got := newPlan(epoch, epoch, 0); len(got.spans) != 2 || got.spans[0].start != 0 {
		t.Errorf("nothing lies before the epoch: %+v", got)
	}
}

// A server without a limit is asked for less once its answer is too much for us.
func TestAnswerTooLargeForOurMemory(t *testing.T) {
	f := filled(800)
	cfg := f.start(t, accepted(800), 1)
	c := newClient(cfg.Base, nil, cfg.Wait)
	c.maxRows = 10
	n := 0
	if err := c.read(t.Context(), series(0), newPlan(from, to, 100), func(values []float64) {
		if n += len(values); len(values) > c.maxRows {
			t.Errorf("%d values at once", len(values))
		}
	}); err != nil || n != 100 || c.failed != 0 {
		t.Errorf("%d values, %d failed tries, %v", n, c.failed, err)
	}
}

func TestEndlessHalvingIsCutOff(t *testing.T) {
	c := newClient(nil, nil, time.Second)
	queries := 0
	err := c.readSpan(t.Context(), series(0), span{start: 0, end: 9, width: 1}, &queries, func([]float64) {})
	if err == nil || !strings.Contains(err.Error(), "not done after 100000 queries") {
		t.Errorf("error %v", err)
	}
}

func TestTooManyInOneMillisecond(t *testing.T) {
	f := &fake{limit: 3}
	for range 4 {
		f.store(0, 1, 0, 0)
	}
	wantError(t, f.start(t, accepted(1), 1), series(0), "too many samples", "422",
		fmt.Sprintf("from %d to %[1]d", from.UnixMilli()))
}

func TestServerThatComesBack(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close() // connections are refused from here on
	served := make(chan error, 1)
	srv := &http.Server{Handler: filled(100)}
	go func() {
		for range 30 { // in steps, so that others have their turns on a machine that stands still meanwhile
			time.Sleep(10 * time.Millisecond)
		}
		l, err := net.Listen("tcp", address)
		if err == nil {
			err = srv.Serve(l)
		}
		served <- err
	}()
	v, err := Run(t.Context(), config(t, "http://"+address, accepted(100), 1))
	if err != nil || !v.OK() || !v.Drained || v.Accepted != 100 || v.ServerErrors < 2 {
		t.Errorf("%+v, %v", v, err)
	}
	_ = srv.Close()
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
}

func TestServerThatStaysAway(t *testing.T) {
	srv := httptest.NewServer(filled(1))
	srv.Close()
	cfg := config(t, srv.URL, accepted(1), 1)
	cfg.Wait = 100 * time.Millisecond
	wantError(t, cfg, "wait 100ms for the server", "refused")
}

// What breaks a query once and passes: the rows of a broken answer must not count.
func TestPassingFailuresAreRepeated(t *testing.T) {
	tests := map[string]http.HandlerFunc{
		"503": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "0")
			http.Error(w, "busy", http.StatusServiceUnavailable)
		},
		"429": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "slow down", http.StatusTooManyRequests) },
		"half a body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprintf(w, `[{"name":%q,"value":0,"timestamp":%d},{"na`, series(0), from.UnixMilli())
		},
		"torn JSON": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `[{"name":%q,"value":0,"timestamp":%s}`, series(0), r.FormValue("start"))
		},
		"broken connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, fail := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := filled(80)
			var queries atomic.Int32
			f.query = func(w http.ResponseWriter, r *http.Request) bool {
				if queries.Add(1) > 2 {
					return false
				}
				fail(w, r)
				return true
			}
			v := verified(t, f.start(t, accepted(80), 1))
			if !v.OK() || v.Read != 80 || v.ServerErrors != 2 {
				t.Errorf("%+v", v)
			}
		})
	}
}

func TestRetryAfterIsRespected(t *testing.T) {
	f := filled(8)
	f.query = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return true
	}
	began := time.Now()
	// A minute is more than the server may be away, so there is no point in waiting.
	wantError(t, f.start(t, accepted(8), 1), "give up", "503", "busy")
	if took := time.Since(began); took > 10*time.Second || len(f.queries) != 1 {
		t.Errorf("%d queries in %v", len(f.queries), took)
	}
}

func TestWrongAnswersAreErrors(t *testing.T) {
	at := from.UnixMilli()
	tests := []struct{ name, status, body, want string }{
		{"garbage", "200", `<html>`, "malformed body"},
		{"an object", "200", `{"error":"x"}`, "want an array"},
		{"another series", "200", fmt.Sprintf(`[{"name":"cpu_usage","value":0,"timestamp":%d}]`, at), "cpu_usage"},
		{"before the window", "200", fmt.Sprintf(`[{"name":%q,"value":0,"timestamp":-1}]`, series(0)), "timestamp -1"},
		{"after the window", "200", fmt.Sprintf(`[{"name":%q,"value":0,"timestamp":%d}]`, series(0), at), fmt.Sprintf("timestamp %d", at)},
		{"bad request", "400", `{"code":"unknown_parameter"}`, "unknown_parameter"},
		{"not found", "404", "", "404"},
		{"redirect", "302", "", "302"},
		{"no content", "204", "", "204"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &fake{query: func(w http.ResponseWriter, _ *http.Request) bool {
				status, _ := strconv.Atoi(tt.status)
				w.Header().Set("Location", "/health")
				w.WriteHeader(status)
				_, _ = w.Write([]byte(tt.body))
				return true
			}}
			// So many samples that the first window ends before the run.
			wantError(t, f.start(t, accepted(1), 9*wantedRows), tt.want, "series "+series(0))
			if len(f.queries) != 1 {
				t.Errorf("%d queries, want 1", len(f.queries))
			}
		})
	}
}

func TestWaitsForTheQueue(t *testing.T) {
	t.Parallel()
	f := filled(8)
	var polls atomic.Int32
	f.health = func(w http.ResponseWriter, _ *http.Request) {
		switch n := polls.Add(1); n {
		case 1: // an empty queue does not count while the server is not well
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"status":"starting","queue_size":0}`)
		default:
			fmt.Fprintf(w, `{"status":"healthy","queue_size":%d}`, max(0, 4-n))
		}
		if f.mu.Lock(); len(f.queries) > 0 {
			t.Error("a query came before the queue was empty")
		}
		f.mu.Unlock()
	}
	if v := verified(t, f.start(t, accepted(8), 1)); !v.Drained || !v.OK() || polls.Load() != 4 {
		t.Errorf("%+v after %d polls", v, polls.Load())
	}
}

func TestQueueThatNeverDrains(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"busy":     `{"status":"healthy","queue_size":7}`,
		"degraded": "",
	} {
		f := filled(8)
		f.health = func(w http.ResponseWriter, _ *http.Request) {
			if answer == "" {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			fmt.Fprint(w, answer)
		}
		cfg := f.start(t, accepted(8), 1)
		cfg.Wait = 200 * time.Millisecond
		if v := verified(t, cfg); v.Drained || !v.OK() || v.Read != 8 || !strings.Contains(v.Summary(), "before the server had drained") {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestHealthThatTellsNothing(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"none":     http.NotFound,
		"no field": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"ok"}`) },
		"no JSON":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `OK`) },
		"no 200": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, `{"queue_size":0}`)
		},
	} {
		cfg := (&fake{health: answer}).start(t, accepted(1), 1)
		if got, err := newClient(cfg.Base, nil, cfg.Wait).health(t.Context()); err != nil || got != (health{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// Without a usable /health the number of samples must have come to rest.
func TestServerWithoutHealthSettles(t *testing.T) {
	t.Parallel()
	f := filled(8)
	f.health = http.NotFound
	began := time.Now()
	v := verified(t, f.start(t, accepted(8), 1))
	if took := time.Since(began); !v.Drained || !v.OK() || v.Read != 8 || took < settleTime {
		t.Errorf("%+v in %v", v, took)
	}
}

func TestServerWithoutHealthThatGrows(t *testing.T) {
	t.Parallel()
	f := filled(8)
	f.health = http.NotFound
	grown := int64(1)
	f.query = func(_ http.ResponseWriter, r *http.Request) bool {
		// A sample more each time the reading of series 0 starts.
		if r.FormValue("name") == series(0) && r.FormValue("start") == "0" {
			f.rows[series(0)] = append(f.rows[series(0)], stored{series(0), float64(grown), to.UnixMilli()})
			grown++
		}
		return false
	}
	cfg := f.start(t, accepted(80), 1)
	cfg.Wait = 2 * time.Second
	if v := verified(t, cfg); v.Drained {
		t.Errorf("%+v", v)
	}
}
