package record

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// happening is one request and what becomes of it.
type happening func(*Shard)

// happenings returns n requests of every kind, spread over five seconds.
func happenings(rng *rand.Rand, n int) []happening {
	out := make([]happening, n)
	for i := range out {
		f := Flight{Intended: rng.Int64N(5000 * ms)}
		wait, took := rng.Int64N(2*ms), rng.Int64N(int64(rng.ExpFloat64()*float64(20*ms))+1)
		f.Actual = f.Intended + wait + rng.Int64N(ms)
		out[i] = func(s *Shard) {
			if took%50 == 0 {
				s.NeverSent(f.Intended, f.Actual+took, Kind(took/50%int64(kinds)))
				return
			}
			s.Sent(f)
			s.Lag(f, wait)
			switch took % 20 {
			case 0:
				s.TimedOut(f, f.Actual+500*ms)
			case 1:
				s.Failed(f, f.Actual+took, Reset)
			case 2:
				s.Open(f, f.Actual+took)
			case 3:
				s.Answered(f, f.Actual+took, 503)
			default:
				s.Answered(f, f.Actual+took, 202)
			}
		}
	}
	return out
}

func recorded(t *testing.T, longest time.Duration, all []happening) Stream {
	t.Helper()
	r := New(longest, 1)
	for _, h := range all {
		h(r.Shard(0))
	}
	return fill(t, r, int64(len(all)))
}

// withoutHistograms leaves out what depends on the range of a run's histograms, which
// differs between hands.
func withoutHistograms(l Timeline) Timeline {
	l.Slices = slices.Clone(l.Slices)
	for i := range l.Slices {
		l.Slices[i].HDR = ""
	}
	return l
}

// However a run is dealt out, the sum of the hands is the run: counts,
// percentiles, lower bounds and the histograms bit by bit.
func TestSumOfShardsIsTheWhole(t *testing.T) {
	const longest = 4 * time.Second
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 7))
		all := happenings(rng, 1+rng.IntN(3000))
		whole := recorded(t, longest, all)
		hands := make([][]happening, 1+rng.IntN(4))
		for _, h := range all {
			i := rng.IntN(len(hands))
			hands[i] = append(hands[i], h)
		}
		var parts []Part
		for i, hand := range hands {
			// Runs of different length have histograms of different range.
			parts = append(parts, Part{Stream: recorded(t, longest/time.Duration(1+i%3), hand)})
		}
		rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		sum, err := Sum(parts)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		whole.Timeline, sum.Timeline = withoutHistograms(whole.Timeline), withoutHistograms(sum.Timeline)
		if !reflect.DeepEqual(sum, whole) {
			t.Errorf("seed %d: the sum of %d hands is\n%+v, want\n%+v", seed, len(hands), sum, whole)
		}
		if err := sum.validate(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

func TestSumAddsConnections(t *testing.T) {
	a, b := recorded(t, time.Second, nil), recorded(t, time.Second, nil)
	a.Connections, b.Connections = Connections{64, 3, 5}, Connections{32, 2, 2}
	sum, err := Sum([]Part{{Stream: a}, {Stream: b}})
	if want := (Connections{96, 5, 7}); err != nil || sum.Connections != want {
		t.Errorf("connections %+v, error %v; want %+v", sum.Connections, err, want)
	}
}

func TestSumNamesTheHistogramThatDoesNotFit(t *testing.T) {
	good, bad := recorded(t, time.Second, nil), recorded(t, time.Second, nil)
	coarse, err := newSlice(int64(time.Second)).response.Encode(0x1c849304)
	if err != nil {
		t.Fatal(err)
	}
	bad.ServiceTime.HDR = string(coarse)
	_, err = Sum([]Part{{RunID: "a", Stream: good}, {RunID: "b", Stream: bad}})
	if err == nil || !strings.Contains(err.Error(), "run b: service_time.hdr: ") || !strings.Contains(err.Error(), "with 2 digits") {
		t.Errorf("error %v, want one about run b, service_time.hdr and 2 digits", err)
	}
}

func TestTimelinesAreAlignedInTime(t *testing.T) {
	line := func(width float64, sent ...int64) Timeline {
		l := Timeline{SliceSeconds: width, Slices: []Slice{}}
		for _, n := range sent {
			l.Slices = append(l.Slices, Slice{Sent: n})
		}
		return l
	}
	tests := []struct {
		name   string
		a, b   Timeline
		offset time.Duration // of b
		want   Timeline
	}{
		{"together", line(1, 1, 2), line(1, 10, 20), 0, line(1, 11, 22)},
		{"rounded down", line(1, 1, 2), line(1, 10, 20), 499 * time.Millisecond, line(1, 11, 22)},
		{"rounded up", line(1, 1, 2), line(1, 10, 20), 501 * time.Millisecond, line(1, 1, 12, 20)},
		{"a gap", line(1, 1), line(1, 10), 3 * time.Second, line(1, 1, 0, 0, 10)},
		{"folded to the wider first", line(4, 1, 2), line(1, 10, 10, 10, 10, 20), 0, line(4, 41, 22)},
		{"folded to the wider second", line(1, 10, 10, 10, 10, 20), line(4, 1, 2), 0, line(4, 41, 22)},
		{"the narrow one begins late", line(4, 1, 2), line(1, 10, 10, 10), 3 * time.Second, line(4, 11, 22)},
		{"folded until it fits", line(1, 1, 2), line(1, 5), 127 * time.Second, func() Timeline {
			l := line(2, make([]int64, 64)...)
			l.Slices[0].Sent, l.Slices[63].Sent = 3, 5
			return l
		}()},
		{"nothing", line(1), line(1), time.Second, Timeline{SliceSeconds: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got Timeline
			got.add(tt.a, 0)
			got.add(tt.b, tt.offset)
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// Results of versions without histograms in their slices.
func TestSlicesKeepOnlyPercentilesOfOneSide(t *testing.T) {
	answered := Slice{Sent: 9, Accepted: 9, P50NS: 5, P99NS: 7}
	tests := []struct {
		name       string
		a, b, want Slice
	}{
		{"both", answered, answered, Slice{Sent: 18, Accepted: 18}},
		{"first", answered, Slice{Errors: 1}, Slice{Sent: 9, Accepted: 9, Errors: 1, P50NS: 5, P99NS: 7}},
		{"second", Slice{Rejected: 1}, answered, Slice{Sent: 9, Accepted: 9, Rejected: 1, P50NS: 5, P99NS: 7}},
	}
	for _, tt := range tests {
		got := tt.a
		if got.add(tt.b); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
