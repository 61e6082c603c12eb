package main

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"phase0/scripts/lab"
)

// TestOneRun starts the real server and loadgen.
func TestOneRun(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the reference server needs Linux")
	}
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir, "phase0/loadgen", "phase0/scripts/refserver").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r := rig{server: filepath.Join(dir, "refserver"), clients: map[string]string{"loadgen": filepath.Join(dir, "loadgen")}, dir: dir}
	paced := job{Experiment: pacing, Client: "loadgen", Rate: 500, Seconds: 1}
	got := r.one(t.Context(), tools()[0], paced)
	for tries := 1; tries < 3 && got.RPS < 450; tries++ { // the machine may have stood still near the end
		got = r.one(t.Context(), tools()[0], paced)
	}
	got.Machine = lab.Load{} // the tests' own machine may be busy
	if got.Server.Requests != 500 || got.Claim.Requests != 500 || got.Deviation == nil || got.Cost.Seconds() <= 0 || got.ServerCost.Seconds() <= 0 {
		t.Errorf("%+v", got)
	}
	if got.RPS < 450 || got.RPS > 550 {
		t.Errorf("%v requests/s, want 500", got.RPS)
	}
	r.clients["loadgen"] = filepath.Join(dir, "missing")
	if got := r.one(t.Context(), tools()[0], job{Experiment: closedLoop, Client: "loadgen", Seconds: 1}); !strings.Contains(got.Void, "missing") {
		t.Errorf("a client that is not there gives %q", got.Void)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	<-ctx.Done()
	var result report
	err := rig{server: "missing", dir: t.TempDir()}.perform(ctx, []job{{Client: "loadgen", Seconds: 1}}, tools(), &result, io.Discard)
	if err == nil || !result.Interrupted {
		t.Errorf("error %v, interrupted %t", err, result.Interrupted)
	}
}
