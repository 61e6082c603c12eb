package experiment

import (
	"slices"
	"time"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

// Book sums up what one arm's servers accepted and stored when they were stopped in
// order, over all trials that offered load to them.
type Book struct {
	Arm      string `json:"arm"`
	Trials   int    `json:"trials"`
	Accepted int64  `json:"accepted"`
	Lost     int64  `json:"lost"`
}

// Kill sums up what one arm's servers lost to a signal under load.
type Kill struct {
	Arm    string `json:"arm"`
	Case   string `json:"case"`
	Trials int    `json:"trials"`
	// Lossy counts the trials that lost anything. They are the independent tries:
	// samples that one crash loses are not.
	Lossy int `json:"lossy"`
	// LossyBelow bounds the probability that a crash loses something, with 95 %
	// confidence.
	LossyBelow float64 `json:"lossy_below"`
	// Accepted samples, of which After were by the restarted server and could not be lost
	// to the signal. Files from before it was counted have 0.
	Accepted   int64 `json:"accepted"`
	After      int64 `json:"accepted_after,omitempty"`
	Lost       int64 `json:"lost"`
	Duplicated int64 `json:"duplicated"`
	// WorstSeconds is the most that one trial lost, in seconds of its load.
	WorstSeconds float64 `json:"worst_seconds"`
}

// Fit is how one arm's query time grows with the file.
type Fit struct {
	Arm string `json:"arm"`
	// From is the smallest file that was taken into account.
	From int           `json:"from_points"`
	Law  stat.PowerLaw `json:"law"`
}

// Polled says whether the waits of one arm's breaches for the look that found them are
// those of an engine that polls.
type Polled struct {
	Arm        string        `json:"arm"`
	Case       string        `json:"case"`
	Interval   time.Duration `json:"interval_ns"`
	Delays     int           `json:"delays"`
	Missed     int           `json:"missed"`
	False      int           `json:"false"`
	Raster     stat.Raster   `json:"raster"`
	Compatible bool          `json:"compatible"`
}

// Sight is the smallest difference of a unit that the run would have called one with
// probability stat.Power.
type Sight struct {
	ID         string  `json:"id"` // of the comparison
	Title      string  `json:"title"`
	Pairs      int     `json:"pairs"`
	Difference float64 `json:"difference"`
}

const (
	// fitFactor leaves out files that are read faster than a request is answered: a query
	// must take this many times what it takes on the smallest file.
	fitFactor = 5
	// pollLatency is the longest that a sample may take to become visible: the memory
	// queue is looked at every 100 ms.
	pollLatency = 300 * time.Millisecond
)

// conclude sums up the trials where a ratio of two arms is not the question.
func (f *Findings) conclude(p Plan, trials []trial.Result) {
	for _, arm := range uniqueArms(own(p.Arms), durableArms(p.Arms)) {
		if b := bookOf(arm.Name, trials); b.Trials > 0 {
			f.Books = append(f.Books, b)
		}
	}
	for _, t := range p.Tasks {
		for _, arm := range t.Arms {
			switch t.Experiment {
			case Loss:
				if k := killOf(t, arm.Name, trials); k.Trials > 0 {
					f.Kills = append(f.Kills, k)
				}
			case Durable:
				if k := killOf(t, arm.Name, trials); t.Case == DurableKill && k.Trials > 0 {
					f.DurableKills = append(f.DurableKills, k)
				}
			case Alert:
				if x, ok := polledOf(t, arm, trials); ok {
					f.Polled = append(f.Polled, x)
				}
				if x, ok := alertedOf(t, p.Profile.alertCell(t.Case), arm, trials, p.Seed); ok {
					f.Alerted = append(f.Alerted, x)
				}
			}
		}
	}
	for _, arm := range own(p.Arms) {
		if fit, ok := fitOf(arm.Name, p, trials); ok {
			f.Fits = append(f.Fits, fit)
		}
	}
}

// bookOf counts void trials, too: a sample that was lost is lost, however busy the
// machine was.
func bookOf(arm string, trials []trial.Result) Book {
	b := Book{Arm: arm}
	for i := range trials {
		t := &trials[i]
		if Base(t.Arm) == arm && t.Accepted > 0 && !crashed(t) {
			b.Trials++
			b.Accepted += t.Accepted
			b.Lost += t.Lost
		}
	}
	return b
}

// killOf counts the trials that have a count, void ones too: what a SIGTERM lost voids
// its trial, and must not vanish with it.
func killOf(task *Task, arm string, trials []trial.Result) Kill {
	k := Kill{Arm: arm, Case: task.Case}
	for t := range of(task, arm, trials) {
		if _, counted := t.Value(trial.UnitLost); !counted {
			continue
		}
		k.Trials++
		k.Accepted += t.Accepted
		k.After += int64(t.Values[trial.UnitRestarted])
		lost := int64(t.Values[trial.UnitLost])
		if lost > 0 {
			k.Lossy++
		}
		k.Lost += lost
		k.Duplicated += int64(t.Values[trial.UnitDuplicated])
		k.WorstSeconds = max(k.WorstSeconds, t.Values[trial.UnitLostSeconds])
	}
	k.LossyBelow = stat.UpperBound(k.Lossy, k.Trials)
	return k
}

// of yields the trials of an arm in a task, void ones included.
func of(task *Task, arm string, trials []trial.Result) func(yield func(*trial.Result) bool) {
	return func(yield func(*trial.Result) bool) {
		for i := range trials {
			t := &trials[i]
			if t.Experiment == task.Experiment && t.Case == task.Case && t.Arm == arm && !yield(t) {
				return
			}
		}
	}
}

// polledOf looks at when the server says that its alerts began: that is when it looked.
// What evaluating takes comes after it.
func polledOf(task *Task, arm trial.Arm, trials []trial.Result) (Polled, bool) {
	spec, isAlert := task.Each.(trial.Alert)
	if !isAlert || spec.Paces[arm.Name] == 0 {
		return Polled{}, false
	}
	pace, parts := spec.Strata(arm.Name)
	x := Polled{Arm: arm.Name, Case: task.Case, Interval: pace}
	var waits []float64
	for t := range of(task, arm.Name, trials) {
		// A missed alert must not vanish with its trial.
		x.Missed += int(t.Values[trial.UnitMissed])
		x.False += int(t.Values[trial.UnitFalse])
		if t.Valid() {
			waits = append(waits, floats(t.SincesNS)...)
		}
	}
	x.Delays = len(waits)
	x.Raster = stat.FitRaster(waits, float64(pace), float64(pollLatency), parts)
	x.Compatible = x.Raster.Compatible()
	return x, len(waits) > 0
}

// fitOf fits the growth of query time over the blocks that have files of two sizes.
func fitOf(arm string, p Plan, trials []trial.Result) (Fit, bool) {
	blocks, times := map[int][]stat.Point{}, map[int][]float64{}
	for _, task := range p.Tasks {
		spec, ok := task.Each.(trial.Query)
		if !ok || task.Experiment != Query {
			continue
		}
		for t := range of(task, arm, trials) {
			if scan, ok := t.Value(trial.UnitScan); ok && t.Valid() {
				blocks[t.Block] = append(blocks[t.Block], stat.Point{X: float64(spec.Points.N), Y: scan})
				times[spec.Points.N] = append(times[spec.Points.N], scan)
			}
		}
	}
	from, ok := fitStart(times)
	if !ok {
		return Fit{}, false
	}
	var all [][]stat.Point
	for _, block := range sortedKeys(blocks) {
		all = append(all, slices.DeleteFunc(blocks[block], func(at stat.Point) bool { return at.X < float64(from) }))
	}
	law, err := stat.FitPowerLaw(all)
	return Fit{Arm: arm, From: from, Law: law}, err == nil
}

// fitStart returns the smallest file whose reading makes up most of a query's time,
// given the times by the number of points.
func fitStart(times map[int][]float64) (points int, ok bool) {
	smallest := 0.0
	for _, n := range sortedKeys(times) {
		s, err := stat.Describe(times[n])
		if err != nil {
			return 0, false
		}
		if smallest == 0 {
			smallest = s.Median
		} else if s.Median >= fitFactor*smallest {
			return n, true
		}
	}
	return 0, false
}

func sortedKeys[V any](m map[int]V) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// see says what the run's noise lets one see, once Delta is known.
func (f *Findings) see() {
	for _, c := range f.Comparisons {
		if spread := c.Effect.Spread(); spread > 0 && !c.Control && c.Family == "" {
			f.Sights = append(f.Sights, Sight{
				ID: c.ID, Title: c.Title, Pairs: c.Effect.N, Difference: stat.Visible(spread, c.Effect.N, f.Delta),
			})
		}
	}
}
