package trial

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOverloadOfTheServer(t *testing.T) {
	h := realHarness(t)
	o := Overload{Delay: time.Millisecond, Factor: 4, Calibrate: 200 * time.Millisecond, Window: 500 * time.Millisecond}
	for _, mode := range []string{"single", "concurrent"} {
		o.Recovery = map[string]time.Duration{"single": 500 * time.Millisecond, "concurrent": 20 * time.Second}[mode]
		r, err := o.Run(t.Context(), h, Arm{Name: mode, ServerArgs: []string{"-mode", mode}}, 1)
		if err != nil || spoilt(r) || r.Lost != 0 || r.Stored != r.Accepted {
			t.Fatalf("%s: error %v, void %q", mode, err, r.Void)
		}
		if !r.Valid() {
			t.Logf("%s: the machine is too busy to overload anything: %q", mode, r.Void)
			continue
		}
		t.Logf("%s: %v %v %v", mode, r.Values, r.Unavailable, r.Warnings)
		if c := r.Values[UnitCapacity]; c < 1000 || c > 11_000 {
			t.Errorf("%s: capacity %v where storage takes 10,000 samples/s", mode, c)
		}
		if share := r.Values[UnitGoodputShare]; share > 1.2 {
			t.Logf("%s: the machine was busier while the capacity was measured: %v of it were stored", mode, share)
			continue
		}
		bounded := mode == "concurrent"
		if refused := r.Values[UnitRefused]; (refused > 0.02) != bounded {
			t.Errorf("%s: refused %v of the requests", mode, refused)
		}
		if _, recovered := r.Value(UnitRecover); recovered != bounded || !bounded && !strings.Contains(r.Unavailable[UnitRecover], "not recovered within 500ms") {
			t.Errorf("%s: recovery %v, %v", mode, r.Values[UnitRecover], r.Unavailable)
		}
	}
}

func TestOverloadThatCannotBeMeasured(t *testing.T) {
	// The fake's queue is always empty, so that more can be stored than is offered.
	o := Overload{Calibrate: 50 * time.Millisecond, Window: 50 * time.Millisecond, Recovery: time.Second}
	r, err := o.Run(t.Context(), fakeHarness(t, "sync"), single(), 1)
	if err != nil || r.Valid() || !strings.Contains(r.Void[0], "measure capacity: ") {
		t.Errorf("error %v, void %q", err, r.Void)
	}
}

func TestJudgeOverload(t *testing.T) {
	var f flood
	f.capacity, f.goodput = 5000, 4500
	f.generated = fakeResult()
	f.generated.Accounting.StatusCodes = map[string]int64{"202": 5, "503": 15}
	f.generated.Accounting.Scheduled = 20
	r := newResult(single(), 1)
	o := Overload{Recovery: time.Second}
	r.judgeOverload(Limits{Steal: 1, Foreign: 1}, f)
	r.fillOverload(o, f, exit{})
	if !r.Valid() || r.Values[UnitGoodputShare] != 0.9 || r.Values[UnitRefused] != 0.75 || r.Unavailable[UnitRecover] == "" {
		t.Errorf("%+v", r)
	}
	f.generated.AchievedRPS = 0.5 * f.generated.OfferedRPS
	if r.judgeOverload(Limits{Steal: 1, Foreign: 1}, f); r.Valid() {
		t.Error("half of the overload was not offered, and the trial is valid")
	}
}

func TestNeverEmpty(t *testing.T) {
	began := time.Unix(1000, 0)
	log := depthLog{at: []time.Time{began, began.Add(time.Second), began.Add(2 * time.Second)}, depth: []int64{0, 5, 0}}
	second := func(n float64) time.Time { return began.Add(time.Duration(n * float64(time.Second))) }
	if err := log.neverEmpty(second(0.5), second(1.5)); err != nil {
		t.Error(err)
	}
	if err := log.neverEmpty(second(0.5), second(2.5)); err == nil {
		t.Error("an empty queue was passed over")
	}
	if err := log.neverEmpty(second(3), second(4)); err == nil {
		t.Error("a queue that was never seen is full")
	}
}

func TestWatchFileSeesTheRate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	began := time.Now()
	log, err := watchFile(t.Context(), path, func() error {
		time.Sleep(30 * time.Millisecond) // the file is not there yet
		file, err := os.Create(path)
		if err != nil {
			return err
		}
		defer file.Close()
		for range 10 {
			if _, err := file.WriteString("a\nb\n"); err != nil {
				return err
			}
			time.Sleep(10 * time.Millisecond)
		}
		_, err = file.WriteString("torn")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := log.lines[len(log.lines)-1]; n != 20 {
		t.Errorf("%d lines at the end", n)
	}
	took := time.Since(began)
	if got, want := log.rate(began, began.Add(took)), 20/took.Seconds(); math.Abs(got/want-1) > 0.01 {
		t.Errorf("rate %v, want %v", got, want)
	}
}

func TestLinesBetweenTwoLooks(t *testing.T) {
	began := time.Unix(1000, 0)
	log := fileLog{at: []time.Time{began, began.Add(time.Second), began.Add(2 * time.Second)}, lines: []int64{10, 20, 60}}
	for seconds, want := range map[float64]float64{-1: 10, 0: 10, 0.5: 15, 1.25: 30, 9: 60} {
		if got := log.linesAt(began.Add(time.Duration(seconds * float64(time.Second)))); got != want {
			t.Errorf("after %v s: %v lines, want %v", seconds, got, want)
		}
	}
}
