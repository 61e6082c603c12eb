package trial

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"phase0/bench/pulse"
	"phase0/loadgen/record"
)

func TestPhasesAreStratified(t *testing.T) {
	a := Alert{Rules: 1, Probes: 40, Paces: map[string]time.Duration{"slow": 10 * time.Second, "quick": time.Second, "odd": 1300 * time.Millisecond}}
	for _, tt := range []struct {
		arm   string
		span  time.Duration
		parts int
	}{
		{"slow", 10 * time.Second, 40},
		{"quick", 4 * time.Second, 10},
		{"odd", 2 * 1300 * time.Millisecond, 20}, // three would not get as many each
		{"stream", alertSpread, 40},
	} {
		if _, parts := a.Strata(tt.arm); parts != tt.parts {
			t.Errorf("%s: %d parts, want %d", tt.arm, parts, tt.parts)
		}
		moments, stratum := a.phases(tt.arm, 5), tt.span/40
		for i, at := range moments {
			if at < time.Duration(i)*stratum || at >= time.Duration(i+1)*stratum {
				t.Errorf("%s: breach %d at %v is outside its stretch", tt.arm, i, at)
			}
		}
		if moments.Len() != 40 || moments.Due(99) != moments[39] {
			t.Errorf("%s: %d moments", tt.arm, moments.Len())
		}
	}
}

