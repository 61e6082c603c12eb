package trial

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"phase0/loadgen/knee"
	"phase0/loadgen/record"
)

func concurrent() Arm { return Arm{Name: "concurrent", ServerArgs: []string{"-mode", "concurrent"}} }

// spoilt reports whether a trial is void for another reason than that the machine was
// too busy with other tests for the load generator.
func spoilt(r Result) bool {
	return slices.ContainsFunc(r.Void, func(why string) bool {
		return !strings.HasPrefix(why, "load generator judged its run invalid") && !strings.HasPrefix(why, "sent ")
	})
}

func TestFreshnessOfAFake(t *testing.T) {
	f := Freshness{Rate: 200, Connections: 4, Warmup: 10 * time.Millisecond, Window: 200 * time.Millisecond, Every: 10 * time.Millisecond}
	r, err := f.Run(t.Context(), fakeHarness(t, ""), single(), 1)
	if err != nil || !r.Valid() {
		t.Fatalf("error %v, void %q", err, r.Void)
	}
	low, up := r.Values[UnitFreshP50Low], r.Values[UnitFreshP50]
	if up <= 0 || low > up || r.Unavailable[UnitFreshP99] != "" || r.Values[UnitFreshP99] != 0 {
		t.Errorf("values %v, unavailable %v", r.Values, r.Unavailable)
	}
	if probes := r.Accepted - 2*fakeRequests; probes < 5 || r.Stored != r.Accepted {
		t.Errorf("accepted %d, stored %d", r.Accepted, r.Stored)
	}
}

