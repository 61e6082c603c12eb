package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"phase0/loadgen/knee"
)

// worker serves one request at a time and takes a fixed time for each: a server of
// known capacity. It sleeps, since it shares its cores with the generator.
type worker struct {
	mu     sync.Mutex
	each   time.Duration
	served int64
	took   time.Duration
}

func (w *worker) ServeHTTP(out http.ResponseWriter, _ *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	begin := time.Now()
	time.Sleep(w.each)
	w.served++
	w.took += time.Since(begin)
	out.WriteHeader(http.StatusAccepted)
}

// capacity is what the worker really could serve, in requests per second.
func (w *worker) capacity() float64 { return float64(w.served) / w.took.Seconds() }

func TestFindBracketsAKnownCapacity(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a dozen runs")
	}
	w := &worker{each: 4 * time.Millisecond}
	file := filepath.Join(t.TempDir(), "knee.json")
	code, out, errs := loadgen(t.Context(), "find", "-slo", "p95<30ms,err<1%", "-d", "600ms", "-from", "200", "-max", "1k",
		"-precision", "20%", "-confirm", "1", "-o", file, target(t, w.ServeHTTP))
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("exit code %d: %v\n%s%s", code, err, out, errs)
	}
	var k knee.Knee
	if err := json.Unmarshal(data, &k); err != nil {
		t.Fatal(err)
	}
	// A backlog may grow for a second before it misses the objective: 30 ms of it.
	lowest, highest := w.capacity()/1.2, w.capacity()*1.2*1.03
	if k.FirstFail > 0 && (k.LastPass < lowest*0.7 || k.FirstFail > highest*1.2) {
		t.Errorf("knee [%v, %v] of a capacity of %v\n%s", k.LastPass, k.FirstFail, w.capacity(), out)
	}
	if k.FirstFail == 0 && k.LimitedBy == "" || !strings.Contains(out, "knee  ") || !strings.Contains(errs, "runs of 600ms") {
		t.Errorf("exit code %d, limited by %q:\n%s%s", code, k.LimitedBy, out, errs)
	}
}

func TestFindUsage(t *testing.T) {
	for args, want := range map[string]string{
		"find -rps 5":            "-rps does not go with find",
		"find -profile 1s@5":     "-profile does not go",
		"find -slo p42<1s":       "p42",
		"find -precision 0":      "above 0",
		"find -confirm 2":        "odd",
		"find -from 10 -max 5":   "first rate",
		"find a:1 b:2":           "one URL",
		"find -engine fast":      "unknown",
		"find -body {{x}} :8080": "{{x}} is unknown",
	} {
		code, out, errs := loadgen(t.Context(), strings.Fields(args)...)
		if code != exitUsage || out != "" || !strings.Contains(errs, want) || !strings.Contains(errs, "loadgen find -h") {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", args, code, out, errs)
		}
	}
	if code, out, _ := loadgen(t.Context(), "find", "-h"); code != exitOK || !strings.Contains(out, "knee") {
		t.Errorf("find -h: exit code %d, %q", code, out)
	}
}

func TestFindWithoutAServer(t *testing.T) {
	code, out, errs := loadgen(t.Context(), "find", "-quiet", "127.0.0.1:1")
	if code != exitCannotRun || out != "" || !strings.Contains(errs, "connection refused") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, out, errs)
	}
}
