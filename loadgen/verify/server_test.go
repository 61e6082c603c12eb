package verify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"phase0/loadgen/engine"
	"phase0/loadgen/ledger"
)

const runID = "ab12cd34"

var (
	from = time.UnixMilli(1_700_000_000_000)
	to   = from.Add(10 * time.Second)
)

type stored struct {
	Name      string  `json:"name"`
	Value     float64 `json:"value"`
	Timestamp int64   `json:"timestamp"`
}

// fake is a server that answers queries from memory.
type fake struct {
	rows  map[string][]stored // by series, in time order
	limit int                 // rows of one answer; 0 does not limit

	// health answers GET /health, nil for a healthy empty queue.
	health http.HandlerFunc
	// query, if set, may answer a query itself and report true.
	query func(w http.ResponseWriter, r *http.Request) bool

	mu      sync.Mutex
	queries []url.Values
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/health":
		if f.health != nil {
			f.health(w, r)
			return
		}
		fmt.Fprint(w, `{"status":"healthy","queue_size":0}`)
	case "/query":
		f.mu.Lock()
		f.queries = append(f.queries, r.URL.Query())
		f.mu.Unlock()
		if f.query == nil || !f.query(w, r) {
			f.answer(w, r)
		}
	default:
		http.NotFound(w, r)
	}
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request) {
	start, err1 := strconv.ParseInt(r.FormValue("start"), 10, 64)
	end, err2 := strconv.ParseInt(r.FormValue("end"), 10, 64)
	if err1 != nil || err2 != nil || start < 0 || start > end {
		http.Error(w, "bad range", http.StatusBadRequest)
		return
	}
	rows := f.rows[r.FormValue("name")]
	byTime := func(s stored, t int64) int { return cmp.Compare(s.Timestamp, t) }
	low, _ := slices.BinarySearchFunc(rows, start, byTime)
	rows = rows[low:]
	high := len(rows)
	if i := slices.IndexFunc(rows, func(s stored) bool { return s.Timestamp > end }); i >= 0 {
		high = i
	}
	if f.limit > 0 && high > f.limit {
		http.Error(w, `{"error":"too many","code":"too_many_samples"}`, http.StatusUnprocessableEntity)
		return
	}
	if high == 0 {
		fmt.Fprint(w, "[]")
		return
	}
	_ = json.NewEncoder(w).Encode(rows[:high])
}

// store puts sample k of n into its series, spread evenly over the run; shift is
// how far the server's clock is ahead.
func (f *fake) store(k, n int64, change float64, shift time.Duration) {
	if f.rows == nil {
		f.rows = map[string][]stored{}
	}
	name := series(k)
	at := from.Add(to.Sub(from) * time.Duration(k) / time.Duration(n)).Add(shift)
	f.rows[name] = append(f.rows[name], stored{name, float64(k/engine.SeriesCount) + change, at.UnixMilli()})
}

func series(k int64) string { return fmt.Sprintf("loadgen_%s_%d", runID, k%engine.SeriesCount) }

// start serves f and returns what verifies a run of batches against it.
func (f *fake) start(t *testing.T, l *ledger.Ledger, batch int) Config {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return config(t, srv.URL, l, batch)
}

func config(t *testing.T, base string, l *ledger.Ledger, batch int) Config {
	t.Helper()
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Base: u, RunID: runID, Batch: batch, Ledger: l, From: from, To: to, Wait: 20 * time.Second}
}

// accepted returns a ledger of n accepted requests.
func accepted(n int64) *ledger.Ledger {
	l := ledger.New()
	for i := range n {
		l.Mark(i, ledger.Accepted)
	}
	return l
}

// filled returns a server with all of n samples.
func filled(n int64) *fake {
	f := &fake{}
	for k := range n {
		f.store(k, n, 0, 0)
	}
	return f
}

// wantError checks that verifying fails, with all the words and no result.
func wantError(t *testing.T, cfg Config, words ...string) {
	t.Helper()
	v, err := Run(t.Context(), cfg)
	if err == nil {
		t.Fatalf("no error, %+v", v)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q lacks %q", err, word)
		}
	}
	if v.Read != 0 || v.Accepted != 0 {
		t.Errorf("a part of a result: %+v", v)
	}
}
