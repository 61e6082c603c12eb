package trial

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tamper is a fault of tests: it does something to the victim, and says that it was
// not felt where it should.
type tamper struct {
	Calm
	with    func(v Victim) error
	unfelt  bool
	healed  bool
	closed  bool
	running bool // the load was under way when it began
}

func (f *tamper) Strike(_ context.Context, v Victim) error {
	info, err := os.Stat(v.Data)
	f.running = err == nil && info.Size() > 0
	return nil
}

func (f *tamper) Heal(_ context.Context, v Victim) error {
	f.healed = true
	if f.with == nil {
		return nil
	}
	return f.with(v)
}

func (f *tamper) Seen(context.Context, Victim) (string, []string, error) {
	if f.unfelt {
		return "", nil, errors.New("nothing happened")
	}
	return "felt", nil, nil
}

func (f *tamper) Close() error { f.closed = true; return nil }

// storedFirst returns the first line of the victim's file.
func storedFirst(v Victim) ([]byte, error) {
	text, err := os.ReadFile(v.Data)
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return append(line, '\n'), err
}

// hide makes the first sample one of another series, in its place: the server appends
// meanwhile.
func hide(v Victim) error {
	line, err := storedFirst(v)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(v.Data, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteAt(bytes.Replace(line, []byte("loadgen_"), []byte("another_"), 1), 0)
	return err
}

// add appends what change makes of the first line.
func add(change func(line []byte) []byte) func(Victim) error {
	return func(v Victim) error {
		line, err := storedFirst(v)
		if err != nil {
			return err
		}
		file, err := os.OpenFile(v.Data, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = file.Write(change(line))
		return err
	}
}

func smallOrdeal(f Fault) Ordeal {
	return Ordeal{
		Rate: 300, Connections: 4, Warmup: 200 * time.Millisecond, Hold: 50 * time.Millisecond, After: 20 * time.Millisecond,
		Timeout: 20 * time.Second, Fault: f,
	}
}

// What a fault does to stored samples must be found, each kind for what it is.
func TestOrdealFindsWhatBecameOfSamples(t *testing.T) {
	repeat := add(func(line []byte) []byte { return line })
	invent := add(func(line []byte) []byte {
		return bytes.Replace(line, []byte(`"value":0`), []byte(`"value":12345`), 1)
	})
	tests := []struct {
		name, faults string
		fault        tamper
		mayEnd       bool
		want         func(Toll) bool
		broken, void string
	}{
		{"nothing", "sync", tamper{}, false, func(t Toll) bool { return t.Lost+t.Duplicated+t.Phantom+t.Torn == 0 && t.Ready > 0 }, "", ""},
		{"one lost", "sync", tamper{with: hide}, false, func(t Toll) bool { return t.Lost == 1 && t.LostSeconds > 0 }, "", ""},
		{"one twice", "sync", tamper{with: repeat}, false, func(t Toll) bool { return t.Duplicated == 1 }, "", ""},
		{"one from nowhere", "sync", tamper{with: invent}, false, func(t Toll) bool { return t.Phantom == 1 }, "", ""},
		{"queries that hide one", "sync,wrong", tamper{}, false, func(t Toll) bool { return t.Lost == 0 }, "queries and file differ", ""},
		{"a fault that is not felt", "sync", tamper{unfelt: true}, false, func(t Toll) bool { return t.Evidence == "" }, "", "nothing happened"},
		{"a server that ends", "sync", tamper{with: kill}, false, func(t Toll) bool { return t.Restarted && t.Lost == 0 }, "the server ended", ""},
		{"one that may", "sync", tamper{with: kill}, true, func(t Toll) bool { return t.Restarted && t.Lost == 0 }, "", ""},
		{"one that refuses afterwards", "sync,refuses", tamper{}, false, func(t Toll) bool { return t.Ambiguous > 0 }, "were not", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := fakeHarness(t, tt.faults)
			fault := tt.fault
			o := smallOrdeal(&fault)
			o.MayEnd = tt.mayEnd
			toll, err := o.Run(t.Context(), h, single(), 1)
			if err != nil {
				t.Fatal(err)
			}
			expectWords(t, "broken", toll.Broken, tt.broken)
			expectWords(t, "void", toll.Void, tt.void)
			if toll.Accepted == 0 || !tt.want(toll) || !fault.healed || !fault.closed || !fault.running {
				t.Errorf("toll %+v, fault %+v", toll, fault)
			}
			expectEmpty(t, h.Dir)
		})
	}
}

func kill(v Victim) error { return syscall.Kill(v.PID, syscall.SIGKILL) }

func expectWords(t *testing.T, what string, got []string, want string) {
	t.Helper()
	if words := strings.Join(got, "; "); words != "" && want == "" || !strings.Contains(words, want) {
		t.Errorf("%s %q, want %q", what, got, want)
	}
}

func TestOrdealBySignal(t *testing.T) {
	tests := []struct {
		name, faults string
		signal       syscall.Signal
		lost         func(Toll) bool
		broken       string
	}{
		{"kill -9 takes what was not stored", "", syscall.SIGKILL, func(t Toll) bool { return t.Lost == t.Accepted }, ""},
		{"and nothing of what was", "sync", syscall.SIGKILL, func(t Toll) bool { return t.Lost == 0 }, ""},
		{"SIGTERM stores it", "", syscall.SIGTERM, func(t Toll) bool { return t.Lost == 0 }, ""},
		{"a closing line that is missing", "mute", syscall.SIGTERM, func(t Toll) bool { return t.Lost == 0 }, "no closing line"},
		{"one lost at SIGTERM", "lose", syscall.SIGTERM, func(t Toll) bool { return t.Lost == 1 }, "after the fault: lost 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := smallOrdeal(Calm{})
			o.Signal = tt.signal
			toll, err := o.Run(t.Context(), fakeHarness(t, tt.faults), single(), 1)
			if err != nil {
				t.Fatal(err)
			}
			expectWords(t, "broken", toll.Broken, tt.broken)
			if !toll.Restarted || toll.Accepted == 0 || !tt.lost(toll) {
				t.Errorf("toll %+v", toll)
			}
		})
	}
}

