package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"phase0/loadgen/record"
)

// loadResult is a run of ten seconds at 100 requests per second, in which the fifth
// second is slow, the first request timed out and the last was refused.
func loadResult(t *testing.T, id string) record.Result {
	t.Helper()
	start := time.Date(2026, 11, 26, 13, 0, 0, 0, time.UTC)
	r := record.Result{
		Schema: record.SchemaVersion, RunID: id, ToolVersion: "v1", Engine: "epoll", Model: "open", KeepAlive: true, Seed: 1,
		Start: start, End: start.Add(11 * time.Second), PlannedSeconds: 10, ElapsedSeconds: 11, TimeoutSeconds: 1,
		Verdict: record.Verdict{Level: record.Degraded, Reasons: []string{"made up"}, Bottleneck: "server"},
	}
	const n = 1000
	recorder := record.New(11*time.Second, 1)
	shard := recorder.Shard(0)
	for i := range int64(n) {
		due := i * int64(10*time.Millisecond)
		f := record.Flight{Index: i, Intended: due, Actual: due + int64(20*time.Microsecond)}
		shard.Sent(f)
		shard.Lag(f, int64(5*time.Microsecond))
		took := int64(time.Millisecond) + i*int64(time.Microsecond)
		switch {
		case i/100 == 5:
			took *= 50
			shard.Answered(f, due+took, 202)
		case i == 0:
			shard.TimedOut(f, due+int64(time.Second))
		case i == n-1:
			shard.Answered(f, due+took, 503)
		default:
			shard.Answered(f, due+took, 202)
		}
	}
	if err := recorder.Fill(&r.Stream, n); err != nil {
		t.Fatal(err)
	}
	r.Method, r.URL, r.Arrivals = "POST", "http://127.0.0.1:8080/metrics", "uniform"
	r.WindowSeconds, r.OfferedRPS, r.AchievedRPS, r.AcceptedRPS = 10, 100, 100, 99.8
	r.Connections = record.Connections{Allowed: 64, Peak: 5, Dials: 5}
	r.Verification = &record.Verification{Accepted: 998, Read: 998, LossRateBound: 3.0 / 998, Drained: true}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	return r
}

func writeResult(t *testing.T, dir, name string, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadsDrawsSeveralResults(t *testing.T) {
	dir := t.TempDir()
	files := []string{writeResult(t, dir, "first.json", loadResult(t, "a")), writeResult(t, dir, "second.json", loadResult(t, "b"))}
	d, err := Loads(files)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range d.Figures() {
		names = append(names, f.File)
	}
	if got, want := strings.Join(names, " "), "rate.svg latency.svg heat-1.svg heat-2.svg percentiles.svg lag.svg"; got != want {
		t.Errorf("figures %s, want %s", got, want)
	}
	pages, err := d.Files()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "loads.md", string(pages["report.md"]))
	golden(t, "loads.html", bare(pages["report.html"]))
	for _, f := range d.Figures() {
		if bytes.Contains(pages[f.File], []byte("NaN")) || bytes.Contains(pages[f.File], []byte("Inf")) {
			t.Errorf("%s has coordinates that are none", f.File)
		}
	}
}

func TestLoadsPageOpensWithoutErrors(t *testing.T) {
	b := newBrowser(t)
	d, err := Loads([]string{writeResult(t, t.TempDir(), "run.json", loadResult(t, "a"))})
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	if err := d.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	if _, console := b.open(t, page.Bytes()); len(console) > 0 {
		t.Errorf("console says %q", console)
	}
}

