package freshness

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"
)

// platform is a server that makes samples visible when it was told to, and keeps
// the instants. Its hooks may be nil.
type platform struct {
	delay func(number float64) time.Duration // from arrival to visibility
	skew  time.Duration                      // of its clock
	post  http.HandlerFunc                   // instead of accepting
	query http.HandlerFunc                   // instead of answering
	busy  int                                // every so many queries fail; 0 for none

	mu        sync.Mutex
	visibleAt map[float64]time.Time
	rows      []stored
	posts     int
	queries   int
	hits      int             // answers that had the sample
	headers   map[string]bool // values of X-Test
}

type stored struct {
	Name      string  `json:"name"`
	Value     float64 `json:"value"`
	Timestamp int64   `json:"timestamp"`
}

// never is a delay beyond any test.
const never = time.Hour

func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	if p.headers == nil {
		p.headers = map[string]bool{}
	}
	p.headers[r.Header.Get("X-Test")] = true
	p.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/ingest":
		p.accept(w, r)
	case r.Method == http.MethodGet && r.URL.Path == "/query":
		p.answer(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (p *platform) accept(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.posts++
	p.mu.Unlock()
	if p.post != nil {
		p.post(w, r)
		return
	}
	var s stored
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	now := time.Now()
	s.Timestamp = now.Add(p.skew).UnixMilli()
	p.mu.Lock()
	p.rows = append(p.rows, s)
	if p.visibleAt == nil {
		p.visibleAt = map[float64]time.Time{}
	}
	p.visibleAt[s.Value] = now.Add(p.delay(s.Value))
	p.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

func (p *platform) answer(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.queries++
	busy := p.busy > 0 && p.queries%p.busy == 0
	p.mu.Unlock()
	switch {
	case p.query != nil:
		p.query(w, r)
		return
	case busy:
		http.Error(w, "busy", http.StatusServiceUnavailable)
		return
	}
	q := r.URL.Query()
	start, err1 := strconv.ParseInt(q.Get("start"), 10, 64)
	end, err2 := strconv.ParseInt(q.Get("end"), 10, 64)
	if err1 != nil || err2 != nil {
		http.Error(w, "start and end", http.StatusBadRequest)
		return
	}
	rows := []stored{}
	p.mu.Lock()
	for _, s := range p.rows {
		if s.Name == q.Get("name") && s.Timestamp >= start && s.Timestamp <= end && !time.Now().Before(p.visibleAt[s.Value]) {
			rows = append(rows, s)
		}
	}
	if len(rows) > 0 {
		p.hits++
	}
	p.mu.Unlock()
	_ = json.NewEncoder(w).Encode(rows)
}

// truth is how long after it was accepted a probe's sample became visible.
func (p *platform) truth(number int64, accepted time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(p.visibleAt[float64(number)].Sub(accepted), 0)
}

// start serves p and returns a Config for it.
func (p *platform) start(t *testing.T) Config {
	t.Helper()
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return Config{Ingest: parse(t, server.URL+"/ingest"), RunID: "test", Seed: 1}
}

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func fixed(d time.Duration) func(float64) time.Duration {
	return func(float64) time.Duration { return d }
}

// count reads one of p's counters.
func (p *platform) count(of *int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *of
}
