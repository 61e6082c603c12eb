package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"phase0/loadgen/record"
)

// loadgen runs the program in this process.
func loadgen(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = exitCode(realMain(ctx, args, &out, &errs), &errs)
	return code, out.String(), errs.String()
}

func target(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s.URL
}

func accept(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }

func TestRunWritesSummaryAndResult(t *testing.T) {
	url := target(t, accept)
	file := filepath.Join(t.TempDir(), "run.json")
	code, out, errs := loadgen(t.Context(), "-rps", "200", "-d", "250ms", "-o", file, url)
	if code != exitOK && code != exitInvalid { // a busy machine may be late
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{"offered", "achieved", "accepted", "response time", "service time", "verdict", "scheduled 50 = 50 sent"} {
		if !strings.Contains(out, want) {
			t.Errorf("summary lacks %q:\n%s", want, out)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var res record.Result
	if err := json.Unmarshal(data, &res); err != nil {
		t.Fatal(err)
	}
	if res.Schema != record.SchemaVersion || res.Accounting.Accepted != 50 || res.URL != url+"/metrics" || res.WindowSeconds < 0.25 {
		t.Errorf("result %+v", res)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".loadgen-*")); len(left) > 0 {
		t.Errorf("left behind %v", left)
	}
}

func TestClosedModelStopsAtTheCount(t *testing.T) {
	code, out, errs := loadgen(t.Context(), "-model", "closed", "-n", "100", "-c", "4", target(t, accept))
	if code != exitOK || !strings.Contains(out, "answered 100 = 100 2xx") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
}

func TestNothingAcceptedIsInvalid(t *testing.T) {
	url := target(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	code, out, _ := loadgen(t.Context(), "-rps", "100", "-n", "10", url)
	if code != exitInvalid || !strings.Contains(out, "INVALID") || !strings.Contains(out, "n/a") || strings.Contains(out, "NaN") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}

func TestNothingListening(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	file := filepath.Join(t.TempDir(), "run.json")
	code, out, errs := loadgen(t.Context(), "-o", file, ln.Addr().String())
	want := "loadgen: connect http://" + ln.Addr().String() + ": connection refused; is the server running? start it with: go run ./server\n"
	if code != exitCannotRun || out != "" || errs != want {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, out, errs)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a result was written")
	}
}

func TestInterruption(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := target(t, func(w http.ResponseWriter, r *http.Request) {
		accept(w, r)
		cancel()
	})
	file := filepath.Join(t.TempDir(), "run.json")
	code, out, errs := loadgen(ctx, "-d", "1h", "-o", file, url)
	if code != exitInterrupted || !strings.Contains(out, "interrupted after") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	data, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(data, []byte(`"interrupted": true`)) {
		t.Errorf("result %s, error %v", data, err)
	}
}

func TestUsageErrors(t *testing.T) {
	for _, args := range [][]string{{"-rps", "0"}, {"-nope"}, {"a:1", "b:2"}, {"gopher://x"}} {
		code, out, errs := loadgen(t.Context(), args...)
		if code != exitUsage || out != "" || strings.Count(errs, "\n") != 2 || !strings.Contains(errs, "loadgen -h") {
			t.Errorf("%q: exit code %d, stdout %q, stderr %q", args, code, out, errs)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, arg := range []string{"-h", "--help", "-version", "--version"} {
		code, out, errs := loadgen(t.Context(), arg)
		if code != exitOK || out == "" || errs != "" {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", arg, code, out, errs)
		}
	}
}

func TestUnwritableResultStopsBeforeTheLoad(t *testing.T) {
	url := target(t, func(http.ResponseWriter, *http.Request) { t.Error("load was sent") })
	dir := t.TempDir()
	for _, file := range []string{filepath.Join(dir, "missing", "run.json"), dir} {
		if code, _, errs := loadgen(t.Context(), "-o", file, url); code != exitCannotRun || !strings.Contains(errs, file) {
			t.Errorf("-o %s: exit code %d, stderr %q", file, code, errs)
		}
	}
}

// gone is a reader that went away.
type gone struct{ err error }

func (g gone) Write([]byte) (int, error) { return 0, g.err }

func TestReaderThatWentAway(t *testing.T) {
	if err := realMain(t.Context(), []string{"-h"}, gone{&os.PathError{Op: "write", Err: syscall.EPIPE}}, nil); err != nil {
		t.Errorf("closed pipe: %v", err)
	}
	full := errors.New("no space left")
	if err := realMain(t.Context(), []string{"-h"}, gone{full}, nil); !errors.Is(err, full) {
		t.Errorf("full disk: %v", err)
	}
}

func TestHTTPS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(accept))
	t.Cleanup(s.Close)
	code, out, errs := loadgen(t.Context(), "-rps", "100", "-n", "10", s.URL)
	if code != exitCannotRun || out != "" || !strings.Contains(errs, "unknown authority; trust it with -cacert") || strings.Count(errs, "\n") != 1 {
		t.Errorf("untrusted: exit code %d, stdout %q, stderr %q", code, out, errs)
	}
	authority := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, trust := range [][]string{{"-insecure"}, {"-cacert", authority}} {
		code, out, errs := loadgen(t.Context(), append(trust, "-rps", "100", "-n", "10", s.URL)...)
		if code != exitOK && code != exitInvalid || !strings.Contains(out, "answered 10 = 10 2xx") || !strings.Contains(out, "engine fasthttp") {
			t.Errorf("%v: exit code %d: %s%s", trust, code, out, errs)
		}
	}
}
