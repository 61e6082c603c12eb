package trial

import (
	"bytes"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const procStat = "cpu  100 0 50 1000 20 5 10 3 0 0\ncpu0 60 0 30 500 10 3 6 2 0 0\ncpu1 40 0 20 500 10 2 4 1 0 0\nintr 1\n"

func TestParseCPUTimes(t *testing.T) {
	tick := func(n int) time.Duration { return time.Duration(n) * clockTick }
	tests := []struct {
		text, name string
		want       cpuTimes
		ok         bool
	}{
		{procStat, "cpu", cpuTimes{tick(15), tick(1020), tick(3)}, true},
		{procStat, "cpu1", cpuTimes{tick(6), tick(510), tick(1)}, true},
		{procStat, "cpu2", cpuTimes{}, false},
		{"cpu 1 2 3", "cpu", cpuTimes{}, false},
		{"cpu a 0 0 0 0 0 0 0 0", "cpu", cpuTimes{}, false},
		{"cpu -1 0 0 0 0 0 0 0 0", "cpu", cpuTimes{}, false},
		{"cpu 99999999999999999 0 0 0 0 0 0 0 0", "cpu", cpuTimes{}, false},
		// 128 cores after two years, and the last line that a Duration holds.
		{"cpu 40000000000 0 90000000000 700000000000 5 6 7 8 0 0", "cpu", cpuTimes{tick(13), tick(700_000_000_005), tick(8)}, true},
		{"cpu 0 0 0 922337203685 0 922337203684 1 922337203685", "cpu", cpuTimes{tick(922_337_203_685), tick(922_337_203_685), tick(922_337_203_685)}, true},
		{"cpu 0 0 0 922337203686 0 0 0 0", "cpu", cpuTimes{}, false},
		{"cpu 0 0 0 922337203685 1 0 0 0", "cpu", cpuTimes{}, false},
		{"cpu 0 0 0 0 0 922337203685 1 0", "cpu", cpuTimes{}, false},
		{"", "cpu", cpuTimes{}, false},
	}
	for _, tt := range tests {
		got, err := parseCPUTimes([]byte(tt.text), tt.name)
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("%s of %.30q: %+v, %v", tt.name, tt.text, got, err)
		}
	}
}

func TestParseProcessStat(t *testing.T) {
	tests := []struct {
		text string
		want processStat
		ok   bool
	}{
		{"12 (server) S 1 2 3 4 5 6 7 8 9 10 250 50 7 3", processStat{2, 3 * time.Second, 100 * time.Millisecond}, true},
		{"12 (a ) b) S 1 2 3 4 5 6 7 8 9 10 1 1 0 0", processStat{2, 20 * time.Millisecond, 0}, true},
		{"12 (server) S 1 2", processStat{}, false},
		{"12 server S", processStat{}, false},
		{"12 (x) S 1 2 3 4 5 6 7 8 9 10 x 50 0 0", processStat{}, false},
		{"12 (x) S 1 2 3 4 5 6 7 8 9 10 922337203685 0 5000000000 0", processStat{2, 922_337_203_685 * clockTick, 5_000_000_000 * clockTick}, true},
		{"12 (x) S 1 2 3 4 5 6 7 8 9 10 922337203685 1 0 0", processStat{}, false},
		{"12 (x) S 1 2 3 4 5 6 7 8 9 10 0 0 922337203685 1", processStat{}, false},
		{"12 (x) S 1 g 3 4 5 6 7 8 9 10 1 50 0 0", processStat{}, false},
	}
	for _, tt := range tests {
		got, err := parseProcessStat([]byte(tt.text))
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("%q: %v, %v", tt.text, got, err)
		}
	}
}