// Whatever is sent belongs to a rule, and only breaches leave the average above the
// threshold.
func TestAlertSamplesFitTheRules(t *testing.T) {
	for _, rules := range []int{1, 10, 10_000} {
		a := Alert{Rules: rules, Probes: 40}
		text := a.rules()
		if n := strings.Count(text, "- alert:"); n != rules {
			t.Errorf("%d rules in the file of %d", n, rules)
		}
		bodies, samples := a.prelude()
		var all []struct {
			Name   string
			Value  float64
			Labels map[string]string
		}
		for _, body := range bodies {
			request := struct{ Metrics *json.RawMessage }{}
			if err := json.Unmarshal([]byte(body), &request); err != nil {
				t.Fatal(err)
			}
			part := all[:0:0]
			if err := json.Unmarshal(*request.Metrics, &part); err != nil {
				t.Fatal(err)
			}
			all = append(all, part...)
		}
		sums, counts := map[string]float64{}, map[string]float64{}
		for _, s := range all {
			key := s.Name + fmt.Sprint(s.Labels)
			sums[key], counts[key] = sums[key]+s.Value, counts[key]+1
			if len(s.Labels) != 1 || rules < 10_000 && !strings.Contains(text, "avg_over_time("+s.Name+"[60s]) > 80\n") {
				t.Errorf("no rule for %+v", s)
			}
		}
		for key, sum := range sums {
			if sum/counts[key] > alertThreshold {
				t.Errorf("%s is above the threshold at the start", key)
			}
		}
		if len(all) != samples || len(sums) != max(rules, hosts)+40+5 {
			t.Errorf("%d samples of %d series, %d announced", len(all), len(sums), samples)
		}
	}
	a := Alert{Rules: 100}
	if got, want := a.breachBody(123), `{"name":"alert_rule_23","value":120,"labels":{"probe":"0123"}}`; got != want {
		t.Errorf("body %s", got)
	}
	if a.metric(123) != "alert_rule_23" || (Alert{Rules: 1}).metric(5) != "alert_rule_0" || !strings.HasPrefix(Alert{Rules: 1}.loadBody(), `{"name":"alert_rule_0","value":4{{rand:1}},`) {
		t.Error("metrics and slots do not agree")
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
	seen := told{breach: after(1), since: after(3), detected: after(4), arrived: after(6)}
	tests := []struct {
		name     string
		breaches []told
		others   int
		want     map[string]float64
		valid    bool
	}{
		{"told", []told{seen}, 0, map[string]float64{UnitMissed: 0, UnitFalse: 0, UnitDetect: 3e9, UnitArrive: 5e9, UnitNotify: 3e9}, true},
		{"never", []told{seen, {breach: after(2)}}, 0, map[string]float64{UnitMissed: 1, UnitFalse: 0}, true},
		{"printed and not sent", []told{{breach: after(2), detected: after(3)}}, 0, map[string]float64{UnitMissed: 1, UnitFalse: 0}, true},
		{"too early", []told{{breach: after(2), since: after(1), detected: after(1), arrived: after(3)}}, 0, map[string]float64{UnitMissed: 1, UnitFalse: 1}, false},
		{"somebody else's", []told{seen}, 2, map[string]float64{UnitMissed: 0, UnitFalse: 2, UnitDetect: 3e9, UnitArrive: 5e9, UnitNotify: 3e9}, false},
	}
	for _, tt := range tests {
		r := Result{Values: map[string]float64{}}
		r.fillAlert(tt.breaches, pulse.Slowness{}, tt.others, time.Minute)
		if fmt.Sprint(r.Values) != fmt.Sprint(tt.want) || r.Valid() != tt.valid {
			t.Errorf("%s: values %v, want %v; void %q", tt.name, r.Values, tt.want, r.Void)
		}
	}
}

func TestFillAlertMarksWhatMetASlowMachine(t *testing.T) {
	began := time.Unix(1000, 0)
	after := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	slow := pulse.Slowness{Stretches: []pulse.Stretch{{From: after(10), To: after(12)}}}
	var breaches []told
	for _, due := range []int{5, 9, 10, 11, 13} {
		breaches = append(breaches, told{breach: after(due), since: after(due), detected: after(due + 3), arrived: after(due + 4)})
	}
	breaches[1].detected = time.Time{} // missed: what comes after it moves up
	breaches[2].breach = after(10).Add(time.Millisecond)
	r := Result{Values: map[string]float64{}}
	r.fillAlert(breaches, slow, 0, time.Minute)
	if want := []int{1, 2}; !slices.Equal(r.Slowed, want) || len(r.DelaysNS) != 4 {
		t.Errorf("slowed %v of %d, want %v of 4", r.Slowed, len(r.DelaysNS), want)
	}
}

func TestConsoleHearsTheFirstLineOfEachSeries(t *testing.T) {
	c := newConsole()
	for _, line := range []string{
		"[Ingestion] Server started on port 1",
		`🚨 [ALERT] alert_rule_0{probe="0007"} avg(60s) > 80.0 (current: 90.0)`,
		`🚨 [ALERT] alert_rule_0{probe="0007"} avg(60s) > 80.0 (current: 91.0)`,
		`🚨 [ALERT] alert_rule_0{decoy="0007"} avg(60s) > 80.0 (current: 90.0)`,
		`🚨 [ALERT] alert_rule_0 avg(60s) > 80.0 (current: 90.0)`,
	} {
		c.hear([]byte(line))
	}
	var keys []string
	for _, key := range []string{"0007", `alert_rule_0{decoy="0007"}`, "alert_rule_0"} {
		if !c.first[key].IsZero() {
			keys = append(keys, key)
		}
	}
	if len(keys) != 3 || len(c.first) != 3 {
		t.Errorf("heard %v", c.first)
	}
	c.await(t.Context(), 3)
}

func TestLateBreachesVoidTheTrial(t *testing.T) {
	for late, want := range map[time.Duration]string{100 * time.Microsecond: "", 300 * time.Microsecond: "warned", 1100 * time.Microsecond: "void"} {
		r := Result{DelaysNS: []int64{1e6, 2e6}}
		r.judgeLateness(record.Stream{OwnLateness: record.Distribution{Percentiles: []record.Percentile{{Quantile: 0.99, NS: late.Nanoseconds()}}}})
		if got := map[bool]string{true: "void", false: map[bool]string{true: "warned"}[len(r.Warnings) > 0]}[!r.Valid()]; got != want {
			t.Errorf("%v late: %q, want %q", late, got, want)
		}
	}
	r := Result{DelaysNS: []int64{5e9}}
	r.judgeLateness(record.Stream{OwnLateness: record.Distribution{Percentiles: []record.Percentile{{Quantile: 0.99, NS: 5e6}}}})
	if !r.Valid() || len(r.Warnings) > 0 {
		t.Errorf("5 ms beside 5 s: %q, %q", r.Void, r.Warnings)
	}
}

func TestAlertTrialsThatCannotBe(t *testing.T) {
	arm := single()
	for _, a := range []Alert{
		{Rules: 1}, {Rules: 1, Probes: maxAlertProbes + 1}, {Rules: 0, Probes: 1}, {Rules: 30, Probes: 1}, {Rules: 100_000, Probes: 1},
		{Rules: 1, Probes: 1, Paces: map[string]time.Duration{arm.Name: time.Minute}},
	} {
		if _, err := a.Run(t.Context(), &Harness{}, arm, 1); err == nil {
			t.Errorf("%+v is accepted", a)
		}
	}
}

// The real server, that polls each second and that evaluates samples as they come in.
func TestAlertsOfTheServer(t *testing.T) {
	h := realHarness(t)
	poll := Arm{Name: "poll", ServerArgs: []string{"-mode", "single", "-alert-interval=1s"}}
	stream := Arm{Name: "stream", ServerArgs: []string{"-mode", "concurrent", "-alerting=stream"}}
	a := Alert{Rules: 10, Rate: 200, Connections: 8, Probes: 20, Paces: map[string]time.Duration{"poll": time.Second}}
	for _, arm := range []Arm{poll, stream} {
		r, err := a.Run(t.Context(), h, arm, 3)
		if err != nil {
			t.Fatal(err)
		}
		// What else runs on the machine may make breaches late and the trial void, and hold an
		// evaluation up, but not bring it forward.
		if len(r.DelaysNS) != 20 || r.Values[UnitFalse] != 0 {
			t.Fatalf("%s: void %q, delays %v", arm.Name, r.Void, r.DelaysNS)
		}
		if mean := time.Duration(r.Values[UnitDetect]); arm.Name == "poll" && (mean < 10*time.Millisecond || mean > time.Second+alertGrace) {
			t.Errorf("mean delay %v", mean)
		}
		t.Logf("%s: %v, %q", arm.Name, r.Values, r.Void)
	}
}
