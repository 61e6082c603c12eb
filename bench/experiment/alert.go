package experiment

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"phase0/bench/stat"
	"phase0/bench/trial"
	"phase0/server/platform"
)

// AlertCell is one set of conditions under which alerts are measured.
type AlertCell struct {
	Rules int `json:"rules"`
	// Rate is that of the load, in samples per second; 0 is none.
	Rate int `json:"rate"`
	// Paces are how often arms evaluate that poll in place of the first arm's stream.
	Paces []time.Duration `json:"paces_ns,omitempty"`
}

// Case is the cell's key in results.
func (c AlertCell) Case() string { return fmt.Sprintf("rules=%d,rate=%d", c.Rules, c.Rate) }

// Where says the cell in words.
func (c AlertCell) Where() string {
	rules := Thousands(int64(c.Rules)) + " rules"
	if c.Rules == 1 {
		rules = "1 rule"
	}
	if c.Rate == 0 {
		return rules + ", idle"
	}
	return rules + ", " + Thousands(int64(c.Rate)) + " samples/s"
}

func alertTasks(p Profile, arms []trial.Arm) []*Task {
	var all []*Task
	for _, cell := range p.AlertCells {
		taking := alertArms(cell, arms)
		if len(taking) == 0 {
			continue
		}
		blocks := p.blocks(Alert)
		if cell.Rate == 0 {
			blocks = 1 // what is idle varies little
		}
		all = append(all, &Task{
			Case: cell.Case(), Where: cell.Where(), Arms: taking, Blocks: blocks,
			Each: trial.Alert{Rules: cell.Rules, Rate: cell.Rate, Connections: p.conns(), Probes: p.AlertProbes, Paces: paces(taking)},
		})
	}
	return all
}

// alertArms returns the arms that a cell is measured with: of those given the ones that can
// do so many rules in time, then the first that streams with polling in its place.
func alertArms(cell AlertCell, arms []trial.Arm) []trial.Arm {
	var taking, polling []trial.Arm
	for _, arm := range arms {
		c, ok := components(arm)
		if !ok {
			continue
		}
		// Each rule reads all of the file: a thousand of them some minutes, beside a load.
		if c.Query == "scan" && c.Alerting == "poll" && cell.Rules > 1 {
			continue
		}
		taking = append(taking, arm)
		if c.Alerting == "stream" && polling == nil {
			for _, pace := range cell.Paces {
				polling = append(polling, Polling(arm, pace))
			}
		}
	}
	if cell.Rules > 1 { // what is polled is the baseline where the first arm cannot be
		return uniqueArms(polling, taking)
	}
	return uniqueArms(taking, polling)
}

// Polling returns the arm that polls at a pace and is else the same.
func Polling(arm trial.Arm, pace time.Duration) trial.Arm {
	arm.Name = strings.ReplaceAll(arm.Name, ",alerting=stream", "")
	arm.ServerArgs = slices.DeleteFunc(slices.Clone(arm.ServerArgs), func(s string) bool { return s == "-alerting=stream" })
	arm = with(arm, "alerting", "poll")
	if pace != platform.Defaults().AlertInterval {
		arm = with(arm, "alert-interval", pace.String())
	}
	return arm
}

// Pace returns how often an arm evaluates, 0 for one that streams or is not known.
func Pace(arm trial.Arm) time.Duration {
	if c, ok := components(arm); !ok || c.Alerting != "poll" {
		return 0
	}
	pace := platform.Defaults().AlertInterval
	for _, setting := range arm.ServerArgs {
		if text, ok := strings.CutPrefix(setting, "-alert-interval="); ok {
			if d, err := time.ParseDuration(text); err == nil {
				pace = d
			}
		}
	}
	return pace
}

func paces(arms []trial.Arm) map[string]time.Duration {
	all := map[string]time.Duration{}
	for _, arm := range arms {
		if pace := Pace(arm); pace > 0 {
			all[arm.Name] = pace
		}
	}
	return all
}

// AlertingOf says how an arm evaluates: "poll 10s" or "stream".
func AlertingOf(arm trial.Arm) string {
	if pace := Pace(arm); pace > 0 {
		return "poll " + pace.String()
	}
	if c, ok := components(arm); ok {
		return c.Alerting
	}
	return arm.Name
}

// alertMeasures compare means, which say what a breach costs on average. How they are
// evaluated is part of the title, since it is what differs.
func alertMeasures(t *Task) []measure {
	return []measure{
		{unit: trial.UnitDetect, title: "alert detection, mean, " + t.Where, better: stat.LowerIsBetter},
		{unit: trial.UnitArrive, title: "alert at the webhook, mean, " + t.Where, better: stat.LowerIsBetter},
	}
}