func TestParsePressureKiBAndMetric(t *testing.T) {
	if got, err := parsePressure([]byte("some avg10=0.00 avg60=0.00 avg300=0.00 total=1500\nfull x")); err != nil || got != 1500*time.Microsecond {
		t.Errorf("pressure %v, %v", got, err)
	}
	if _, err := parsePressure([]byte("full total=1")); err == nil {
		t.Error("pressure without the some line was read")
	}
	if got, err := parseKiB([]byte("VmPeak: 9 kB\nVmRSS:\t  12 kB\n"), "VmRSS"); err != nil || got != 12*1024 {
		t.Errorf("memory %v, %v", got, err)
	}
	if _, err := parseKiB([]byte("VmRSS: many kB\n"), "VmRSS"); err == nil {
		t.Error("memory in words was read")
	}
	metrics := []byte("# TYPE a gauge\na_b 1\na 2.5 1700000000\na{x=\"y\"} 3\nnan NaN\n")
	if got, err := parseMetric(metrics, "a"); err != nil || got != 2.5 {
		t.Errorf("metric %v, %v", got, err)
	}
	for _, name := range []string{"b", "nan", "TYPE"} {
		if got, err := parseMetric(metrics, name); err == nil {
			t.Errorf("metric %s is %v", name, got)
		}
	}
}

func TestParseMountTakesTheInnermost(t *testing.T) {
	info := []byte("20 1 8:1 / / rw,relatime - ext4 /dev/root rw\n21 20 0:20 / /tmp rw,nosuid shared:2 - tmpfs tmpfs rw\nbroken\n")
	for path, want := range map[string]string{"/home/x": "ext4 rw,relatime", "/tmp/x": "tmpfs rw,nosuid", "/tmp": "tmpfs rw,nosuid", "/tmpx": "ext4 rw,relatime"} {
		if got, err := parseMount(info, path); err != nil || got != want {
			t.Errorf("%s is on %q, %v; want %q", path, got, err, want)
		}
	}
	if _, err := parseMount(nil, "/x"); err == nil {
		t.Error("no mounts, no error")
	}
}

// What cores have in common is added up, to more than one line may say, and no further
// than a Duration goes.
func TestTimesOfCoresAddUp(t *testing.T) {
	core := cpuTimes{idle: 100 * 365 * 24 * time.Hour}
	two, err := core.add(core)
	if err != nil || two.idle != 2*core.idle {
		t.Errorf("%+v, %v", two, err)
	}
	if _, err := two.add(core); err == nil {
		t.Error("300 years did not overflow")
	}
}

// Who works is sampled at ticks and may be all wrong; idle time is not.
func TestLoadSinceSubtractsOurOwn(t *testing.T) {
	began := time.Now()
	before := machineSample{at: began, known: true}
	after := machineSample{
		at: began.Add(time.Second), known: true, cores: 2, own: 100 * time.Millisecond, pressure: 50 * time.Millisecond,
		cpu: cpuTimes{idle: 1180*time.Millisecond - tickRounding, steal: 20 * time.Millisecond},
	}
	got := after.loadSince(before, 500*time.Millisecond)
	if !got.Known || math.Abs(got.Foreign-0.1) > 1e-9 || math.Abs(got.Steal-0.01) > 1e-9 || math.Abs(got.Pressure-0.05) > 1e-9 {
		t.Errorf("load %+v", got)
	}
	after.server.idle = 300 * time.Millisecond
	if busy := after.serverBusySince(before, 1); busy != 700*time.Millisecond {
		t.Errorf("a core that was idle for 0.3 of 1 s was busy for %v", busy)
	}
	if got := after.loadSince(machineSample{at: began}, 0); got.Known {
		t.Errorf("unknown before, known after: %+v", got)
	}
}

func TestServerOutput(t *testing.T) {
	o := newServerOutput(nil)
	text := "banner\n[Ingestion] Server started on port 4242\n" + strings.Repeat("x", 100_000) +
		"\n[Ingestion] Server started on port 1\n"
	o.read(strings.NewReader(text))
	if port := <-o.port; port != 4242 {
		t.Errorf("port %d", port)
	}
	o = newServerOutput(nil)
	o.read(strings.NewReader("[Shutdown] Accepted 7 samples, stored 6 samples\nShutdown complete.\n"))
	if o.accepted != 7 || o.stored != 6 || !o.closed {
		t.Errorf("closing line read as %+v", o)
	}
}

