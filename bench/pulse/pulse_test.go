package pulse

import (
	"math"
	"runtime"
	"testing"
	"time"
)

// beatsOf makes beats 2 ms apart, of the given costs in microseconds.
func beatsOf(start time.Time, micros ...int) []beat {
	var beats []beat
	for i, cost := range micros {
		beats = append(beats, beat{start.Add(time.Duration(i) * beatEvery), time.Duration(cost) * time.Microsecond})
	}
	return beats
}

func TestSlowStretches(t *testing.T) {
	start := time.Now()
	ms := func(n int) time.Time { return start.Add(time.Duration(n) * time.Millisecond) }
	for name, c := range map[string]struct {
		micros []int
		want   []Stretch
		share  float64
	}{
		"none":          {[]int{10, 11, 9, 30, 30, 30, 10, 10, 10}, nil, 0},
		"in the middle": {[]int{10, 10, 10, 100, 100, 100, 10, 10, 10, 10}, []Stretch{{ms(4), ms(12)}}, 8. / 18},
		"at the begin":  {[]int{100, 90, 80, 10, 10, 10, 10}, []Stretch{{ms(0), ms(6)}}, 6. / 12},
		"at the end":    {[]int{10, 10, 10, 10, 31, 31, 31}, []Stretch{{ms(6), ms(12)}}, 6. / 12},
		"two":           {[]int{10, 90, 90, 90, 10, 90, 90, 90, 10, 10, 10, 10, 10}, []Stretch{{ms(0), ms(8)}, {ms(8), ms(16)}}, 16. / 24},
		"too short":     {[]int{10, 90, 90, 10, 10, 90, 10, 90}, nil, 0},
		"nothing":       {nil, nil, 0},
		"one beat":      {[]int{10}, nil, 0},
	} {
		got := slownessOf(beatsOf(start, c.micros...))
		if len(got.Stretches) != len(c.want) || math.Abs(got.Share()-c.share) > 1e-9 {
			t.Errorf("%s: %v, share %v, want %v, share %v", name, got.Stretches, got.Share(), c.want, c.share)
			continue
		}
		for i, want := range c.want {
			if g := got.Stretches[i]; !g.From.Equal(want.From) || !g.To.Equal(want.To) {
				t.Errorf("%s: stretch %d from %v to %v", name, i, g.From.Sub(start), g.To.Sub(start))
			}
		}
	}
}

func TestWhatMeetsASlowMachine(t *testing.T) {
	start := time.Now()
	s := Slowness{Stretches: []Stretch{{start.Add(100 * time.Millisecond), start.Add(150 * time.Millisecond)}}}
	for after, want := range map[time.Duration]bool{
		0: false, 94 * time.Millisecond: false, 96 * time.Millisecond: true, 120 * time.Millisecond: true,
		199 * time.Millisecond: true, 201 * time.Millisecond: false,
	} {
		if got := s.Met(start.Add(after)); got != want {
			t.Errorf("due after %v: met %v", after, got)
		}
	}
}

// The pulse of this machine: there are beats, and they took time.
func TestPulseBeats(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the CPU time of a thread is read on Linux only")
	}
	p := Start()
	time.Sleep(200 * time.Millisecond)
	s := p.End()
	if len(p.beats) == 0 || s.Watched <= 0 {
		t.Fatalf("%d beats within %v", len(p.beats), s.Watched)
	}
	for _, b := range p.beats {
		if b.cost <= 0 {
			t.Fatalf("a beat costs %v", b.cost)
		}
	}
}
