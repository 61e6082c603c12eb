package report

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"phase0/bench/experiment"
	"phase0/bench/trial"
)

// durableValues are made up for the experiment durable: the durable arm is behind by half
// as much as it would be ahead, and loses nothing.
func durableValues(t *trial.Result, better float64) {
	values := t.Values
	t.Signs = &trial.Signs{GeneratorBusy: 0.2}
	values[trial.UnitRPS], values[trial.UnitSamples] = 9000/better, 800_000/better
	if t.Arm != experiment.ArmDurable {
		return
	}
	values[trial.UnitServerBusy] = 0.6
	values[trial.UnitSyncs], values[trial.UnitSyncTime], values[trial.UnitSyncBusy] = 0.03125, 1.5e5, 0.8
	values[trial.UnitLost], values[trial.UnitLostSeconds] = 0, 0
}

func onlyDurable(t *testing.T) *experiment.Run {
	t.Helper()
	r := wholeRun(t)
	r.Trials = slices.DeleteFunc(r.Trials, func(x trial.Result) bool { return x.Experiment != experiment.Durable })
	r.Profile.Experiments = []string{experiment.Durable}
	r.Conclude()
	return r
}

func TestDurabilityIsTold(t *testing.T) {
	text := strings.Join(Of(wholeRun(t)).words(), "\n")
	for _, want := range []string{
		"durable accepts 0.500× the requests per second of concurrent", "Killed with -9 in the same way, durable lost 0 of 6,000 accepted samples in 6 crashes, at worst 0 s of load; concurrent lost 1,200 of 6,000",
		"0 of 6 (below 39 %)", "6 of 6 (no bound)", "promise kept", "syncs of the log per accepted sample, in batches of 1,000", "0.0312", "one takes 150 µs, and the log was being synced for 80 % of the time",
		"durable lost 0 of 18,000",
	} {
		if !strings.Contains(strings.ToLower(text), strings.ToLower(want)) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if strings.Contains(text, "PROMISE BROKEN") {
		t.Error("a promise that was kept is broken")
	}
}

func TestBrokenPromiseIsShown(t *testing.T) {
	r := onlyDurable(t)
	for i := range r.Trials {
		if x := &r.Trials[i]; x.Case == experiment.DurableKill && x.Arm == experiment.ArmDurable {
			x.Values[trial.UnitLost], x.Lost = 3, 3
			x.Void = []string{"LOST: 3 samples that no crash explains"} // counts all the same
			break
		}
	}
	r.Conclude()
	d := Of(r)
	if len(d.Stamps) == 0 || !strings.HasPrefix(d.Stamps[0], "LOST: servers did not store 3 samples") {
		t.Errorf("stamps %q", d.Stamps)
	}
	text := strings.Join(d.words(), "\n")
	for _, want := range []string{"PROMISE BROKEN", "3 of 6,000", "1 of 6 (below 58 %)"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

// A run of nothing else has its table on the terminal, and its answer first.
func TestDurableAloneOnTheTerminal(t *testing.T) {
	var out bytes.Buffer
	r := onlyDurable(t)
	if err := WriteTable(&out, r, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"metric", "concurrent", "durable", "0.500×", "promise kept", "A/A: durable twice", "one takes 150 µs"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
	if said := Verdict(r)[0]; !strings.HasPrefix(said, "Durable accepts 0.500× the requests per second of concurrent") {
		t.Error(said)
	}
}

func TestDurabilityOfARunWithoutIt(t *testing.T) {
	r := sampleRun()
	if _, drawn := durablePlot(r); drawn || durableBlocks(r) != nil || durability(r) != nil {
		t.Error("something is told of an experiment that was not made")
	}
}
