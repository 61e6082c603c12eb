package trial

import (
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func durable() Arm {
	return Arm{Name: "durable", ServerArgs: []string{"-mode", "concurrent", "-queue=wal", "-sync=always"}}
}

func TestDurableArms(t *testing.T) {
	for args, want := range map[string]bool{
		"-mode concurrent":                          false,
		"-mode concurrent -queue=wal":               true,
		"-mode single -queue=wal -sync=none":        true,
		"-mode concurrent -queue=bounded":           false,
		"-mode concurrent -queue=wal -queue=memory": false,
		"":                       false,
		"-mode single -sync=wal": false,
	} {
		if got := (Arm{ServerArgs: strings.Fields(args)}).Durable(); got != want {
			t.Errorf("%q is durable: %v", args, got)
		}
	}
}

// What is the price of other queues is a broken promise of a durable one.
func TestCrashOfADurableFake(t *testing.T) {
	tests := []struct {
		name, faults string
		arm          Arm
		void         string
		lost, twice  bool
	}{
		{"keeps what it accepted", "sync", durable(), "", false, false},
		{"keeps nothing", "", durable(), "LOST: ", true, false},
		{"keeps nothing and promises nothing", "", concurrent(), "", false, false},
		{"stores twice", "sync,twice", durable(), "DUPLICATED: ", false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := fakeHarness(t, tt.faults)
			l := smallLoss()
			r, err := l.Run(t.Context(), h, tt.arm, 1)
			for try := 1; err == nil && try < 5 && slices.Contains(r.Void, "no sample was accepted before the signal"); try++ {
				l.Warmup *= 2 // a busy machine
				r, err = l.Run(t.Context(), h, tt.arm, 1)
			}
			if err != nil {
				t.Fatal(err)
			}
			if void := strings.Join(r.Void, "; "); void != "" && tt.void == "" || !strings.Contains(void, tt.void) {
				t.Errorf("void %q, want %q", r.Void, tt.void)
			}
			if (r.Lost > 0) != tt.lost || (r.Duplicated > 0) != tt.twice {
				t.Errorf("lost %d, duplicated %d", r.Lost, r.Duplicated)
			}
			if tt.lost && float64(r.Lost) != r.Values[UnitLost] {
				t.Errorf("lost %d, values %v", r.Lost, r.Values)
			}
		})
	}
}

func TestLogOfAFake(t *testing.T) {
	r, err := smallLoad().Run(t.Context(), fakeHarness(t, "log"), durable(), 1)
	if err != nil || !r.Valid() {
		t.Fatalf("error %v, void %q", err, r.Void)
	}
	near := func(unit string, want float64) {
		if got, ok := r.Value(unit); !ok || math.Abs(got-want) > want/1e6 {
			t.Errorf("%s is %v, %v; want %v", unit, got, ok, want)
		}
	}
	near(UnitSyncs, 0.25)
	near(UnitSyncTime, 2e6)
	near(UnitSyncBusy, fakeRequests/2000.0/0.1) // of a window of 100 ms
	if r, err = smallLoad().Run(t.Context(), fakeHarness(t, "log"), concurrent(), 1); err != nil || r.Values[UnitSyncs] != 0 {
		t.Errorf("an arm without a log: %v, %v", r.Values, err)
	}
	r, err = smallLoad().Run(t.Context(), fakeHarness(t, ""), durable(), 1)
	if _, known := r.Value(UnitSyncs); err != nil || known || !strings.Contains(r.Unavailable[UnitSyncs], "no such sample") {
		t.Errorf("a server that does not count: %v, %v, %v", r.Values, r.Unavailable, err)
	}
}

func TestDurableLoadOfTheServer(t *testing.T) {
	h := realHarness(t)
	for _, batch := range []int{1, 1000} {
		l := Load{Connections: 16, Warmup: 50 * time.Millisecond, Window: 200 * time.Millisecond, Batch: batch}
		r, err := l.Run(t.Context(), h, durable(), 1)
		if err != nil || spoilt(r) || r.Lost != 0 {
			t.Fatalf("error %v, void %q", err, r.Void)
		}
		t.Logf("batch %d: accepted %d, %v", batch, r.Accepted, r.Values)
		// Every request needs a sync, and none needs two.
		if syncs := r.Values[UnitSyncs] * float64(batch); syncs <= 0 || syncs > 1.5 || r.Values[UnitSyncTime] <= 0 || r.Values[UnitSyncBusy] <= 0 {
			t.Errorf("%v syncs per request, values %v", syncs, r.Values)
		}
		if got := r.Values[UnitSamples]; batch > 1 && got != 1000*r.Values[UnitRPS] || batch == 1 && got != 0 {
			t.Errorf("%v samples/s in batches of %d, %v rps", got, batch, r.Values[UnitRPS])
		}
	}
}

func TestDurableCrashOfTheServer(t *testing.T) {
	l := Loss{Rate: 2000, Connections: 16, Warmup: 100 * time.Millisecond, Window: 200 * time.Millisecond, Signal: syscall.SIGKILL}
	r, err := l.Run(t.Context(), realHarness(t), durable(), 7)
	if err != nil || !r.Valid() || r.Lost != 0 || r.Values[UnitLost] != 0 || r.Values[UnitReady] <= 0 || r.Accepted == 0 {
		t.Errorf("error %v, void %q, lost %d, values %v", err, r.Void, r.Lost, r.Values)
	}
}
