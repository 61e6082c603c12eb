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
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// fakeVariable makes the test binary act as a server or a load generator, whose
// faults the variable lists.
const fakeVariable = "BENCH_TEST_FAKE"

func TestMain(m *testing.M) {
	faults, fake := os.LookupEnv(fakeVariable)
	if !fake {
		code := m.Run()
		removePrograms()
		os.Exit(code)
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

var programs struct {
	once sync.Once
	dir  string
	err  error
}

// realHarness returns a harness of the real programs, which are built once.
func realHarness(t *testing.T) *Harness {
	t.Helper()
	programs.once.Do(func() {
		if programs.dir, programs.err = os.MkdirTemp("", "bench-trial-"); programs.err != nil {
			return
		}
		build := exec.Command("go", "build", "-o", programs.dir+"/", "./server", "./loadgen")
		build.Dir = "../.."
		if words, err := build.CombinedOutput(); err != nil {
			programs.err = fmt.Errorf("%w: %s", err, words)
		}
	})
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	return &Harness{
		Server: filepath.Join(programs.dir, "server"), Loadgen: filepath.Join(programs.dir, "loadgen"),
		// Other tests run beside these.
		Dir: t.TempDir(), Limits: Limits{Steal: 1, Foreign: 1, OfferedError: 1},
	}
}

func removePrograms() {
	if programs.dir != "" {
		_ = os.RemoveAll(programs.dir) // what stays behind is in the temporary directory
	}
}

// fakeServer accepts samples, stores them at the end, and misbehaves as told.
func fakeServer(faults string) int {
	flags := flag.NewFlagSet("fake", flag.ContinueOnError)
	data := flags.String("data", "", "")
	addr := flags.String("addr", "127.0.0.1:0", "")
	webhook := flags.String("webhook", "", "")
	for _, ignored := range []string{"mode", "rules", "alert-interval", "append-delay", "queue-limit", "queue", "sync"} {
		flags.String(ignored, "", "")
	}
	if err := flags.Parse(os.Args[1:]); err != nil || strings.Contains(faults, "nostart") {
		fmt.Fprintln(os.Stderr, "fake: refuses to start")
		return 1
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	listener, err := net.Listen("tcp", *addr)
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

	mu      sync.Mutex
	pending []string // accepted, not yet in the file
	refused int
	total   int
}

type fakeSample struct {
	Name      string   `json:"name"`
	Value     *float64 `json:"value"`
	Timestamp int64    `json:"timestamp"`

	Labels map[string]string `json:"labels,omitempty"`
}

func (f *fakePlatform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		f.ingest(w, r)
	case r.URL.Path == "/query":
		f.query(w, r)
	case r.URL.Path == "/health":
		fmt.Fprint(w, `{"status":"healthy","queue_size":0}`)
	default:
		if strings.Contains(f.faults, "log") { // a sync for every fourth sample, each of 2 ms
			f.mu.Lock()
			fmt.Fprintf(w, "phase0_wal_syncs_total %v\nphase0_wal_sync_seconds_total %v\nphase0_samples_accepted_total %d\n", float64(f.total)/4, float64(f.total)/2000, f.total)
			f.mu.Unlock()
		}
		fmt.Fprintln(w, "# HELP phase0_queue_depth x\nphase0_queue_depth 3")
	}
}

func (f *fakePlatform) ingest(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(f.faults, "dies") {
		os.Exit(2)
	}
	var body struct {
		fakeSample
		Metrics []fakeSample `json:"metrics"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if body.Metrics == nil {
		body.Metrics = []fakeSample{body.fakeSample}
	}
	if !f.take(body.Metrics) {
		http.Error(w, "full", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	for _, s := range body.Metrics {
		if f.webhook != "" && s.Labels["probe"] != "" && *s.Value > 100 && !strings.Contains(f.faults, "silent") {
			go f.notify(s)
		}
	}
}

// take keeps the samples until the end, or stores them at once where the fault says so.
func (f *fakePlatform) take(samples []fakeSample) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.Contains(f.faults, "refuses") {
		if f.refused++; f.refused%2 == 0 {
			return false
		}
	}
	for _, s := range samples {
		s.Timestamp = time.Now().UnixMilli()
		line, err := json.Marshal(s)
		if err != nil {
			return false
		}
		f.pending = append(f.pending, string(line))
	}
	f.total += len(samples)
	return !strings.Contains(f.faults, "sync") || f.flush()
}

// flush appends what is pending to the file. The caller holds mu.
func (f *fakePlatform) flush() bool {
	file, err := os.OpenFile(f.data, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return false
	}
	for _, line := range f.pending {
		fmt.Fprintln(file, line)
		if strings.Contains(f.faults, "twice") {
			fmt.Fprintln(file, line)
		}
	}
	f.pending = nil
	return file.Close() == nil
}

// notify tells of a breach after 20 ms.
func (f *fakePlatform) notify(s fakeSample) {
	time.Sleep(20 * time.Millisecond)
	probe := s.Labels["probe"]
	if strings.Contains(f.faults, "invents") {
		probe += "0"
	}
	fmt.Printf("🚨 [ALERT] %s{probe=%q} avg(60s) > 80.0 (current: 90.0)\n", s.Name, probe)
	body := fmt.Sprintf(`{"version":"4","alerts":[{"status":"firing","startsAt":%q,"labels":{"alertname":"breach_%s","probe":%q}}]}`,
		time.Now().Format(time.RFC3339Nano), s.Name, probe)
	if response, err := http.Post(f.webhook, "application/json", strings.NewReader(body)); err == nil {
		response.Body.Close()
	}
}

// query answers from the file, and from what is not yet there; the tests' files are
// small.
func (f *fakePlatform) query(w http.ResponseWriter, r *http.Request) {
	var start, end int64
	fmt.Sscan(r.FormValue("start"), &start)
	fmt.Sscan(r.FormValue("end"), &end)
	f.mu.Lock()
	lines := strings.NewReader(strings.Join(f.pending, "\n"))
	f.mu.Unlock()
	var found []string
	all := io.Reader(lines)
	if file, err := os.Open(f.data); err == nil {
		defer file.Close()
		all = io.MultiReader(file, lines)
	}
	for lines := bufio.NewScanner(all); lines.Scan(); {
		var s fakeSample
		if json.Unmarshal(lines.Bytes(), &s) == nil && s.Name == r.FormValue("name") && s.Timestamp >= start && s.Timestamp <= end {
			found = append(found, lines.Text())
		}
	}
	if strings.Contains(f.faults, "wrong") {
		found = found[min(1, len(found)):]
	}
	fmt.Fprintf(w, "[%s]", strings.Join(found, ","))
}

// close ends the fake. The lock stays taken, so that nothing more is accepted.
func (f *fakePlatform) close() int {
	f.mu.Lock()
	stored := f.total
	if strings.Contains(f.faults, "lose") && len(f.pending) > 0 {
		f.pending = f.pending[1:] // not the last one: its answer may not be on its way yet
		stored--
	}
	if !f.flush() {
		return 1
	}
	if !strings.Contains(f.faults, "mute") {
		fmt.Printf("[Shutdown] Accepted %d samples, stored %d samples\nShutdown complete.\n", f.total, stored)
	}
	return 0
}
