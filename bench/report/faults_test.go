package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"phase0/bench/experiment"
	"phase0/bench/plot"
	"phase0/bench/trial"
)

// wholeRun is a run with every experiment and an arm more than two.
func wholeRun(t *testing.T) *experiment.Run {
	t.Helper()
	extra, err := experiment.ParseArm("single,query=parallel")
	if err != nil {
		t.Fatal(err)
	}
	p := experiment.Full()
	p.Pairs, p.Blocks, p.AlertCells = 6, map[string]int{experiment.Alert: 1}, p.AlertCells[:4] // the others look the same
	r := &experiment.Run{Schema: experiment.SchemaVersion, Name: "whole", Profile: p, Arms: append(experiment.DefaultArms(), extra), Seed: 5}
	for _, task := range experiment.NewPlan(p, r.Arms, r.Seed).Tasks {
		for block := 1; block <= task.Blocks; block++ {
			for i, arm := range task.Arms {
				r.Trials = append(r.Trials, madeUp(task, arm, i, block))
			}
		}
	}
	r.Conclude()
	return r
}

// madeUp is a valid trial with every unit; the later an arm comes in its task, the better
// it is.
func madeUp(task *experiment.Task, arm trial.Arm, i, block int) trial.Result {
	better := float64(i+1) * (1 + float64(block)/500)
	t := trial.Result{
		Experiment: task.Experiment, Case: task.Case, Arm: arm.Name, Block: block, ServerArgs: arm.ServerArgs, Accepted: 1000, Stored: 1000,
		Values: map[string]float64{
			trial.UnitRPS: 1000 * better, trial.UnitServerBusy: 0.99, trial.UnitP50: 1e6 / better, trial.UnitP99: 9e6 / better, trial.UnitCPUPerSample: 1e5 / better,
			trial.UnitPeakMemory: 2e7, trial.UnitScan: 1e7 / better, trial.UnitFreshP50: 8e6 / better, trial.UnitFreshP50Low: 2e6 / better,
			trial.UnitFreshP99: 9e7 / better, trial.UnitFreshP99Low: 3e7 / better, trial.UnitQueryP50: 4e6 / better, trial.UnitKnee: 2000 * better, trial.UnitKneeFail: 2200 * better,
			trial.UnitGoodputShare: 0.3 * better, trial.UnitRefused: 0.9, trial.UnitRecover: 3e9 / better, trial.UnitReady: 5e7 / better,
			trial.UnitLost: float64(200 - 100*i), trial.UnitLostSeconds: 0.2, trial.UnitDetect: 5e9, trial.UnitMissed: 0, trial.UnitFalse: 0,
		},
	}
	if task.Experiment == experiment.Durable {
		durableValues(&t, better)
	}
	if task.Experiment == experiment.Knee {
		for _, rate := range []float64{1000, 2000, 4000} {
			t.Curve = append(t.Curve, trial.CurvePoint{OfferedRPS: rate, P99NS: int64(rate * 1e3 / better), Ruling: "pass"})
		}
	}
	if _, alert := task.Each.(trial.Alert); alert {
		delete(t.Values, trial.UnitDetect)
		fillAlerts(&t, 400, experiment.Pace(arm))
	}
	return t
}

func TestEveryExperimentIsDrawn(t *testing.T) {
	d := Of(wholeRun(t))
	var names []string
	for _, f := range d.Figures() {
		names = append(names, f.File)
	}
	for _, want := range []string{
		"effects.svg", "capacity.svg", "response.svg", "response-p50.svg", "slow-client.svg", "knee.svg", "query.svg", "selectivity.svg", "mixed.svg", "freshness.svg",
		"loss.svg", "durable.svg", "overload.svg", "recovery.svg", "alert.svg", "ladder-rps.svg", "ladder-query.svg", "ladder-alert.svg",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("no figure %s among %v", want, names)
		}
	}
	files, err := d.Files()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if strings.Contains(string(content), "NaN") || strings.Contains(string(content), "+Inf") {
			t.Errorf("%s has a number that is none", name)
		}
	}
	golden(t, "whole.md", string(files["report.md"]))
}

func TestServerThatDoesNotRecoverIsShown(t *testing.T) {
	r := wholeRun(t)
	for i := range r.Trials {
		if x := &r.Trials[i]; x.Experiment == experiment.Overload && x.Arm == "single" {
			delete(x.Values, trial.UnitRecover)
			x.Unavailable = map[string]string{trial.UnitRecover: "not recovered within 10s"}
		}
	}
	for _, f := range overloadPlots(r) {
		if f.File == "recovery.svg" && !strings.Contains(f.Alt, "single not while it was watched; concurrent") {
			t.Errorf("the plot says %s", f.Alt)
		}
	}
}