// Alerted is how soon one arm told of breaches under the conditions of one cell.
type Alerted struct {
	Arm  string    `json:"arm"`
	Case string    `json:"case"`
	Cell AlertCell `json:"cell"`
	// Alerting is how the arm evaluates.
	Alerting string `json:"alerting"`
	Trials   int    `json:"trials"`
	// Told are the breaches of valid trials whose delays are known, Missed those of all
	// trials that were not told while the trial lasted, False what was told without one.
	Told   int `json:"told"`
	Missed int `json:"missed"`
	False  int `json:"false"`
	// Detect is from a breach to the server's console, Arrive to the webhook.
	Detect Delay `json:"detect"`
	Arrive Delay `json:"arrive"`
	// Slowed of those told met with a slow machine; Steady are the delays of the others, where
	// there are both and the arm does not poll.
	Slowed int    `json:"slowed,omitempty"`
	Steady Steady `json:"steady,omitzero"`
	// Busy is the median share of the time in which the server's core was busy; 0 where
	// nobody knows.
	Busy float64 `json:"server_busy"`
}

// Steady are delays while the machine ran at its usual speed.
type Steady struct {
	Detect Delay `json:"detect"`
	Arrive Delay `json:"arrive"`
}

// Delay sums up delays in nanoseconds, pooled over trials. Where breaches were missed the
// percentiles are those of the rest, and have no interval.
type Delay struct {
	P50 stat.Estimate `json:"p50"`
	P95 stat.Estimate `json:"p95"`
	P99 stat.Estimate `json:"p99"`
	Max float64       `json:"max"`
}

func alertedOf(task *Task, cell AlertCell, arm trial.Arm, trials []trial.Result, seed uint64) (Alerted, bool) {
	x := Alerted{Arm: arm.Name, Case: task.Case, Cell: cell, Alerting: AlertingOf(arm)}
	var detect, arrive, steadyDetect, steadyArrive [][]float64
	var busy []float64
	for t := range of(task, arm.Name, trials) {
		// A false alert voids its trial, and must not vanish with it.
		x.Missed += int(t.Values[trial.UnitMissed])
		x.False += int(t.Values[trial.UnitFalse])
		if !t.Valid() {
			continue
		}
		x.Trials++
		x.Told += len(t.DelaysNS)
		x.Slowed += len(t.Slowed)
		detect, arrive = append(detect, floats(t.DelaysNS)), append(arrive, floats(t.ArrivalsNS))
		steadyDetect, steadyArrive = append(steadyDetect, steady(t.DelaysNS, t.Slowed)), append(steadyArrive, steady(t.ArrivalsNS, t.Slowed))
		if share, ok := t.Value(trial.UnitServerBusy); ok {
			busy = append(busy, share)
		}
	}
	if s, err := stat.Describe(busy); err == nil {
		x.Busy = s.Median
	}
	x.Detect, x.Arrive = delayOf(detect, x.Missed == 0, seed), delayOf(arrive, x.Missed == 0, seed)
	// A breach that is polled is told long after it was due, whatever the machine did then.
	if Pace(arm) == 0 && x.Slowed > 0 && x.Slowed < x.Told {
		x.Steady = Steady{Detect: delayOf(steadyDetect, x.Missed == 0, seed), Arrive: delayOf(steadyArrive, x.Missed == 0, seed)}
	}
	return x, x.Trials > 0
}

// steady leaves out those delays that met with a slow machine, given by their places.
func steady(ns []int64, slowed []int) []float64 {
	var rest []float64
	for i, d := range ns {
		if _, slow := slices.BinarySearch(slowed, i); !slow {
			rest = append(rest, float64(d))
		}
	}
	return rest
}

func delayOf(trials [][]float64, complete bool, seed uint64) Delay {
	trials = slices.DeleteFunc(trials, func(t []float64) bool { return len(t) == 0 })
	e := stat.Percentiles(trials, []stat.Percentile{stat.P50, stat.P95, stat.P99}, seed)
	if !complete {
		for i := range e {
			e[i] = stat.Estimate{Value: e[i].Value}
		}
	}
	d := Delay{P50: e[0], P95: e[1], P99: e[2]}
	for _, t := range trials {
		d.Max = max(d.Max, slices.Max(t))
	}
	return d
}

func floats(ns []int64) []float64 {
	all := make([]float64, len(ns))
	for i, d := range ns {
		all[i] = float64(d)
	}
	return all
}

// DelaysOf returns the delays of a trial that a unit is the mean of.
func DelaysOf(t *trial.Result, unit string) []int64 {
	if unit == trial.UnitArrive {
		return t.ArrivalsNS
	}
	return t.DelaysNS
}
