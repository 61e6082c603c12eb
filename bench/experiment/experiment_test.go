package experiment

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"phase0/bench/stat"
	"phase0/bench/trial"
)

func TestPlanIsInterleavedAndReproducible(t *testing.T) {
	p := Quick()
	plan, again, other := NewPlan(p, DefaultArms(), 7), NewPlan(p, DefaultArms(), 7), NewPlan(p, DefaultArms(), 8)
	if describe(plan) != describe(again) {
		t.Error("same seed, different order")
	}
	if describe(plan) == describe(other) {
		t.Error("another seed, same order")
	}
	seen := map[string]int{}
	block := 0
	for _, s := range plan.Steps {
		if s.Block < block {
			t.Fatal("blocks are not in order")
		}
		block = s.Block
		seen[s.String()]++
	}
	for name, n := range seen {
		few := strings.HasPrefix(name, Alert) || strings.HasPrefix(name, Loss)
		if want := map[bool]int{true: 1, false: p.Pairs}[few]; n != want {
			t.Errorf("%s runs %d times, want %d", name, n, want)
		}
	}
	if len(seen) != 3+2*2+2+3*2+2+2 {
		t.Errorf("%d kinds of steps: %v", len(seen), seen)
	}
	if e := plan.Estimate(); e < 2*time.Minute || e > 195*time.Second {
		t.Errorf("quick is estimated at %v", e)
	}
	if e := NewPlan(Standard(), DefaultArms(), 1).Estimate(); e > 23*time.Minute {
		t.Errorf("standard is estimated at %v", e)
	}
	if e := NewPlan(Full(), DefaultArms(), 1).Estimate(); e > 58*time.Minute {
		t.Errorf("full is estimated at %v", e)
	}
}

func describe(p Plan) string {
	var text strings.Builder
	for _, s := range p.Steps {
		text.WriteString(s.String() + "\n")
	}
	return text.String()
}

func TestPairsShareTheirSeed(t *testing.T) {
	plan := NewPlan(Quick(), DefaultArms(), 7)
	seeds := map[string]uint64{}
	all := map[uint64]bool{}
	for _, s := range plan.Steps {
		key := s.Task.Experiment + s.Task.Case + string(rune(s.Block))
		seed := plan.trialSeed(s)
		if known, ok := seeds[key]; ok && known != seed {
			t.Errorf("%s has two seeds in block %d", s, s.Block)
		}
		seeds[key], all[seed] = seed, true
	}
	if len(all) != len(seeds) {
		t.Errorf("%d seeds for %d pairs", len(all), len(seeds))
	}
}

// The files of a plan are counted once, whichever experiments read them, and beside them
// the largest trial.
func TestPlanKnowsItsSpace(t *testing.T) {
	p := Quick()
	p.Experiments, p.PointCounts = []string{Query, Mixed}, []int{1000, 100_000}
	file := func(n int) int64 { return trial.Points{N: n}.Bytes() }
	ingest := trial.Load{Rate: p.MixedRate, Warmup: p.Warmup, Window: p.Window}.Space().Bytes
	if got, want := NewPlan(p, DefaultArms(), 1).Space(), file(1000)+file(mixedPoints)+file(100_000)+ingest; got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
	if got := NewPlan(Full(), DefaultArms(), 1).Space(); got < 2*file(10_000_000) || got > 4*file(10_000_000) {
		t.Errorf("full needs %d bytes", got)
	}
}

func TestOnlyAndWindows(t *testing.T) {
	p := Full()
	p.Experiments = []string{Query}
	for _, task := range NewPlan(p, DefaultArms(), 1).Tasks {
		if task.Experiment != Query {
			t.Errorf("-only query plans %s", task.Experiment)
		}
	}
	if plan := NewPlan(p, DefaultArms(), 1); names(plan.Tasks[0].Arms) != "single concurrent concurrent-aa" || !claims(plan.Tasks)[1].control {
		t.Errorf("-only query has no control: %s", names(plan.Tasks[0].Arms))
	}
	for _, rate := range Full().Rates {
		if n := int(Full().windowAt(rate).Seconds() * float64(rate)); n < stat.P99.MinObservations() {
			t.Errorf("%d requests at %d rps are too few for a p99", n, rate)
		}
	}
}