// A search that was cut is seen in the table and beside the plot.
func TestCutSearchesAreShown(t *testing.T) {
	r := wholeRun(t)
	cut := 0
	for i := range r.Trials {
		if x := &r.Trials[i]; x.Experiment == experiment.Knee && x.Arm == "concurrent" && cut < 2 {
			x.Cut, x.AtLeast = true, []string{trial.UnitKnee}
			cut++
		}
	}
	r.Conclude()
	text := strings.Join(Of(r).words(), "\n")
	for _, want := range []string{"2 of 12 searches were cut by their limit; ≥", "2 of 18 searches were cut by their limit; with an open bracket", "≥ 4,0"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

func TestKneeBracketIsOfWholeSearches(t *testing.T) {
	search := func(pass, fail float64) trial.Result {
		x := trial.Result{Experiment: experiment.Knee, Arm: "a", Values: map[string]float64{trial.UnitKnee: pass}}
		if fail > 0 {
			x.Values[trial.UnitKneeFail] = fail
		}
		return x
	}
	r := &experiment.Run{Trials: []trial.Result{search(100, 110), search(120, 130), search(900, 0), search(800, 0)}}
	if last, first, ok := kneeBracket(r, "a"); !ok || last != 110 || first != 120 {
		t.Errorf("%v to %v, %v", last, first, ok)
	}
	if _, _, ok := kneeBracket(r, "b"); ok {
		t.Error("no searches have a bracket")
	}
}

func TestKneeCurveTakesNearbyRatesTogether(t *testing.T) {
	r := &experiment.Run{Trials: []trial.Result{
		{Experiment: experiment.Knee, Arm: "a", Curve: []trial.CurvePoint{{OfferedRPS: 4100, P99NS: 100, Ruling: "pass"}, {OfferedRPS: 8000, P99NS: 900, Ruling: "fail"}}},
		{Experiment: experiment.Knee, Arm: "a", Curve: []trial.CurvePoint{{OfferedRPS: 4500, P99NS: 300, Ruling: "pass"}, {OfferedRPS: 4300, P99NS: 7, Ruling: "void"}}},
		{Experiment: experiment.Knee, Arm: "b", Curve: []trial.CurvePoint{{OfferedRPS: 4500, P99NS: 5, Ruling: "pass"}}},
	}}
	got := kneeCurve(r, "a")
	if want := []plot.Point{{X: 4300, Y: 200, Low: 100, High: 300}, {X: 8000, Y: 900, Low: 900, High: 900}}; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// What both arms share, and what then makes them differ, stands beside the ratio.
func TestQueuesAreNamedBesideAlerts(t *testing.T) {
	r := wholeRun(t)
	polling, err := experiment.ParseArm("concurrent,alerting=poll")
	if err != nil {
		t.Fatal(err)
	}
	polling.Name = experiment.ArmConcurrent // that of the trials
	r.Arms[1] = polling
	r.Conclude()
	text := strings.Join(Of(r).words(), "\n")
	for _, want := range []string{
		"same mechanism: alerting=poll in both; not alerting but the queue differs: queue=memory of single is looked at every 100 ms",
		"(both use alerting=poll; ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

func TestQueryCaptionNamesOnlyArmsThatAreThere(t *testing.T) {
	r := wholeRun(t)
	caption := func() string {
		f, ok := queryPlot(r)
		if !ok {
			t.Fatal("no plot")
		}
		return f.Caption
	}
	if got := caption(); !strings.Contains(got, "single and single,query=parallel close the connection") {
		t.Error(got)
	}
	r.Arms = r.Arms[1:2]
	if got := caption(); strings.Contains(got, "close") {
		t.Error(got)
	}
}

func TestLossTableCountsWhatASignalCouldTake(t *testing.T) {
	r := wholeRun(t)
	cells := func() string {
		table := killTable(r).(Table)
		var text strings.Builder
		text.WriteString(table.Columns[5].Title)
		for _, c := range table.Rows[0] {
			text.WriteString("|" + c.Text)
		}
		return text.String()
	}
	if got := cells(); !strings.HasPrefix(got, "accepted, also after the restart|single|kill|6|6|") || !strings.Contains(got, "|6,000|") {
		t.Error(got)
	}
	for i := range r.Trials {
		r.Trials[i].Values[trial.UnitRestarted] = 50
	}
	r.Conclude()
	if got := cells(); !strings.HasPrefix(got, "accepted before the signal|") || !strings.Contains(got, "|5,700|") {
		t.Error(got)
	}
}

// The first sentence is about what the run is about.
func TestFirstSentence(t *testing.T) {
	only := func(names ...string) string {
		r := wholeRun(t)
		r.Profile.Experiments = names
		r.Trials = slices.DeleteFunc(r.Trials, func(x trial.Result) bool { return !slices.Contains(names, x.Experiment) })
		r.Conclude()
		return Verdict(r)[0]
	}
	for want, names := range map[string][]string{
		"Killed with -9 under load, single lost":                                {experiment.Loss},
		"Alert detection, mean, 1 rule, 5,000 samples/s (poll 10s, stream) is ": {experiment.Alert},
		"Concurrent accepts 2.00× the requests":                                 {experiment.Ingest, experiment.Loss},
	} {
		if got := only(names...); !strings.HasPrefix(got, want) {
			t.Errorf("only %v: %q, want %q", names, got, want)
		}
	}
}

func TestRungLabel(t *testing.T) {
	for arm, want := range map[string]string{
		"single,queue=wal": "queue=wal", "single,queue=wal,query=parallel": "+ query=parallel", "concurrent": "",
	} {
		if got := rungLabel(arm, "single"); got != want {
			t.Errorf("%s is labelled %q, want %q", arm, got, want)
		}
	}
}

func TestAlertsWithoutASlowMachine(t *testing.T) {
	const title = "of them left out"
	r := wholeRun(t)
	if text := markdownOf(t, r); strings.Contains(text, title) {
		t.Error("a machine that was never slow has a table of its own")
	}
	for i := range r.Trials {
		if len(r.Trials[i].DelaysNS) > 0 {
			r.Trials[i].Slowed = []int{0, 399}
		}
	}
	r.Conclude()
	if text := markdownOf(t, r); !strings.Contains(text, title) || !strings.Contains(text, "The machine was slow at times") {
		t.Error("the report says nothing of a slow machine")
	}
}

func markdownOf(t *testing.T, r *experiment.Run) string {
	t.Helper()
	var text bytes.Buffer
	if err := Of(r).WriteMarkdown(&text); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