// TestCurvesEndWhereTheTailIsNotKnown: of 1000 requests one was given up and is as slow
// as can be, so that the curve must not reach beyond 99.9 %, and by the number of
// observations not beyond 99.63 %.
func TestCurvesEndWhereTheTailIsNotKnown(t *testing.T) {
	r := loadResult(t, "a")
	points, last, err := tail(r.ResponseTime)
	if err != nil {
		t.Fatal(err)
	}
	if last < 0.99 || last > 0.9964 {
		t.Errorf("the curve ends at %v", last)
	}
	for i := 1; i < len(points); i++ {
		if points[i].X < points[i-1].X || points[i].Y < points[i-1].Y {
			t.Errorf("the curve falls at %v", points[i])
		}
	}
	for _, p := range points {
		q := 1 - 1/p.X
		exact := 0
		for i := range 999 { // response times in order, without the one given up
			if took := requestTime(i + 1); float64(took) <= p.Y*1.001 {
				exact++
			}
		}
		if got := float64(exact-1) / 999; got < q-0.003 { // one of the 999 was refused
			t.Errorf("at %.4f the curve says %v ns, within which only %.4f were answered", q, p.Y, got)
		}
	}
}

// requestTime is what request i of loadResult took.
func requestTime(i int) int64 {
	took := int64(time.Millisecond) + int64(i)*int64(time.Microsecond)
	if i/100 == 5 {
		took *= 50
	}
	return took
}

func TestHeatCountsEveryAcceptedRequest(t *testing.T) {
	r := loadResult(t, "a")
	var total int64
	for _, s := range r.Timeline.Slices {
		h, err := s.Histogram()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range heatColumn(h) {
			total += c.Count
			if c.High/c.Low > 1.27 || c.High < 1e6 {
				t.Errorf("cell %+v", c)
			}
		}
	}
	if total != r.Accounting.Accepted {
		t.Errorf("%d in the map, %d accepted", total, r.Accounting.Accepted)
	}
}

func TestLoadsRefusesWhatIsNoResult(t *testing.T) {
	dir := t.TempDir()
	good := writeResult(t, dir, "good.json", loadResult(t, "a"))
	copied := writeResult(t, dir, "copied.json", loadResult(t, "a"))
	edited := loadResult(t, "e")
	edited.Timeline.Slices[0].P50NS++
	tests := []struct {
		name  string
		files []string
		want  string
	}{
		{"none", nil, "0 files given, want 1 to 8"},
		{"missing", []string{filepath.Join(dir, "no.json")}, "no.json: no such file or directory; expected a file that loadgen wrote with -o"},
		{"folder", []string{dir}, "is a directory"},
		{"not JSON", []string{writeResult(t, dir, "text.json", "x")}, "text.json: read result: "},
		{"another schema", []string{writeResult(t, dir, "bench.json", map[string]any{"schema": 2, "trials": 1})}, "schema is 2, want 1"},
		{"edited", []string{writeResult(t, dir, "edited.json", edited)}, "slices[0].p50_ns"},
		{"twice", []string{good, copied}, "are the same run, a"},
		{"too many", make([]string, MaxLoads+1), "9 files given"},
	}
	for _, tt := range tests {
		_, err := Loads(tt.files)
		if !errors.Is(err, ErrLoads) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
		if len(regexp.MustCompile(`no\.json`).FindAllString(err.Error(), -1)) > 1 {
			t.Errorf("%s: the file is named twice: %v", tt.name, err)
		}
	}
}

func TestSeriesNames(t *testing.T) {
	got := strings.Join(seriesNames([]string{"a/run.json", "b/run.json", "c/other.json"}), " ")
	if want := "a/run b/run other"; got != want {
		t.Errorf("names %s, want %s", got, want)
	}
}

func TestDocumentIsWrittenOnceAndWhole(t *testing.T) {
	root := t.TempDir()
	d, err := Loads([]string{writeResult(t, root, "run.json", loadResult(t, "a"))})
	if err != nil {
		t.Fatal(err)
	}
	files, err := d.Files()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "new", "page")
	if err := WriteDir(files, dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"report.html", "report.md", "rate.svg"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if err := WriteDir(files, dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a directory that exists: %v", err)
	}
	if err := WriteDir(files, filepath.Join(root, "run.json", "page")); err == nil {
		t.Error("a file as the parent is no error")
	}
	entries, err := os.ReadDir(filepath.Join(root, "new"))
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
