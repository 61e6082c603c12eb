package trial

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"phase0/loadgen/record"
)

// fakeVariable makes the test binary act as a server or a load generator, whose
// faults the variable lists.
const fakeVariable = "BENCH_TEST_FAKE"

func TestMain(m *testing.M) {
	faults, fake := os.LookupEnv(fakeVariable)
	if !fake {
		os.Exit(m.Run())
	}
	if strings.Contains(strings.Join(os.Args, " "), "-quiet") {
		os.Exit(fakeLoadgen(faults))
	}
	os.Exit(fakeServer(faults))
}

// fakeHarness returns a harness whose programs are this test binary.
func fakeHarness(t *testing.T, faults string) *Harness {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(fakeVariable, faults)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // under the race detector each end takes a second
	return &Harness{Server: self, Loadgen: self, Dir: t.TempDir(), Limits: Limits{Steal: 1, Foreign: 1, OfferedError: 0.001}}
}

// fakeServer accepts samples, stores them at the end, and misbehaves as told.
func fakeServer(faults string) int {
	flags := flag.NewFlagSet("fake", flag.ContinueOnError)
	data := flags.String("data", "", "")
	webhook := flags.String("webhook", "", "")
	for _, ignored := range []string{"addr", "mode", "rules", "alert-interval"} {
		flags.String(ignored, "", "")
	}
	if err := flags.Parse(os.Args[1:]); err != nil || strings.Contains(faults, "nostart") {
		fmt.Fprintln(os.Stderr, "fake: refuses to start")
		return 1
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 1
	}
	f := &fakePlatform{faults: faults, data: *data, webhook: *webhook}
	fmt.Printf("banner\n[Ingestion] Server started on port %d\n", listener.Addr().(*net.TCPAddr).Port)
	go http.Serve(listener, f)
	<-stop
	return f.close()
}

type fakePlatform struct {
	faults, data, webhook string

	mu     sync.Mutex
	stored []string
}

func (f *fakePlatform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		f.ingest(w, r)
	case r.URL.Path == "/query":
		f.query(w, r)
	default:
		fmt.Fprintln(w, "# HELP phase0_queue_depth x\nphase0_queue_depth 3")
	}
}

func (f *fakePlatform) ingest(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(f.faults, "dies") {
		os.Exit(2)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.mu.Lock()
	f.stored = append(f.stored, string(body))
	f.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
	var sample struct{ Name string }
	if json.Unmarshal(body, &sample) == nil && f.webhook != "" && !strings.Contains(f.faults, "silent") {
		go f.notify(sample.Name)
	}
}

func (f *fakePlatform) notify(metric string) {
	time.Sleep(20 * time.Millisecond)
	body := fmt.Sprintf(`{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"breach_%s"}}]}`, metric)
	if response, err := http.Post(f.webhook, "application/json", strings.NewReader(body)); err == nil {
		response.Body.Close()
	}
}

// query answers from the file by plain text search; the tests' files are small.
func (f *fakePlatform) query(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(f.faults, "wrong") {
		fmt.Fprint(w, "[]")
		return
	}
	var start, end int64
	fmt.Sscan(r.FormValue("start"), &start)
	fmt.Sscan(r.FormValue("end"), &end)
	file, err := os.Open(f.data)
	if err != nil {
		return
	}
	defer file.Close()
	var found []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var s struct {
			Name      string
			Timestamp int64
		}
		if json.Unmarshal(lines.Bytes(), &s) == nil && s.Name == r.FormValue("name") && s.Timestamp >= start && s.Timestamp <= end {
			found = append(found, lines.Text())
		}
	}
	fmt.Fprintf(w, "[%s]", strings.Join(found, ","))
}

func (f *fakePlatform) close() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := f.stored
	if strings.Contains(f.faults, "lose") {
		kept = kept[:len(kept)-1]
	}
	file, err := os.OpenFile(f.data, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 1
	}
	for _, line := range kept {
		fmt.Fprintln(file, line)
	}
	if err := file.Close(); err != nil {
		return 1
	}
	if !strings.Contains(f.faults, "mute") {
		fmt.Printf("[Shutdown] Accepted %d samples, stored %d samples\nShutdown complete.\n", len(f.stored), len(kept))
	}
	return 0
}

// fakeLoadgen posts fakeRequests samples and reports made-up times.
func fakeLoadgen(faults string) int {
	args := os.Args[1:]
	report, url := "", args[len(args)-1]
	for i, a := range args {
		if a == "-o" {
			report = args[i+1]
		}
	}
	if strings.Contains(faults, "hangs") {
		time.Sleep(time.Minute)
	}
	var r record.Result
	r.Schema = record.SchemaVersion
	for range fakeRequests {
		response, err := http.Post(url, "application/json", strings.NewReader(`{"name":"x","value":1}`))
		r.Accounting.Scheduled++
		r.Accounting.Sent++
		if err != nil {
			r.Accounting.Failed++
			continue
		}
		response.Body.Close()
		r.Accounting.Answered++
		r.Accounting.Accepted++
	}
	r.Verdict.Level = record.Valid
	r.OfferedRPS, r.AchievedRPS, r.AcceptedRPS, r.WindowSeconds = 200, 200, 199, 0.1
	if strings.Contains(faults, "slowpoke") {
		r.AchievedRPS = 100
	}
	code := 0
	if strings.Contains(faults, "invalid") {
		r.Verdict = record.Verdict{Level: record.Invalid, Reasons: []string{"late"}, Bottleneck: "generator"}
		code = exitNotValid
	}
	r.ResponseTime.Percentiles = []record.Percentile{
		{Name: "p50", Quantile: 0.5, NS: 1000}, {Name: "p99", Quantile: 0.99, Unavailable: "needs 368 observations, has 20"},
	}
	text, err := json.Marshal(r)
	if err != nil || os.WriteFile(report, text, 0o644) != nil {
		return 1
	}
	return code
}

const fakeRequests = 20
