package experiment

import (
	"math"
	"strings"
	"testing"
	"time"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// streaming are a baseline that polls and an arm that streams, whatever the modes are.
func streaming(t *testing.T) []trial.Arm {
	t.Helper()
	arm, err := ParseArm("concurrent,alerting=stream")
	if err != nil {
		t.Fatal(err)
	}
	return []trial.Arm{modeArm(ArmSingle), arm}
}

func TestAlertArms(t *testing.T) {
	both := []time.Duration{10 * time.Second, time.Second}
	tests := []struct {
		name string
		cell AlertCell
		arms []trial.Arm
		want string
	}{
		{"as given", AlertCell{Rules: 1}, streaming(t), "single concurrent,alerting=stream"},
		{"with polling", AlertCell{Rules: 1, Paces: both}, streaming(t), "single concurrent,alerting=stream concurrent,alerting=poll concurrent,alerting=poll,alert-interval=1s"},
		{"too many rules for scans", AlertCell{Rules: 1000, Paces: both}, streaming(t), "concurrent,alerting=poll concurrent,alerting=poll,alert-interval=1s concurrent,alerting=stream"},
		{"nobody streams", AlertCell{Rules: 1, Paces: both}, streaming(t)[:1], "single"},
		{"nobody can", AlertCell{Rules: 1000, Paces: both}, streaming(t)[:1], ""},
		{"of others", AlertCell{Rules: 1}, []trial.Arm{{Name: "nginx", Command: "nginx {port}"}}, ""},
	}
	for _, tt := range tests {
		if got := names(alertArms(tt.cell, tt.arms)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	arm := Polling(streaming(t)[1], time.Second)
	if text := strings.Join(arm.ServerArgs, " "); text != "-mode concurrent -alerting=poll -alert-interval=1s" || Pace(arm) != time.Second || AlertingOf(arm) != "poll 1s" {
		t.Errorf("polls as %s: %v, %s", text, Pace(arm), AlertingOf(arm))
	}
	if arm := streaming(t)[1]; Pace(arm) != 0 || AlertingOf(arm) != "stream" {
		t.Errorf("streams as %v, %s", Pace(arm), AlertingOf(arm))
	}
	if arm := streaming(t)[0]; Pace(arm) != 10*time.Second {
		t.Errorf("single polls each %v", Pace(arm))
	}
}

func threeCells() Profile {
	p := Standard()
	both := []time.Duration{10 * time.Second, time.Second}
	p.Experiments, p.AlertCells = []string{Alert}, []AlertCell{{1, 5000, both}, {1000, 0, both}, {1000, 5000, both}}
	return p
}

func TestAlertsAreSummedUp(t *testing.T) {
	p := threeCells()
	r := runOracleOn(t, p, streaming(t), newOracle(1, 1))
	c := find(t, r, "alert/rules=1,rate=5000/detect-ns/concurrent,alerting=stream")
	if c.Effect.N != 400 || c.Effect.HasP || c.SameMechanism != "" || c.Verdict != stat.Faster || c.Title != "alert detection, mean, 1 rule, 5,000 samples/s (poll 10s, stream)" {
		t.Errorf("detection found as %+v", c)
	}
	if want := 5e9 / 2.0005e6; math.Abs(c.Effect.Ratio/want-1) > 1e-3 || c.Effect.HalfWidth() > 0.02 {
		t.Errorf("detection found as %+v, want about %v", c.Effect, want)
	}
	f := r.Findings
	if len(f.Polled) != 3+2+2 || !f.Polled[0].Compatible || f.Polled[0].Delays != 400 || f.Polled[0].Arm != ArmSingle {
		t.Errorf("waits %+v", f.Polled)
	}
	x := f.Alerted[0]
	if len(f.Alerted) != 4+3+3 || x.Case != "rules=1,rate=5000" || x.Alerting != "poll 10s" || x.Told != 400 || x.Cell.Rate != 5000 {
		t.Errorf("alerts %+v", x)
	}
	if d := x.Detect; math.Abs(d.P50.Value-5e9) > 2e7 || x.Arrive.P50.Value != 2*d.P50.Value || d.P99.Level != 0.95 || d.P99.High > d.Max {
		t.Errorf("delays %+v", x)
	}
	for _, c := range f.Comparisons {
		if c.Control {
			t.Errorf("means over breaches have a control: %s", c.ID)
		}
	}
}

// Breaches that were never told are counted, and leave no percentile to be cited.
func TestMissedAlertsLeaveNoFigure(t *testing.T) {
	p := threeCells()
	r := runOracleOn(t, p, streaming(t), newOracle(1, 1))
	for i := range r.Trials {
		x := &r.Trials[i]
		if x.Arm != "concurrent,alerting=poll" || x.Case != "rules=1000,rate=5000" {
			continue
		}
		x.DelaysNS, x.ArrivalsNS, x.SincesNS = x.DelaysNS[:100], x.ArrivalsNS[:100], x.SincesNS[:100]
		x.Values, x.Unavailable = map[string]float64{trial.UnitMissed: 300, trial.UnitFalse: 0}, map[string]string{trial.UnitDetect: "300 of 400 breaches were not told within 22s"}
	}
	r.Conclude()
	c := find(t, r, "alert/rules=1000,rate=5000/detect-ns/concurrent,alerting=stream")
	if c.Measured || c.Missing != 1 || !strings.Contains(c.Reason, "300 of 400") {
		t.Errorf("comparison %+v", c)
	}
	for _, x := range r.Findings.Alerted {
		if missed := x.Arm == "concurrent,alerting=poll" && x.Case == "rules=1000,rate=5000"; missed != (x.Missed == 300) || missed != (x.Detect.P50.Level == 0) {
			t.Errorf("%s %s: %+v", x.Arm, x.Case, x)
		}
	}
}

// What met with a slow machine counts in the percentiles of all, and not in those beside them.
func TestDelaysOfASteadyMachine(t *testing.T) {
	task := &Task{Experiment: Alert, Case: AlertCell{Rules: 1}.Case()}
	arm := streaming(t)[1]
	trials := make([]trial.Result, 2)
	for i := range trials {
		trials[i] = trial.Result{Experiment: Alert, Case: task.Case, Arm: arm.Name, Values: map[string]float64{}}
		for k := range 400 {
			delay := int64(time.Millisecond)
			if k%20 == 7 {
				delay = int64(50 * time.Millisecond)
				trials[i].Slowed = append(trials[i].Slowed, k)
			}
			trials[i].DelaysNS, trials[i].ArrivalsNS = append(trials[i].DelaysNS, delay), append(trials[i].ArrivalsNS, 2*delay)
		}
	}
	x, ok := alertedOf(task, AlertCell{Rules: 1}, arm, trials, 1)
	if !ok || x.Told != 800 || x.Slowed != 40 {
		t.Fatalf("%d told, %d slowed, %v", x.Told, x.Slowed, ok)
	}
	if x.Detect.P99.Value != 50e6 || x.Arrive.P99.Value != 100e6 {
		t.Errorf("p99 of all: %v and %v ns", x.Detect.P99.Value, x.Arrive.P99.Value)
	}
	if d, a := x.Steady.Detect, x.Steady.Arrive; d.P99.Value != 1e6 || d.Max != 1e6 || a.P99.Value != 2e6 {
		t.Errorf("of the steady machine: %+v, %+v", d, a)
	}
	for i := range trials {
		trials[i].Slowed = nil
	}
	if x, _ := alertedOf(task, AlertCell{Rules: 1}, arm, trials, 1); x.Steady != (Steady{}) {
		t.Errorf("a machine that was never slow has %+v", x.Steady)
	}
}
