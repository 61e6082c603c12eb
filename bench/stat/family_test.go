package stat

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func TestSimultaneous(t *testing.T) {
	a, b := plantedPairs(rand.New(rand.NewPCG(1, 2)), 12, 1.3, 0.02)
	e := mustCompare(t, a, b)
	one, err := Simultaneous(a, b, HigherIsBetter, 1)
	if err != nil || one != (Interval{e.Low, e.High, e.Level}) {
		t.Errorf("a family of one: %+v, %v; want the interval of Compare, %+v", one, err, e)
	}
	wide, err := Simultaneous(a, b, HigherIsBetter, 15)
	if err != nil || wide.Level < 1-alpha/15 || wide.Low >= e.Low || wide.High <= e.High || wide.Low > 1.3 || wide.High < 1.3 {
		t.Errorf("a family of 15: %+v, %v; want it around [%v, %v]", wide, err, e.Low, e.High)
	}
	inverse, err := Simultaneous(a, b, LowerIsBetter, 15)
	if err != nil || math.Abs(inverse.Low*wide.High-1) > near || math.Abs(inverse.High*wide.Low-1) > near {
		t.Errorf("turned: %+v, %v; want the inverse of %+v", inverse, err, wide)
	}
	few, err := Simultaneous(a[:6], b[:6], HigherIsBetter, 15)
	if err != nil || few != (Interval{}) {
		t.Errorf("six pairs for 15 claims: %+v, %v; want none", few, err)
	}
	if _, err := Simultaneous(a, b[:3], HigherIsBetter, 15); !errors.Is(err, ErrUnpaired) {
		t.Errorf("unpaired: %v", err)
	}
}

func TestFamilyPairs(t *testing.T) {
	// The widest interval of n pairs misses with probability 2/2^n.
	for family, want := range map[int]int{0: MinPairs, 1: MinPairs, 2: 7, 15: 10, 1 << 20: 26, math.MaxInt: 0} {
		if got := FamilyPairs(family); got != want {
			t.Errorf("a family of %d needs %d pairs, want %d", family, got, want)
		}
	}
}
