package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"phase0/loadgen/record"
)

// point is a sample as the server's API shows it.
type point struct {
	Name      string  `json:"name"`
	Value     float64 `json:"value"`
	Timestamp int64   `json:"timestamp"`
}

// store is a server that keeps samples, after doing to each what a test says.
type store struct {
	mu     sync.Mutex
	points []point
	// keep returns the values to store for one that was accepted; k is the sample's
	// number in the run.
	keep func(k int64, value float64) []float64
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.URL.Path {
	case "/health":
		fmt.Fprint(w, `{"status":"healthy","queue_size":0}`)
	case "/query":
		s.query(w, r)
	default:
		var p point
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		series, _ := strconv.ParseInt(p.Name[len(p.Name)-1:], 10, 64)
		p.Timestamp = time.Now().UnixMilli()
		for _, v := range s.keep(int64(p.Value)*8+series, p.Value) {
			p.Value = v
			s.points = append(s.points, p)
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

func (s *store) query(w http.ResponseWriter, r *http.Request) {
	bound := func(key string, otherwise int64) int64 {
		if v, err := strconv.ParseInt(r.FormValue(key), 10, 64); err == nil {
			return v
		}
		return otherwise
	}
	from, to := bound("start", 0), bound("end", 1<<62)
	found := []point{}
	for _, p := range s.points {
		if p.Name == r.FormValue("name") && p.Timestamp >= from && p.Timestamp <= to {
			found = append(found, p)
		}
	}
	_ = json.NewEncoder(w).Encode(found)
}

// verified runs loadgen with -verify and returns what it found.
func verified(t *testing.T, wantCode int, args ...string) record.Result {
	t.Helper()
	file := filepath.Join(t.TempDir(), "run.json")
	code, out, errs := loadgen(t.Context(), append([]string{"-verify", "-o", file}, args...)...)
	// On a busy machine the run may be judged invalid; a loss outranks that.
	if code != wantCode && (wantCode != exitOK || code != exitInvalid) {
		t.Fatalf("exit code %d, want %d:\n%s%s", code, wantCode, out, errs)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var res record.Result
	if err := json.Unmarshal(data, &res); err != nil {
		t.Fatal(err)
	}
	if res.Verification == nil {
		t.Fatalf("no verification in\n%s", out)
	}
	return res
}

func TestVerifyCountsWhatTheServerDid(t *testing.T) {
	const n = 8000
	s := &store{keep: func(k int64, v float64) []float64 {
		switch {
		case k%1000 == 1:
			return nil
		case k%500 == 2:
			return []float64{v, v}
		case k%2000 == 3:
			return []float64{v + 0.25}
		}
		return []float64{v}
	}}
	v := verified(t, exitLost, "-model", "closed", "-n", strconv.Itoa(n), "-c", "8", target(t, s.ServeHTTP)).Verification
	const dropped, twice, altered = n / 1000, n / 500, n / 2000
	if v.Accepted != n || v.Lost != dropped+altered || v.Duplicated != twice || v.SurplusCopies != twice ||
		v.Phantom != altered || v.Zombie != 0 || v.Ambiguous != 0 {
		t.Errorf("found %+v", *v)
	}
}

func TestVerifyOfAServerThatKeepsItsWord(t *testing.T) {
	s := &store{keep: func(_ int64, v float64) []float64 { return []float64{v} }}
	v := verified(t, exitOK, "-rps", "1k", "-n", "500", target(t, s.ServeHTTP)).Verification
	if v.Accepted != 500 || v.Read != 500 || !v.OK() {
		t.Errorf("found %+v", *v)
	}
}

// A refused sample that is stored all the same is a zombie.
func TestVerifyFindsZombies(t *testing.T) {
	s := &store{keep: func(_ int64, v float64) []float64 { return []float64{v} }}
	url := target(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.Header.Get("X-Refuse") != "" {
			body, _ := io.ReadAll(r.Body)
			var p point
			_ = json.Unmarshal(body, &p)
			if p.Value == 1 {
				s.mu.Lock()
				s.points = append(s.points, point{Name: p.Name, Value: p.Value, Timestamp: time.Now().UnixMilli()})
				s.mu.Unlock()
			}
			http.Error(w, "no", http.StatusTooManyRequests)
			return
		}
		s.ServeHTTP(w, r)
	})
	v := verified(t, exitLost, "-rps", "1k", "-n", "100", "-H", "X-Refuse: 1", url).Verification
	if v.Accepted != 0 || v.Zombie != 8 || v.Lost != 0 {
		t.Errorf("found %+v", *v)
	}
}
