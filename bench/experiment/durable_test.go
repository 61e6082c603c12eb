package experiment

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

func TestDurableArms(t *testing.T) {
	parse := func(texts ...string) []trial.Arm {
		var all []trial.Arm
		for _, text := range texts {
			a, err := ParseArm(text)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, a)
		}
		return all
	}
	tests := []struct {
		name       string
		arms       []trial.Arm
		base, args string
	}{
		{"the modes", DefaultArms(), "concurrent", "-mode concurrent -queue=wal -sync=always"},
		{"one arm", parse("single"), "single", "-mode single -queue=wal -sync=always"},
		{"settings stay", parse("single", "concurrent,queue-limit=500"), "concurrent,queue-limit=500", "-mode concurrent -queue-limit=500 -queue=wal -sync=always"},
		{"durable already", parse("concurrent", "concurrent,queue=wal"), "", ""},
		{"none of ours", []trial.Arm{{Name: "x", URL: "http://127.0.0.1:1"}}, "", ""},
	}
	for _, tt := range tests {
		arms := durableArms(tt.arms)
		if tt.base == "" {
			if arms != nil || durableTasks(Full(), own(tt.arms)) != nil {
				t.Errorf("%s: %+v", tt.name, arms)
			}
			continue
		}
		if len(arms) != 2 || arms[0].Name != tt.base || arms[1].Name != ArmDurable || strings.Join(arms[1].ServerArgs, " ") != tt.args || !arms[1].Durable() {
			t.Errorf("%s: %+v", tt.name, arms)
		}
	}
	if err := ValidateArms([]trial.Arm{{Name: ArmDurable, URL: "http://127.0.0.1:1"}}); !errors.Is(err, ErrArm) {
		t.Errorf("the name of the durable arm is free to take: %v", err)
	}
}

func TestDurableIsPlanned(t *testing.T) {
	for _, p := range []Profile{Quick(), Standard(), Full()} {
		var took time.Duration
		crashes := 0
		for _, s := range NewPlan(p, DefaultArms(), 1).Steps {
			if s.Task.Experiment != Durable {
				continue
			}
			took += s.Estimate()
			if s.Task.Case == DurableKill && s.Task.Arms[s.Arm].Name == ArmDurable {
				crashes++
			}
		}
		if want := map[string]int{"quick": 0, "standard": 6, "full": 14}[p.Name]; crashes != want || took > 5*time.Minute {
			t.Errorf("%s: %d crashes, about %v", p.Name, crashes, took)
		}
	}
}

// durableOracle draws durable at half the level of concurrent; single loses 30 samples to
// a crash, concurrent 3, and durable as many as it is told.
type durableOracle struct {
	*oracle
	lost, twice int64
}

func (o durableOracle) trials(t *testing.T) *Run {
	p := Standard()
	p.Experiments = []string{Ingest, Durable}
	o.spoil = func(r *trial.Result) {
		if Base(r.Arm) == ArmDurable {
			r.Values[trial.UnitRPS] *= 5
			r.Values[trial.UnitServerBusy], r.Values[trial.UnitSyncBusy] = 0.4, 0.7
			r.Signs = &trial.Signs{GeneratorBusy: 0.2}
		}
		r.Values[trial.UnitSamples] = 1000 * r.Values[trial.UnitRPS]
		r.Accepted = 100
	}
	r := runOracle(t, p, o.oracle)
	for i := range r.Trials {
		if x := &r.Trials[i]; x.Experiment == Durable && x.Case == DurableKill {
			x.Values[trial.UnitLost] = 3
			if x.Arm == ArmDurable {
				x.Values[trial.UnitLost], x.Values[trial.UnitDuplicated] = float64(o.lost), float64(o.twice)
				x.Lost, x.Duplicated = o.lost, o.twice
			}
		}
	}
	r.Conclude()
	return r
}