// inTurn notes what is called when.
type inTurn struct {
	Calm
	pid   int
	calls []string
}

func (f *inTurn) note(what string) {
	if syscall.Kill(f.pid, 0) == nil {
		what += " alive"
	}
	f.calls = append(f.calls, what)
}

func (f *inTurn) Strike(_ context.Context, v Victim) error {
	f.pid = v.PID
	f.note("strike")
	return nil
}

func (f *inTurn) Heal(context.Context, Victim) error { f.note("heal"); return nil }

func (f *inTurn) Seen(context.Context, Victim) (string, []string, error) {
	f.note("seen")
	return "felt", []string{"a promise"}, nil
}

// A fault with a signal begins while the server lives, and is healed when it is gone.
func TestOrdealBySignalAndFault(t *testing.T) {
	fault := &inTurn{}
	o := smallOrdeal(fault)
	o.Signal = syscall.SIGKILL
	toll, err := o.Run(t.Context(), fakeHarness(t, "sync"), single(), 1)
	if got := strings.Join(fault.calls, ", "); err != nil || got != "strike alive, heal, seen" {
		t.Errorf("called %s, error %v", got, err)
	}
	if toll.Evidence != "felt" || !slices.Contains(toll.Broken, "a promise") || toll.Fresh <= 0 || toll.Moment != o.moment(1) {
		t.Errorf("%+v", toll)
	}
}

func TestOrdealListensToHealth(t *testing.T) {
	o := smallOrdeal(&tamper{})
	o.Hold = 300 * time.Millisecond
	toll, err := o.Run(t.Context(), fakeHarness(t, "sync"), single(), 1)
	if err != nil || toll.Said["healthy"] == 0 || toll.Evidence != "felt" {
		t.Errorf("%+v, error %v", toll, err)
	}
	if !slices.Contains(toll.ServerArgs, "-data") {
		t.Errorf("arguments %q", toll.ServerArgs)
	}
}

func TestOrdealThatCannotStrike(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fault := &tamper{}
	if _, err := smallOrdeal(fault).Run(ctx, fakeHarness(t, ""), single(), 1); err == nil || !fault.closed {
		t.Errorf("error %v, fault %+v", err, fault)
	}
}

func TestOrdealMoment(t *testing.T) {
	o, seen := smallOrdeal(Calm{}), map[time.Duration]bool{}
	for seed := range uint64(20) {
		m := o.moment(seed)
		if m < o.Warmup/2 || m > o.Warmup || m != o.moment(seed) {
			t.Errorf("moment %v", m)
		}
		seen[m] = true
	}
	if len(seen) != 20 {
		t.Errorf("%d moments from 20 seeds", len(seen))
	}
}
