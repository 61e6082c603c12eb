package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"phase0/loadgen/record"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sample is a result with everything that the summary can show.
func sample(t *testing.T) record.Result {
	t.Helper()
	rec := record.New(10*time.Second, 1)
	s := rec.Shard(0)
	for i := range int64(400) {
		f := record.Flight{Intended: i * 5_000_000, Actual: i*5_000_000 + 40_000}
		s.Sent(f)
		s.Lag(f, 10_000)
		switch {
		case i == 399:
			s.TimedOut(f, f.Actual+5e9)
		case i == 398:
			s.Failed(f, f.Actual+1000, record.Reset)
		case i%100 == 0:
			s.Answered(f, f.Actual+900_000, 503)
		default:
			s.Answered(f, f.Actual+int64(200_000+i*1000), 202)
		}
	}
	s.NeverSent(2e9, 3e9, record.Refused)
	res := record.Result{
		RunID: "ab12cd34", Engine: "fasthttp", Model: "open",
		PlannedSeconds: 2, ElapsedSeconds: 7, TimeoutSeconds: 5, KeepAlive: true,
		Stream: record.Stream{
			URL: "http://127.0.0.1:8080/metrics", Method: "POST",
			OfferedRPS: 200, AchievedRPS: 199.5, AcceptedRPS: 197,
			Connections: record.Connections{Allowed: 64, Peak: 3, Dials: 4},
		},
		Generator: record.Generator{CPUSeconds: 0.25, GCPauseSeconds: 0.0001},
		Verdict: record.Verdict{
			Level: record.Degraded, Bottleneck: "server",
			Reasons: []string{"3 of 401 requests were never sent, failed or timed out"},
		},
	}
	if err := rec.Fill(&res.Stream, 401); err != nil {
		t.Fatal(err)
	}
	return res
}

func TestWrite(t *testing.T) {
	empty := record.Result{Model: "closed", PlannedRequests: 10, Interrupted: true, Verdict: record.Verdict{Level: record.Invalid}}
	if err := record.New(time.Second, 1).Fill(&empty.Stream, 0); err != nil {
		t.Fatal(err)
	}
	for name, res := range map[string]record.Result{"full": sample(t), "empty": empty} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Write(&b, res, nil, Style{}); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", b.Bytes())
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestColourOnlyOnRequest(t *testing.T) {
	for _, colour := range []bool{false, true} {
		var b bytes.Buffer
		if err := Write(&b, sample(t), nil, Style{Colour: colour}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), "\x1b["); got != colour {
			t.Errorf("colour %v: escapes %v", colour, got)
		}
	}
}

func TestDurationHasThreeDigits(t *testing.T) {
	tests := map[int64]string{
		0: "0ns", 999: "999ns", 1000: "1.00µs", 12_345: "12.3µs", 123_456: "123µs",
		999_400: "999µs", 999_600: "1.00ms", 5_000_000_000: "5.00s", 99_960_000: "100ms",
	}
	for ns, want := range tests {
		if got := duration(ns); got != want {
			t.Errorf("duration(%d) = %s, want %s", ns, got, want)
		}
	}
}

func TestLive(t *testing.T) {
	var b bytes.Buffer
	l := NewLive(&b, 10*time.Second)
	l.Show(time.Second, record.Progress{Sent: 200, Accepted: 198, Open: 2})
	l.Show(2*time.Second, record.Progress{Sent: 450, Errors: 3, Recent: record.Slice{P50NS: 200_000, P99NS: 1_500_000}})
	l.Clear()
	lines := strings.Split(b.String(), eraseLine)
	if want := "1s  200.0 rps  p50 n/a  p99 n/a  rejected 0  errors 0  in flight 2  9s left"; lines[1] != want {
		t.Errorf("got  %q\nwant %q", lines[1], want)
	}
	if want := "2s  250.0 rps  p50 200µs  p99 1.50ms  rejected 0  errors 3  in flight 0  8s left"; lines[2] != want {
		t.Errorf("got  %q\nwant %q", lines[2], want)
	}
}