// oracle measures nothing: it draws values around known levels.
type oracle struct {
	rng   *rand.Rand
	ratio float64 // concurrent over single
	again float64 // concurrent-aa over concurrent
	// spoil may change a result.
	spoil func(*trial.Result)
	calls int
}

func (o *oracle) Run(_ context.Context, spec trial.Spec, arm trial.Arm, seed uint64) (trial.Result, error) {
	switch s := spec.(type) {
	case trial.Load:
		return o.load(arm, s, seed)
	case trial.Query:
		return o.query(arm, s)
	case trial.Alert:
		return o.alert(arm, s), nil
	}
	return o.fault(arm), nil
}

// fault is the result of any other kind: single loses 30 of 1,000 samples.
func (o *oracle) fault(arm trial.Arm) trial.Result {
	lost := map[string]float64{ArmSingle: 30}[arm.Name]
	return trial.Result{Arm: arm.Name, Accepted: 1000, Values: map[string]float64{
		trial.UnitReady: 5e7 * math.Exp(0.01*o.rng.NormFloat64()), trial.UnitLost: lost, trial.UnitLostSeconds: lost / 2000,
	}}
}

func (o *oracle) load(arm trial.Arm, load trial.Load, seed uint64) (trial.Result, error) {
	o.calls++
	level := 2000 * math.Exp(0.01*o.rng.NormFloat64())
	switch arm.Name {
	case ArmConcurrent, ArmConcurrent + suffixNoKeepAlive:
		level *= o.ratio
	case ArmConcurrent + suffixAgain:
		level *= o.ratio * o.again
	}
	r := trial.Result{Arm: arm.Name, Seed: seed, Values: map[string]float64{
		trial.UnitRPS: level, trial.UnitP50: 1e9 / level, trial.UnitP99: 3e9 / level,
		trial.UnitCPUPerSample: 1e8 / level, trial.UnitPeakMemory: 1e7, trial.UnitServerBusy: 0.99,
	}}
	if o.spoil != nil {
		o.spoil(&r)
	}
	time.Sleep(load.Window)
	return r, nil
}

func (o *oracle) query(arm trial.Arm, q trial.Query) (trial.Result, error) {
	return trial.Result{Arm: arm.Name, Values: map[string]float64{
		trial.UnitScan: float64(q.Points.N) * 200 * math.Exp(0.002*o.rng.NormFloat64()),
	}}, nil
}

// alert tells of each breach where its stretch of the interval ends, or at once.
func (o *oracle) alert(arm trial.Arm, a trial.Alert) trial.Result {
	r := trial.Result{Arm: arm.Name, Values: map[string]float64{}}
	pace, parts := a.Strata(arm.Name)
	for k := range a.Probes {
		delay := int64(2e6 + 1e3*o.rng.Float64())
		if pace > 0 {
			delay = int64(float64(pace) * (float64(k%parts) + 0.5) / float64(parts))
		}
		r.DelaysNS, r.ArrivalsNS, r.SincesNS = append(r.DelaysNS, delay), append(r.ArrivalsNS, 2*delay), append(r.SincesNS, delay)
		r.Values[trial.UnitDetect] += float64(delay) / float64(a.Probes)
		r.Values[trial.UnitArrive] += float64(2*delay) / float64(a.Probes)
	}
	return r
}

// runOracle runs a profile against an oracle in made-up time.
func runOracle(t *testing.T, p Profile, o *oracle) *Run {
	t.Helper()
	return runOracleOn(t, p, DefaultArms(), o)
}

func runOracleOn(t *testing.T, p Profile, arms []trial.Arm, o *oracle) *Run {
	t.Helper()
	r := &Run{Schema: SchemaVersion, Profile: p, Arms: arms, Seed: 11}
	synctest.Test(t, func(t *testing.T) {
		runner := Runner{Plan: NewPlan(p, r.Arms, r.Seed), Measurer: o}
		trials, err := runner.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		r.Trials = trials
	})
	r.Conclude()
	return r
}

func newOracle(ratio, again float64) *oracle {
	return &oracle{rng: rand.New(rand.NewPCG(5, 5)), ratio: ratio, again: again}
}

func find(t *testing.T, r *Run, id string) Comparison {
	t.Helper()
	i := slices.IndexFunc(r.Findings.Comparisons, func(c Comparison) bool { return c.ID == id })
	if i < 0 {
		t.Fatalf("no comparison %s", id)
	}
	return r.Findings.Comparisons[i]
}

