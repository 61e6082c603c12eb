package trial

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"phase0/loadgen/ledger"
)

func smallLoss() Loss {
	return Loss{Rate: 500, Connections: 4, Warmup: 100 * time.Millisecond, Window: 50 * time.Millisecond}
}

func TestLossOfFakes(t *testing.T) {
	tests := []struct {
		name, faults string
		signal       syscall.Signal
		all          bool // everything accepted is lost
		lost         int64
		void         string
	}{
		{"kill -9 takes what was not stored", "", syscall.SIGKILL, true, 0, ""},
		{"and nothing of what was", "sync", syscall.SIGKILL, false, 0, ""},
		{"SIGTERM stores it", "", syscall.SIGTERM, false, 0, ""},
		{"one lost at SIGTERM is a fault", "lose", syscall.SIGTERM, false, 2, "LOST: 2 samples"},
		{"after the restart, too", "lose", syscall.SIGKILL, true, 1, "LOST: 1 samples"},
		{"queries that hide samples are found out", "sync,wrong", syscall.SIGKILL, false, 0, "two counts differ: lost: 0 by the file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := fakeHarness(t, tt.faults)
			l := smallLoss()
			l.Signal = tt.signal
			r, err := l.Run(t.Context(), h, single(), 1)
			for try := 1; err == nil && try < 5 && slices.Contains(r.Void, "no sample was accepted before the signal"); try++ {
				l.Warmup *= 2 // a busy machine
				r, err = l.Run(t.Context(), h, single(), 1)
			}
			if err != nil {
				t.Fatal(err)
			}
			if void := strings.Join(r.Void, "; "); void != "" && tt.void == "" || !strings.Contains(void, tt.void) {
				t.Errorf("void %q, want %q", r.Void, tt.void)
			}
			if after := r.Values[UnitRestarted]; after < 1 || int64(after) >= r.Accepted {
				t.Errorf("%v of %d samples were accepted after the restart", after, r.Accepted)
			}
			if r.Lost != tt.lost {
				t.Errorf("Lost is %d, want %d", r.Lost, tt.lost)
			}
			if lost := r.Values[UnitLost]; tt.all != (lost > 1) || r.Values[UnitDuplicated] != 0 {
				t.Errorf("values %v", r.Values)
			}
			expectEmpty(t, h.Dir)
		})
	}
}

func TestLossNeedsItsOwnLoad(t *testing.T) {
	arm := single()
	arm.LoadArgs = []string{"-keepalive=false"}
	if _, err := smallLoss().Run(t.Context(), fakeHarness(t, ""), arm, 1); !errors.Is(err, ErrLoadArgs) {
		t.Errorf("error %v", err)
	}
}

func TestLossOfTheServer(t *testing.T) {
	h := realHarness(t)
	for _, mode := range []string{"single", "concurrent"} {
		for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
			l := Loss{Rate: 2000, Connections: 16, Warmup: 100 * time.Millisecond, Window: 200 * time.Millisecond, Signal: signal}
			r, err := l.Run(t.Context(), h, Arm{Name: mode, ServerArgs: []string{"-mode", mode}}, 7)
			if err != nil || !r.Valid() || r.Lost != 0 {
				t.Fatalf("%s, %v: error %v, void %q", mode, signal, err, r.Void)
			}
			t.Logf("%s, %v: accepted %d, %v", mode, signal, r.Accepted, r.Values)
			if signal == syscall.SIGTERM && r.Values[UnitLost] != 0 {
				t.Errorf("%s lost %v at SIGTERM", mode, r.Values[UnitLost])
			}
			if ready := time.Duration(r.Values[UnitReady]); ready <= 0 || ready > readyTimeout {
				t.Errorf("ready after %v", ready)
			}
		}
	}
}

func TestMomentIsInTheWindowAndRandom(t *testing.T) {
	l := smallLoss()
	seen := map[time.Duration]bool{}
	for seed := range uint64(20) {
		m := l.moment(seed)
		if m < l.Warmup || m > l.Warmup+l.Window || m != l.moment(seed) {
			t.Errorf("moment %v", m)
		}
		seen[m] = true
	}
	if len(seen) != 20 {
		t.Errorf("%d moments from 20 seeds", len(seen))
	}
}

func TestReadBackJudgesEveryFate(t *testing.T) {
	l := &ledgered{runID: "r", book: ledger.New()}
	for i, o := range []ledger.Outcome{ledger.Accepted, ledger.Accepted, ledger.Ambiguous, ledger.Refused, ledger.Accepted, ledger.NotSent, ledger.Ambiguous} {
		l.book.Mark(int64(i), o)
	}
	lines := []string{
		`{"name":"loadgen_r_0","value":0,"timestamp":1}`, // accepted and stored
		`{"name":"loadgen_r_0","value":0,"timestamp":1}`, // again
		`{"name":"loadgen_r_2","value":0,"timestamp":1}`, // unanswered and stored
		`{"name":"loadgen_r_3","value":0,"timestamp":1}`, // refused and stored
		`{"name":"loadgen_r_5","value":0,"timestamp":1}`, // never sent
		`{"name":"loadgen_r_0","value":0.5,"timestamp":1}`,
		`{"name":"loadgen_r_9","value":0,"timestamp":1}`,
		`{"name":"loadgen_other_0","value":0,"timestamp":1,"labels":{"a":"b"}}`,
		`{"name":"loadgen_r_1","val`, // torn: sample 1 is lost
		`{"name":"loadgen_r_4","value":0}`,
		`{"name":"loadgen_r_4","value":0,"timestamp":1`, // without a line end
	}
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := l.readBack(path)
	want := readBack{lines: 10, torn: 2, lost: 2, duplicated: 1, recovered: 1, phantom: 3, zombie: 1}
	if err != nil || got != want {
		t.Errorf("found %+v, want %+v, error %v", got, want, err)
	}
}

func FuzzParseStored(f *testing.F) {
	f.Add([]byte(`{"name":"a","value":1,"timestamp":2}` + "\n"))
	f.Add([]byte(`{"name":"a","value":1,"timestamp":2,"labels":{"host":"b"}}`))
	f.Add([]byte(`{"name":"a","value":1,"timestamp":2}{"name":"b"`))
	f.Add([]byte(`{"name":null,"value":1e999,"timestamp":-1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if _, v, err := parseStored(line); err == nil && v-v != 0 {
			t.Errorf("value %v", v)
		}
	})
}
