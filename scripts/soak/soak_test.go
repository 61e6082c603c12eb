package main

import (
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"phase0/loadgen/record"
	"phase0/scripts/lab"
)

func TestParse(t *testing.T) {
	for _, args := range [][]string{{"-minutes", "0"}, {"-life", "1s"}, {"-minutes", "1", "-life", "2m"}, {"x"}} {
		if _, err := parse(args); !errors.Is(err, lab.ErrUsage) {
			t.Errorf("%q: error %v", args, err)
		}
	}
}

func TestSlope(t *testing.T) {
	x, y := []float64{0, 1, 2, 3, 4}, []float64{1, 3, 5, 7, 9}
	if e := slopeOf(x, y); math.Abs(e.Value-2) > 1e-9 || math.Abs(e.Low-2) > 1e-9 {
		t.Errorf("%+v", e)
	}
	// By hand: residuals -0.1 0.3 -0.3 0.1 0 … the interval holds the truth and is not a point.
	if e := slopeOf(x, []float64{0.9, 3.3, 4.7, 7.1, 9}); e.Low >= 2 || e.High <= 2 || e.Low < 1.5 || e.High > 2.5 {
		t.Errorf("%+v", e)
	}
	if e := slopeOf(x[:2], y[:2]); !math.IsInf(e.High, 1) {
		t.Errorf("%+v from two points", e)
	}
	// 1, 2, 3: mean 2, standard error 0.5774, t(2) = 4.303.
	if e := meanOf([]float64{1, 2, 3}); e.Value != 2 || math.Abs(e.High-2-2.4843) > 1e-3 {
		t.Errorf("%+v", e)
	}
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name           string
		slopes, levels []float64
		want           string
	}{
		{"steady", []float64{0.1, -0.2, 0.1, 0, -0.1}, []float64{100, 101, 99, 100, 100}, flat},
		{"grows within a life", []float64{20, 21, 19, 20, 22}, []float64{100, 101, 99, 100, 100}, growing},
		{"grows by little", []float64{2, 2.1, 1.9, 2, 2}, []float64{100, 101, 99, 100, 100}, flat},
		{"grows from life to life", []float64{0, 0, 0, 0, 0}, []float64{100, 120, 140, 161, 180}, growing},
		{"too restless to tell", []float64{0, 0, 200, 0, -30}, []float64{100, 101, 99, 100, 100}, noVerdict},
		{"too few", []float64{20, 20, 20}, []float64{100, 200, 300}, noVerdict},
	} {
		if got := judge("x", tt.slopes, tt.levels); got.Verdict != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// A leak that is planted in readings must be found, and books that do not balance.
func TestConclude(t *testing.T) {
	lives := func(leak float64) (all [][]reading) {
		for range 5 {
			var life []reading
			for s := range 40 {
				life = append(life, reading{at: time.Unix(int64(s), 0), values: map[string]float64{"memory": 100 + leak*float64(s), "descriptors": 20, "goroutines": 30}})
			}
			all = append(all, life)
		}
		return all
	}
	ok := record.Verification{Accepted: 10}
	lost := record.Verification{Accepted: 10, Lost: 1}
	for _, tt := range []struct {
		name string
		leak float64
		v    *record.Verification
		want error
	}{{"good", 0, &ok, nil}, {"a leak", 1, &ok, errGrows}, {"lost", 0, &lost, errGrows}, {"not verified", 0, nil, errNoResult}} {
		r := &rig{}
		r.calls.Add(1)
		if err := r.conclude(lives(tt.leak), record.Result{Verification: tt.v}, 4, io.Discard); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if err := (&rig{}).conclude(lives(0), record.Result{Verification: &ok}, 4, io.Discard); !errors.Is(err, errGrows) {
		t.Errorf("an alert that was never told: %v", err)
	}
}
