package trial

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestProbesAreStratified(t *testing.T) {
	a := Alert{Probes: 40, Interval: 10 * time.Second}
	var names []string
	breaches, decoys := 0, 0
	stratum, last := a.Interval/40, time.Duration(0)
	for _, p := range a.probes(5) {
		if p.after < last {
			t.Errorf("%v comes after %v", p.after, last)
		}
		last = p.after
		if p.value == decoyValue {
			decoys++
		} else {
			if p.after < time.Duration(breaches)*stratum || p.after >= time.Duration(breaches+1)*stratum {
				t.Errorf("breach %d at %v is outside its stretch", breaches, p.after)
			}
			breaches++
		}
		names = append(names, p.name)
		if !strings.Contains(a.rules(), "avg_over_time("+p.name+"[60s]) > 80") {
			t.Errorf("no rule for %s", p.name)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != 45 || decoys != 5 {
		t.Errorf("%d metrics, %d decoys", len(names), decoys)
	}
}

func TestBreachIsThePredicatesOwn(t *testing.T) {
	began := time.Unix(1000, 0)
	at := func(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }
	tests := []struct {
		name    string
		samples []sentSample
		want    time.Time
	}{
		{"nothing sent", nil, time.Time{}},
		{"quiet", []sentSample{{at(0), quietValue}}, time.Time{}},
		{"the second lifts the average", []sentSample{{at(0), quietValue}, {at(3), breachValue}}, at(3)},
		{"onto the threshold is not above it, until the quiet one leaves", []sentSample{{at(0), quietValue}, {at(3), decoyValue}}, at(60)},
		{"the window is open at its start", []sentSample{{at(0), 200}, {at(60), 70}}, at(0)},
		{"a low one later lowers too late", []sentSample{{at(0), 81}, {at(1), 0}}, at(0)},
		{"equal times count together", []sentSample{{at(0), 90}, {at(0), 60}}, time.Time{}},
	}
	for _, tt := range tests {
		if got := breachOf(tt.samples, at(100)); !got.Equal(tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if got := breachOf([]sentSample{{at(0), quietValue}, {at(3), decoyValue}}, at(50)); !got.IsZero() {
		t.Errorf("a breach at %v, after the end", got)
	}
}

func TestFillAlertCountsMissedAndFalse(t *testing.T) {
	began := time.Unix(1000, 0)
	after := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	rules := []breached{{"a", after(1)}, {"b", after(2)}, {"c", after(3)}, {"decoy", time.Time{}}, {"silent decoy", time.Time{}}}
	r := Result{Values: map[string]float64{}}
	r.fillAlert(rules, map[string]arrival{
		"a":     {after(4), after(3)}, // 3 s late, 1 s after the server knew
		"b":     {after(1), after(1)}, // before its breach: false
		"decoy": {after(5), after(5)}, // false
		"other": {after(1), after(1)}, // nobody's: false
	})
	want := map[string]float64{UnitMissed: 2, UnitFalse: 3, UnitDetect: 3e9, UnitNotify: 1e9}
	if fmt.Sprint(r.Values) != fmt.Sprint(want) || r.Valid() {
		t.Errorf("values %v, want %v", r.Values, want)
	}
}

func TestAlertIntervalsThatOutlastTheWindow(t *testing.T) {
	for _, a := range []Alert{{Probes: 0, Interval: time.Second}, {Probes: 1}, {Probes: 1, Interval: time.Minute}} {
		if _, err := a.RunTogether(t.Context(), &Harness{}, []Arm{single()}, 1); err == nil {
			t.Errorf("%+v is accepted", a)
		}
	}
}

// The real server, at an interval of a second.
func TestAlertsOfTheServer(t *testing.T) {
	a := Alert{Probes: 10, Interval: time.Second}
	arms := []Arm{single(), {Name: "concurrent", ServerArgs: []string{"-mode", "concurrent"}}}
	results, err := a.RunTogether(t.Context(), realHarness(t), arms, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.Valid() || len(r.DelaysNS) != 10 || r.Values[UnitFalse] != 0 {
			t.Fatalf("%s: void %q, delays %v", r.Arm, r.Void, r.DelaysNS)
		}
		// What else runs on the machine may hold an evaluation up, not bring it forward.
		mean := time.Duration(r.Values[UnitDetect])
		if polls := r.Arm == "single"; mean <= 0 || polls && mean < 10*time.Millisecond || mean > a.Interval+alertGrace {
			t.Errorf("%s: mean delay %v", r.Arm, mean)
		}
		t.Logf("%s: %v", r.Arm, r.Values)
	}
	if polled, streamed := results[0].Values[UnitDetect], results[1].Values[UnitDetect]; streamed >= polled {
		t.Errorf("polling each second detects after %v, streaming after %v", time.Duration(polled), time.Duration(streamed))
	}
}