func TestRunFindsWhatIsThere(t *testing.T) {
	r := runOracle(t, Quick(), newOracle(10, 1))
	if c := find(t, r, "ingest/connections=64/rps/concurrent"); c.Verdict != stat.Faster || math.Abs(c.Effect.Ratio-10) > 0.3 || c.Effect.N != 6 {
		t.Errorf("tenfold capacity found as %+v", c)
	}
	if c := find(t, r, "response/rate=200/p99-ns/concurrent"); c.Verdict != stat.Faster || c.Effect.Ratio < 9 {
		t.Errorf("a tenth of the time found as %+v", c)
	}
	if c := find(t, r, "ingest/connections=64/peak-B/concurrent"); c.Verdict != stat.Equivalent {
		t.Errorf("equal memory found as %+v", c)
	}
	if c := find(t, r, "query/points=1000/scan-ns/concurrent"); c.Verdict != stat.Equivalent || c.SameMechanism != "" {
		t.Errorf("equal scans found as %+v", c)
	}
	if r.Findings.Noisy || !r.Valid() {
		t.Errorf("a clean run is noisy or not valid: %v", r.Warnings)
	}
}

func TestRunSumsUp(t *testing.T) {
	p := Standard()
	p.Experiments = []string{Ingest, Query, Loss}
	f := runOracle(t, p, newOracle(10, 1)).Findings
	kill := map[string]Kill{}
	for _, k := range f.Kills {
		kill[k.Arm+" "+k.Case] = k
	}
	if k := kill["single signal=kill"]; k.Trials != 10 || k.Lossy != 10 || k.Lost != 300 || k.Accepted != 10_000 || k.WorstSeconds != 0.015 || k.LossyBelow != 1 {
		t.Errorf("single lost %+v", k)
	}
	if k := kill["concurrent signal=kill"]; k.Lost != 0 || math.Abs(k.LossyBelow-0.2589) > 0.0001 { // 1 − 0.05^(1/10)
		t.Errorf("concurrent lost %+v", k)
	}
	if k := kill["concurrent signal=term"]; k.Trials != 6 {
		t.Errorf("SIGTERM %+v", k)
	}
	if len(f.Fits) != 2 || math.Abs(f.Fits[0].Law.Exponent-1) > 0.02 || f.Fits[0].Law.Blocks != 10 {
		t.Errorf("a time that is proportional to the points is fitted as %+v", f.Fits)
	}
	if len(f.Sights) == 0 || f.Sights[0].Difference < f.Delta || f.Sights[0].Difference > 0.1 {
		t.Errorf("a noise of 1 %% lets one see %+v", f.Sights)
	}
}

// What a request costs whatever the file flattens the line, and is left out.
func TestFitBeginsWhereReadingCounts(t *testing.T) {
	tests := []struct {
		name  string
		times map[int][]float64
		from  int
		ok    bool
	}{
		{"in proportion", map[int][]float64{1000: {2, 1, 3}, 10_000: {20}, 100_000: {200}}, 10_000, true},
		{"flat at first", map[int][]float64{1000: {200}, 10_000: {250, 240}, 100_000: {1100}}, 100_000, true},
		{"flat", map[int][]float64{1000: {200}, 10_000: {250}}, 0, false},
		{"one size", map[int][]float64{1000: {200}}, 0, false},
		{"none", nil, 0, false},
	}
	for _, tt := range tests {
		if from, ok := fitStart(tt.times); from != tt.from || ok != tt.ok {
			t.Errorf("%s: %d, %v; want %d, %v", tt.name, from, ok, tt.from, tt.ok)
		}
	}
}

func TestControlStampsANoisyRun(t *testing.T) {
	r := runOracle(t, Quick(), newOracle(10, 1.2))
	if !r.Findings.Noisy || r.Valid() || !strings.Contains(strings.Join(r.Warnings, "\n"), "NOISY") {
		t.Errorf("identical arms differed by 20 %%: %+v, %v", find(t, r, "ingest/connections=64/rps/concurrent-aa/control"), r.Warnings)
	}
}

