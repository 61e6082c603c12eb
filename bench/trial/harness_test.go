package trial

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func single() Arm { return Arm{Name: "single", ServerArgs: []string{"-mode", "single"}} }

func smallLoad() Load {
	return Load{Rate: 200, Connections: 4, Warmup: 10 * time.Millisecond, Window: 20 * time.Millisecond}
}

func TestLoadOfAGoodServer(t *testing.T) {
	h := fakeHarness(t, "")
	load := smallLoad()
	load.SlowClient = true
	r, err := load.Run(t.Context(), h, single(), 1)
	if err != nil || !r.Valid() {
		t.Fatalf("error %v, void %q", err, r.Void)
	}
	if r.Values[UnitRPS] != 199 || r.Values[UnitP50] != 1000 || r.Values[UnitQueueDepth] != 3 {
		t.Errorf("values %v", r.Values)
	}
	if _, ok := r.Value(UnitP99); ok || r.Unavailable[UnitP99] == "" {
		t.Errorf("p99 of 20 observations: %v, %v", r.Values, r.Unavailable)
	}
	if slow := r.Accepted - 2*fakeRequests; slow < 1 || r.Stored != r.Accepted {
		t.Errorf("accepted %d (%d slow), stored %d", r.Accepted, slow, r.Stored)
	}
	if !slices.Contains(r.LoadArgs, "-rps") || !slices.Contains(r.ServerArgs, "-mode") {
		t.Errorf("flags not recorded: %v, %v", r.ServerArgs, r.LoadArgs)
	}
	expectEmpty(t, h.Dir)
}

func expectEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestLoadFaultsVoidTheTrial(t *testing.T) {
	tests := []struct{ fault, want string }{
		{"lose", "LOST: 40 samples were accepted, 39 are stored"},
		{"mute", "no closing line"},
		{"dies", "exit status 2"},
		{"invalid", "judged its run invalid: late"},
		{"slowpoke", "sent 100.0 rps where 200.0 were to be offered"},
	}
	for _, tt := range tests {
		t.Run(tt.fault, func(t *testing.T) {
			r, err := smallLoad().Run(t.Context(), fakeHarness(t, tt.fault), single(), 1)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(r.Void, "; "), tt.want) {
				t.Errorf("void %q, want %q", r.Void, tt.want)
			}
			if lost := tt.fault == "lose"; (r.Lost == 1) != lost {
				t.Errorf("lost %d", r.Lost)
			}
		})
	}
}

func TestServerThatDoesNotStart(t *testing.T) {
	h := fakeHarness(t, "nostart")
	_, err := smallLoad().Run(t.Context(), h, single(), 1)
	if !errors.Is(err, ErrServerStart) || !strings.Contains(err.Error(), "refuses to start") {
		t.Errorf("error %v, want the server's words", err)
	}
	expectEmpty(t, h.Dir)
}

func TestCancelStopsTheChildren(t *testing.T) {
	h := fakeHarness(t, "hangs")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := smallLoad().Run(ctx, h, single(), 1)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("children were awaited for %v", took)
	}
	expectEmpty(t, h.Dir)
}

func smallAlert() Alert {
	return Alert{Rules: 10, Probes: 8, Connections: 4, Paces: map[string]time.Duration{"single": 200 * time.Millisecond}}
}

func TestAlert(t *testing.T) {
	for _, rate := range []int{0, 200} {
		a := smallAlert()
		a.Rate = rate
		h := fakeHarness(t, "")
		r, err := a.Run(t.Context(), h, single(), 4)
		if err != nil {
			t.Fatal(err)
		}
		if !r.Valid() || len(r.DelaysNS) != 8 || len(r.ArrivalsNS) != 8 || len(r.SincesNS) != 8 || r.Values[UnitMissed] != 0 || r.Values[UnitFalse] != 0 {
			t.Errorf("rate %d: %+v", rate, r)
		}
		for _, unit := range []string{UnitDetect, UnitArrive} {
			if d := time.Duration(r.Values[unit]); d < 20*time.Millisecond {
				t.Errorf("rate %d: %s %v is less than the server waited", rate, unit, d)
			}
		}
		introduced := int64(hosts + 8 + 2*1 + 8)
		if loaded := r.Accepted - introduced; (loaded == fakeRequests) != (rate > 0) || slices.Contains(r.LoadArgs, "-rps") != (rate > 0) {
			t.Errorf("rate %d: %d accepted, load %q", rate, r.Accepted, r.LoadArgs)
		}
		expectEmpty(t, h.Dir)
	}
}

// What is missed is the server's doing, and no reason to measure again.
func TestAlertThatIsMissed(t *testing.T) {
	r, err := smallAlert().Run(t.Context(), fakeHarness(t, "silent"), single(), 4)
	if err != nil {
		t.Fatal(err)
	}
	if r.Values[UnitMissed] != 8 || len(r.DelaysNS) != 0 || !r.Valid() || !strings.Contains(r.Unavailable[UnitDetect], "8 of 8 breaches were not told within") {
		t.Errorf("result %+v", r)
	}
	if _, ok := r.Value(UnitDetect); ok {
		t.Error("a mean of nothing")
	}
}

func TestAlertThatIsInvented(t *testing.T) {
	r, err := smallAlert().Run(t.Context(), fakeHarness(t, "invents"), single(), 4)
	if err != nil {
		t.Fatal(err)
	}
	if r.Valid() || r.Values[UnitFalse] != 8 {
		t.Errorf("result %+v", r)
	}
}