func TestDurabilityIsFound(t *testing.T) {
	r := durableOracle{oracle: newOracle(10, 1)}.trials(t)
	c := find(t, r, "durable/rps/rps/durable")
	// The core was idle while the log was synced: that is its own limit.
	if c.Verdict != stat.Slower || c.Effect.Ratio < 0.47 || c.Effect.Ratio > 0.53 || c.Bound != "" || c.Family != Durable || c.Effect.N != 6 {
		t.Errorf("half the rate found as %+v", c)
	}
	if c := find(t, r, "durable/batch=1000/samples/s/durable"); c.Verdict != stat.Slower {
		t.Errorf("half the samples found as %+v", c)
	}
	if c := find(t, r, "durable/rate=2253/p99-ns/durable"); !c.Measured {
		t.Errorf("%+v", c)
	}
	if c := find(t, r, "ingest/connections=64/rps/concurrent"); c.Family != "" || c.Verdict != stat.Faster {
		t.Errorf("%+v", c)
	}
	kills := r.Findings.DurableKills
	if len(kills) != 2 || len(r.Findings.Kills) != 0 || kills[0].Arm != ArmConcurrent || kills[0].Lost != 18 || kills[0].Lossy != 6 ||
		kills[1].Arm != ArmDurable || kills[1].Lost != 0 || math.Abs(kills[1].LossyBelow-0.393) > 0.001 { // 1 − 0.05^(1/6)
		t.Errorf("crashes %+v", kills)
	}
	i := slices.IndexFunc(r.Findings.Books, func(b Book) bool { return b.Arm == ArmDurable })
	if i < 0 || r.Findings.Books[i].Accepted != 3*6*100 { // those that were killed are not in it
		t.Errorf("books %+v", r.Findings.Books)
	}
	if r.Lost() != 0 || r.Duplicated() != 0 || !r.Valid() {
		t.Errorf("lost %d, duplicated %d, warnings %v", r.Lost(), r.Duplicated(), r.Warnings)
	}
}

func TestBrokenPromiseIsLoud(t *testing.T) {
	r := durableOracle{oracle: newOracle(10, 1), lost: 1, twice: 2}.trials(t)
	warnings := strings.Join(r.Warnings, "\n")
	if r.Lost() != 6 || r.Duplicated() != 12 || !strings.Contains(warnings, "LOST: servers did not store 6 samples") || !strings.Contains(warnings, "DUPLICATED: servers stored 12 samples") {
		t.Errorf("lost %d, duplicated %d, warnings %v", r.Lost(), r.Duplicated(), r.Warnings)
	}
	if k := r.Findings.DurableKills[1]; k.Lossy != 6 || k.Duplicated != 12 || k.LossyBelow != 1 {
		t.Errorf("%+v", k)
	}
}

// Alone it brings its own control.
func TestDurableAlone(t *testing.T) {
	p := Standard()
	p.Experiments = []string{Durable}
	plan := NewPlan(p, DefaultArms(), 1)
	if got := names(plan.Tasks[0].Arms); got != "concurrent durable durable-aa" {
		t.Errorf("arms %s", got)
	}
	if c := claims(plan.Tasks)[1]; c.unit == trial.UnitRPS && (!c.control || c.a.Name != ArmDurable) {
		t.Errorf("claim %+v", c)
	}
}

func TestFullness(t *testing.T) {
	for _, tt := range []struct {
		values map[string]float64
		signs  *trial.Signs
		share  float64
		known  bool
	}{
		{map[string]float64{trial.UnitServerBusy: 0.5}, &trial.Signs{}, 0.5, true},
		{map[string]float64{trial.UnitServerBusy: 0.5, trial.UnitSyncBusy: 0.25}, &trial.Signs{GeneratorBusy: 0.8}, 0.75, true},
		{map[string]float64{trial.UnitServerBusy: 0.5, trial.UnitSyncBusy: 0.75}, &trial.Signs{}, 1, true},
		{map[string]float64{trial.UnitServerBusy: 0.5, trial.UnitSyncBusy: 0.75}, &trial.Signs{GeneratorBusy: 0.95}, 0.5, true},
		{map[string]float64{trial.UnitServerBusy: 0.5, trial.UnitSyncBusy: 0.75}, nil, 0.5, true},
		{map[string]float64{trial.UnitSyncBusy: 0.75}, &trial.Signs{}, 0.75, false},
	} {
		if share, known := fullness(&trial.Result{Values: tt.values, Signs: tt.signs}); share != tt.share || known != tt.known {
			t.Errorf("%v: %v, %v", tt.values, share, known)
		}
	}
}