func TestPointsKnowTheirAnswer(t *testing.T) {
	p := Points{N: 2000, Seed: 9}
	var file bytes.Buffer
	if n, err := p.Write(&file); n != p.N || err != nil {
		t.Fatalf("%d lines, %v", n, err)
	}
	lines := strings.Split(strings.TrimSuffix(file.String(), "\n"), "\n")
	if len(lines) != p.N || !strings.HasPrefix(lines[0], `{"name":"series_`) || !strings.HasSuffix(lines[0], `"timestamp":1696789234567}`) {
		t.Errorf("%d lines, the first %q", len(lines), lines[0])
	}
	var again bytes.Buffer
	if _, err := p.Write(&again); err != nil || !bytes.Equal(file.Bytes(), again.Bytes()) {
		t.Errorf("same seed, different file: %v", err)
	}
}

func TestPlacementStartsWhereTold(t *testing.T) {
	cores, err := affinity()
	if err != nil || len(cores) < 2 {
		t.Skip("needs two cores and affinity calls")
	}
	p := Placement{Pinned: true, Server: cores[1:2], Generator: cores, All: cores}
	var seen []int
	var running sync.WaitGroup
	if err := p.start(&running, p.Server, func() (err error) { seen, err = affinity(); return err }, func() {}); err != nil {
		t.Fatal(err)
	}
	running.Wait()
	if !slices.Equal(seen, p.Server) {
		t.Errorf("a child would run on %v, want %v", seen, p.Server)
	}
}

func TestCountLines(t *testing.T) {
	path := t.TempDir() + "/x"
	if n, err := countLines(path); n != 0 || err != nil {
		t.Errorf("missing file: %d, %v", n, err)
	}
	if err := os.WriteFile(path, []byte("a\nb\ntorn"), 0o644); err != nil {
		t.Fatal(err)
	}
	if n, err := countLines(path); n != 2 || err != nil {
		t.Errorf("two lines and a torn one: %d, %v", n, err)
	}
}

func FuzzProcfs(f *testing.F) {
	f.Add([]byte(procStat), "cpu")
	f.Add([]byte("cpu 0 0 0 922337203685 1 0 0 0"), "cpu")
	f.Add([]byte("12 (a ) b) S 1 2 3 4 5 6 7 8 9 10 1 1 0 0"), "x")
	f.Add([]byte("some avg10=0.00 total=1500\n"), "some")
	f.Add([]byte("VmRSS:\t12 kB\n"), "VmRSS")
	f.Add([]byte("20 1 8:1 / / rw - ext4 /dev/root rw\n"), "/x")
	f.Add([]byte("a 2.5 1\n"), "a")
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		if c, err := parseCPUTimes(text, name); err == nil && (c.interrupt < 0 || c.idle < 0 || c.steal < 0) {
			t.Errorf("negative times %+v", c)
		}
		if p, err := parseProcessStat(text); err == nil && (p.own < 0 || p.children < 0) {
			t.Errorf("negative CPU time %+v", p)
		}
		if d, err := parsePressure(text); err == nil && d < 0 {
			t.Errorf("negative pressure %v", d)
		}
		if n, err := parseKiB(text, name); err == nil && n < 0 {
			t.Errorf("negative size %v", n)
		}
		if v, err := parseMetric(text, name); err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
			t.Errorf("metric %v", v)
		}
		_, _ = parseMount(text, name)
	})
}

func FuzzNotification(f *testing.F) {
	f.Add([]byte(`{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"a"}},{"status":"resolved"}]}`))
	f.Add([]byte(`{"version":"3"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		names, err := parseNotification(body)
		if err != nil && names != nil {
			t.Errorf("names %v beside error %v", names, err)
		}
	})
}