func TestFreshnessThatIsNeverSeen(t *testing.T) {
	r := newResult(single(), 1)
	book := record.NewFreshnessBook(time.Second)
	for range 10 {
		book.Invisible(time.Second, time.Second)
	}
	f, err := book.Result()
	if err != nil {
		t.Fatal(err)
	}
	r.fillFreshness(f)
	if _, known := r.Value(UnitFreshP50); known || r.Valid() || r.Values[UnitFreshP50Low] < 9e8 || len(r.Warnings) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestFreshnessOfTheServer(t *testing.T) {
	f := Freshness{Rate: 200, Connections: 8, Warmup: 50 * time.Millisecond, Window: 600 * time.Millisecond, Every: 20 * time.Millisecond}
	r, err := f.Run(t.Context(), realHarness(t), concurrent(), 1)
	if err != nil || spoilt(r) {
		t.Fatalf("error %v, void %q", err, r.Void)
	}
	if low, up := r.Values[UnitFreshP50Low], r.Values[UnitFreshP50]; up <= 0 || low > up {
		t.Errorf("values %v, unavailable %v", r.Values, r.Unavailable)
	}
	t.Log(r.Values)
}

func TestMixedOfTheServer(t *testing.T) {
	h := realHarness(t)
	m := Mixed{Points: Points{N: 2000}, Rate: 200, QueryRate: 50, Connections: 8, Warmup: 50 * time.Millisecond, Window: 600 * time.Millisecond}
	for range 2 { // the second finds the file unharmed
		r, err := m.Run(t.Context(), h, concurrent(), 1)
		if err != nil || spoilt(r) || r.Values[UnitQueryP50] <= 0 || r.Values[UnitRPS] <= 0 || r.Stored != r.Accepted {
			t.Fatalf("error %v, void %q, values %v", err, r.Void, r.Values)
		}
		t.Log(r.Values, r.Unavailable)
	}
}

func TestMixedWithoutAnswers(t *testing.T) {
	r := newResult(single(), 1)
	r.fillMixed(nil)
	if r.Valid() {
		t.Error("no report of queries, no reason to void")
	}
	r = newResult(single(), 1)
	r.fillMixed(&record.Stream{Accounting: record.Accounting{Scheduled: 5, StatusCodes: map[string]int64{"422": 5}}})
	if r.Valid() || len(r.Warnings) != 1 {
		t.Errorf("%+v", r)
	}
}

func TestKneeOfTheServer(t *testing.T) {
	k := Knee{SLO: "p50<1s,err<1%", From: 200, Max: 800, Step: 100 * time.Millisecond, Connections: 8, Limit: 5 * time.Second}
	r, err := k.Run(t.Context(), realHarness(t), concurrent(), 1)
	if err != nil || !r.Valid() {
		t.Fatalf("error %v, void %q", err, r.Void)
	}
	t.Log(r.Values, r.Unavailable, r.Warnings)
	// On a busy machine runs are void or send too little, and the search ends where it is.
	if knee, found := r.Value(UnitKnee); knee > 800 || found == (r.Unavailable[UnitKnee] != "") || found != slices.Contains(r.AtLeast, UnitKnee) {
		t.Errorf("%+v", r)
	}
	if p := r.Curve[0]; p.OfferedRPS < 200 || p.OfferedRPS > 400 || p.AchievedRPS <= 0 || p.P50NS <= 0 || p.Ruling == "fail" && !strings.HasPrefix(p.Reason, "achieved ") {
		t.Errorf("first point %+v", p)
	}
}

func TestKneeThatTakesTooLong(t *testing.T) {
	k := Knee{From: 100, Max: 100_000, Step: time.Second, Connections: 8, Limit: 2500 * time.Millisecond, SLO: "p50<1s"}
	began := time.Now()
	r, err := k.Run(t.Context(), realHarness(t), concurrent(), 1)
	if took := time.Since(began); err != nil || took > 20*time.Second {
		t.Fatalf("error %v after %v", err, took)
	}
	if !strings.Contains(strings.Join(r.Warnings, "; "), "cut by its limit of 2.5s") || !r.Cut {
		t.Errorf("%+v", r)
	}
}

func TestFillKnee(t *testing.T) {
	points := make([]knee.Point, 5)
	tests := []struct {
		name         string
		found        knee.Knee
		cut          bool
		knee, fail   float64
		valid, bound bool
		warning      string
	}{
		{"a bracket", knee.Knee{LastPass: 900, FirstFail: 990, Confirmed: true, Points: points}, false, 900, 990, true, false, ""},
		{"not confirmed", knee.Knee{LastPass: 900, FirstFail: 990, Points: points}, false, 900, 990, true, false, "the knee is not confirmed"},
		{"nothing passes", knee.Knee{FirstFail: 1, LimitedBy: "lowest", Points: points}, false, 0, 1, true, false, "limited by lowest"},
		{"no run", knee.Knee{LimitedBy: "interrupted"}, true, 0, 0, false, false, ""},
		{"nothing fails", knee.Knee{LastPass: 900, LimitedBy: "max", Points: points}, false, 900, 0, true, true, "limited by max"},
		{"cut, open", knee.Knee{LastPass: 900, FirstFail: 1800, LimitedBy: "interrupted", Points: points}, true, 900, 1800, true, true, "cut by its limit of 9s"},
		{"cut in the ramp", knee.Knee{LastPass: 900, LimitedBy: "interrupted", Points: points}, true, 900, 0, true, true, "cut by its limit of 9s"},
		{"cut while votes were taken", knee.Knee{LastPass: 900, FirstFail: 980, LimitedBy: "interrupted", Points: points}, true, 900, 980, true, false, "cut by its limit of 9s"},
	}
	for _, tt := range tests {
		tt.found.Precision = 0.1
		r := newResult(single(), 1)
		r.Cut = tt.cut
		r.fillKnee(tt.found, Knee{Limit: 9 * time.Second}, exit{})
		if r.Values[UnitKnee] != tt.knee || r.Values[UnitKneeFail] != tt.fail || r.Valid() != tt.valid || len(r.Curve) != len(tt.found.Points) {
			t.Errorf("%s: %+v", tt.name, r)
		}
		if warned := strings.Join(r.Warnings, "; "); (warned == "") != (tt.warning == "") || !strings.Contains(warned, tt.warning) || slices.Contains(r.AtLeast, UnitKnee) != tt.bound {
			t.Errorf("%s: bounded %v, warned %q", tt.name, r.AtLeast, warned)
		}
	}
}

// Arms of one block, and blocks of one arm, search along rates of their own; the same
// search always along the same.
func TestSearchesShareNoGrid(t *testing.T) {
	k := Knee{From: 4000, Max: 200_000}
	seen := map[int]bool{}
	for seed := range uint64(20) {
		for _, arm := range []Arm{single(), concurrent()} {
			first := k.first(arm, seed)
			if first < k.From || first > 2*k.From || first != k.first(arm, seed) {
				t.Errorf("%s, seed %d: %d", arm.Name, seed, first)
			}
			seen[first] = true
		}
	}
	if len(seen) < 38 {
		t.Errorf("40 searches begin at %d rates", len(seen))
	}
	if first := (Knee{From: 90, Max: 100}).first(single(), 3); first > 100 {
		t.Errorf("begins at %d, beyond the highest", first)
	}
}

func TestSigns(t *testing.T) {
	g := fakeResult()
	g.WindowSeconds = 10.5
	g.Timeline.SliceSeconds = 1
	for i := range int64(11) {
		g.Timeline.Slices = append(g.Timeline.Slices, record.Slice{Accepted: 100 + i, P50NS: 1000})
	}
	g.Generator.Machine = record.Machine{RetransmittedSegments: 5, DuplicateSegments: 3, ListenOverflows: 1}
	r := newResult(single(), 1)
	r.fillSigns(g)
	if s := r.Signs; s.TrendWindows != 10 || s.TrendRPS < 3.9 || s.TrendP50 != 0 || s.LostSegments != 2 || len(r.Warnings) != 2 {
		t.Errorf("signs %+v, warnings %q", s, r.Warnings)
	}
	g.Timeline.Slices = g.Timeline.Slices[:trendWindows-1]
	r = newResult(single(), 1)
	if r.fillSigns(g); r.Signs.TrendWindows != 0 || r.Signs.TrendRPS != 0 {
		t.Errorf("a trend of too few windows: %+v", r.Signs)
	}
}

// Every kind of trial ends its children when it is cancelled.
func TestCancelEndsEveryKind(t *testing.T) {
	h := realHarness(t)
	long := time.Minute
	for _, spec := range []Spec{
		Load{Rate: 100, Connections: 2, Warmup: long, Window: long},
		Loss{Rate: 100, Connections: 2, Warmup: long, Window: long},
		Overload{Calibrate: long, Window: long, Recovery: long},
		Freshness{Rate: 100, Connections: 2, Warmup: 10 * time.Millisecond, Window: long},
		Mixed{Points: Points{N: 100}, Rate: 100, QueryRate: 1, Connections: 2, Warmup: long, Window: long},
		Knee{From: 100, Max: 1000, Step: long, Connections: 2, Limit: long},
		Query{Points: Points{N: 100}, Queries: 1 << 30},
	} {
		if !endsWhenCancelled(t, h, spec) {
			t.Errorf("%T does not", spec)
		}
	}
}

func endsWhenCancelled(t *testing.T, h *Harness, spec Spec) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := spec.Run(ctx, h, concurrent(), 1)
	return errors.Is(err, context.DeadlineExceeded) && time.Since(began) < 20*time.Second
}