func TestVoidTrialsAreMadeUpForWithinLimits(t *testing.T) {
	o := newOracle(10, 1)
	o.spoil = func(r *trial.Result) {
		if o.calls == 5 {
			r.Void = []string{"disturbed"}
		}
	}
	r := runOracle(t, Quick(), o)
	for _, c := range r.Findings.Comparisons {
		if c.Experiment != Alert && c.Experiment != Loss && c.Effect.N < 6 {
			t.Errorf("%s has %d pairs after one void trial", c.ID, c.Effect.N)
		}
	}
	if !strings.Contains(strings.Join(r.Warnings, "\n"), "1 of ") {
		t.Errorf("the void trial is not told: %v", r.Warnings)
	}
}

func TestTooManyVoidsWithholdTheClaim(t *testing.T) {
	o := newOracle(10, 1)
	o.spoil = func(r *trial.Result) {
		if r.Arm == ArmSingle {
			r.Void = []string{"disturbed"}
		}
	}
	r := runOracle(t, Quick(), o)
	if c := find(t, r, "ingest/connections=64/rps/concurrent"); c.Verdict != stat.Withheld || c.Measured {
		t.Errorf("all trials of an arm void: %+v", c)
	}
	if r.Valid() {
		t.Error("a run without its claim is valid")
	}
	if limit := (Quick().Pairs + maxExtraBlocks) * len(NewPlan(Quick(), DefaultArms(), 1).Tasks) * 3; len(r.Trials) > limit {
		t.Errorf("%d trials to make up for voids", len(r.Trials))
	}
}

func TestGeneratorLimitedCapacityIsBounded(t *testing.T) {
	idle := func(arm string, busy float64) func(*trial.Result) {
		return func(r *trial.Result) {
			if r.Arm != arm {
				return
			}
			r.Values[trial.UnitServerBusy] = busy
			if busy == 0 { // nobody knows
				delete(r.Values, trial.UnitServerBusy)
			}
		}
	}
	tests := []struct {
		name    string
		ratio   float64
		arm     string
		busy    float64
		bound   string
		verdict stat.Verdict
	}{
		{"concurrent idle: at least", 10, ArmConcurrent, 0.5, "≥", stat.Faster},
		{"single half idle, still far behind", 10, ArmSingle, 0.5, "≤", stat.Faster},
		{"single so idle that it might catch up", 10, ArmSingle, 0.09, "≤", stat.Inconclusive},
		{"single a little idle", 10, ArmSingle, 0.95, "≤", stat.Faster},
		{"nobody knows about concurrent: at least", 10, ArmConcurrent, 0, "≥", stat.Faster},
		{"nobody knows about single", 10, ArmSingle, 0, "≤", stat.Inconclusive},
		{"nobody knows about concurrent, which is behind", 0.1, ArmConcurrent, 0, "≥", stat.Inconclusive},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newOracle(tt.ratio, 1)
			o.spoil = idle(tt.arm, tt.busy)
			c := find(t, runOracle(t, Quick(), o), "ingest/connections=64/rps/concurrent")
			behind := (tt.arm == ArmSingle) == (tt.ratio > 1)
			if c.Bound != tt.bound || c.Verdict != tt.verdict || (c.Cautious == nil) != (behind && tt.busy == 0) {
				t.Errorf("%+v", c)
			}
		})
	}
}

func TestFindingsFollowFromStoredTrials(t *testing.T) {
	r := runOracle(t, Quick(), newOracle(3, 1))
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var stored Run
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	stored.Conclude()
	if !reflect.DeepEqual(stored.Findings, r.Findings) {
		t.Error("findings computed from the stored trials differ")
	}
}

func TestRunnerStopsAtAnError(t *testing.T) {
	failing := errors.New("broken")
	o := &failingMeasurer{oracle: newOracle(1, 1), after: 4, err: failing}
	p := Quick()
	p.Experiments = []string{Query}
	events := 0
	runner := Runner{Plan: NewPlan(p, DefaultArms(), 1), Measurer: o, Observe: func(Event) { events++ }}
	trials, err := runner.Run(t.Context())
	if !errors.Is(err, failing) || len(trials) != 4 || events != 9 {
		t.Errorf("%d trials, %d events, error %v", len(trials), events, err)
	}
}

type failingMeasurer struct {
	*oracle
	after int
	err   error
}

func (f *failingMeasurer) Run(ctx context.Context, spec trial.Spec, arm trial.Arm, seed uint64) (trial.Result, error) {
	if f.after == 0 {
		return trial.Result{}, f.err
	}
	f.after--
	return f.oracle.Run(ctx, spec, arm, seed)
}
