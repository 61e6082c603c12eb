package poll

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/alerting"
	"phase0/server/alerting/rule"
	"phase0/server/query"
	"phase0/server/sample"
)

var _ alerting.Engine = (*Engine)(nil)

const interval = 10 * time.Second

// store is a query engine over a slice.
type store struct {
	mu      sync.Mutex
	samples []sample.Sample
	err     error // of questions about failing
	failing string
	seen    []query.Selector
	slow    atomic.Int64 // how long a Select takes, in ns
}

func (s *store) add(name string, value float64) { s.addAt(name, value, time.Now().UnixMilli()) }

func (s *store) addAt(name string, value float64, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples = append(s.samples, sample.Sample{Name: name, Value: value, Timestamp: at})
}

// fail makes questions about name fail, until err is nil.
func (s *store) fail(err error, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err, s.failing = err, name
}

func (s *store) Select(ctx context.Context, sel query.Selector, yield func(sample.Sample) bool) (query.Stats, error) {
	// Nothing may sleep under a mutex in a bubble: its clock would stand still.
	select {
	case <-time.After(time.Duration(s.slow.Load())):
	case <-ctx.Done():
		return query.Stats{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, sel)
	if s.err != nil && sel.Name == s.failing {
		return query.Stats{}, s.err
	}
	for _, one := range s.samples {
		if sel.Matches(one) && !yield(one) {
			break
		}
	}
	return query.Stats{}, nil
}

func (s *store) Fold(ctx context.Context, sel query.Selector, f *query.Fold) (query.Stats, error) {
	return s.Select(ctx, sel, f.Add)
}

// told is a notification and when it came.
type told struct {
	alerting.Notification
	at time.Duration // since the recorder was made
}

type recorder struct {
	start time.Time
	mu    sync.Mutex
	told  []told
}

func (r *recorder) Notify(notifications []alerting.Notification) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range notifications {
		r.told = append(r.told, told{n, time.Since(r.start)})
	}
}

func (r *recorder) Stats() alerting.Deliveries {
	r.mu.Lock()
	defer r.mu.Unlock()
	return alerting.Deliveries{Sent: uint64(len(r.told))}
}

func (r *recorder) Close() {}

// String lists what was told: 10s firing A, 70s resolved A.
func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for _, n := range r.told {
		lines = append(lines, fmt.Sprintf("%vs %s %s", n.at.Seconds(), n.Status, n.Alert.Labels["alertname"]))
	}
	return strings.Join(lines, ", ")
}

// rig is a started engine with all that surrounds it; call it inside a bubble.
type rig struct {
	*Engine
	store *store
	told  *recorder
	log   *bytes.Buffer
}

func start(t *testing.T, rules ...rule.Rule) rig {
	t.Helper()
	r := rig{store: &store{}, told: &recorder{start: time.Now()}, log: &bytes.Buffer{}}
	r.Engine = New(Config{Rules: rules, Query: r.store, Notifier: r.told, Interval: interval, Log: zerolog.New(r.log)})
	r.Start()
	t.Cleanup(r.Close)
	return r
}

// until sleeps up to d after the start and lets what is due then happen.
func (r rig) until(d time.Duration) {
	time.Sleep(time.Until(r.told.start.Add(d)))
	synctest.Wait()
}

func above(name, metric string, window, hold time.Duration) rule.Rule {
	return rule.Rule{Alert: name, Metric: metric, Window: window, Op: ">", Threshold: 80, For: hold}
}

func TestBreachIsToldAtTheNextEvaluation(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 40 {
		phase := time.Duration(random.Int64N(int64(3*interval)/1e6)) * time.Millisecond
		synctest.Test(t, func(t *testing.T) {
			r := start(t, above("A", "cpu", time.Minute, 0))
			r.until(phase)
			r.store.add("cpu", 85)
			r.until(phase + interval)
			if len(r.told.told) != 1 {
				t.Fatalf("seed %d: breach after %v: told %v", seed, phase, r.told)
			}
			first := r.told.told[0]
			if delay := first.at - phase; delay < 0 || delay > interval || first.at%interval != 0 {
				t.Fatalf("seed %d: breach after %v told after %v", seed, phase, first.at)
			}
			if want := r.told.start.Add(first.at); !first.Alert.Since.Equal(want) {
				t.Fatalf("since %v, want %v", first.Alert.Since, want)
			}
		})
	}
}

func TestFiringIsToldEachTimeAndResolvedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, above("A", "cpu", 30*time.Second, 0))
		r.until(5 * time.Second)
		r.store.add("cpu", 85)
		r.until(100 * time.Second)
		// The sample of 5 s lies in (t − 30 s, t] for t = 10, 20, 30.
		const want = "10s firing A, 20s firing A, 30s firing A, 40s resolved A"
		if got := r.told.String(); got != want {
			t.Fatalf("told %s, want %s", got, want)
		}
		last := r.told.told[3]
		if ends := last.EndsAt.Sub(r.told.start); ends != 40*time.Second {
			t.Errorf("resolved alert ends after %v, want 40s", ends)
		}
		if since := last.Alert.Since.Sub(r.told.start); since != 10*time.Second {
			t.Errorf("resolved alert fired since %v, want 10s", since)
		}
	})
}

func TestFor(t *testing.T) {
	for _, tc := range []struct {
		hold   time.Duration
		breach time.Duration // how long samples are above the threshold
		states string        // at 10 s, 20 s, …: - p f
		told   string
	}{
		{0, 25 * time.Second, "fff--", "10s firing A, 20s firing A, 30s firing A, 40s resolved A"},
		{time.Millisecond, 25 * time.Second, "pff--", "20s firing A, 30s firing A, 40s resolved A"},
		{10 * time.Second, 25 * time.Second, "pff--", "20s firing A, 30s firing A, 40s resolved A"},
		{11 * time.Second, 25 * time.Second, "ppf--", "30s firing A, 40s resolved A"},
		{20 * time.Second, 25 * time.Second, "ppf--", "30s firing A, 40s resolved A"},
		{21 * time.Second, 25 * time.Second, "ppp--", ""},
		{10 * time.Second, 5 * time.Second, "p----", ""},
	} {
		t.Run(fmt.Sprintf("%v of %v", tc.hold, tc.breach), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, above("A", "cpu", 10*time.Second, tc.hold))
				var states strings.Builder
				for at := 5 * time.Second; at < 50*time.Second; at += interval {
					r.until(at)
					value := 10.0
					if at <= tc.breach {
						value = 90
					}
					r.store.add("cpu", value)
					r.until(at + interval/2)
					states.WriteString(shortState(r.Alerts()))
				}
				if states.String() != tc.states || r.told.String() != tc.told {
					t.Errorf("states %s, told %s; want %s, %s", &states, r.told, tc.states, tc.told)
				}
			})
		})
	}
}

func shortState(alerts []alerting.Alert) string {
	if len(alerts) == 0 {
		return "-"
	}
	return string(alerts[0].State[0])
}

func TestForStartsAfreshAfterABreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, above("A", "cpu", 10*time.Second, 20*time.Second))
		for i, value := range []float64{90, 90, 10, 90, 90, 90} {
			r.until(time.Duration(i)*interval + interval/2)
			r.store.add("cpu", value)
		}
		r.until(60 * time.Second)
		if got := r.told.String(); got != "60s firing A" {
			t.Errorf("told %s", got)
		}
	})
}

func TestWindowIsOpenAtItsStart(t *testing.T) {
	window := time.Minute
	for _, tc := range []struct {
		offset time.Duration // of the sample from the evaluation
		fires  bool
	}{
		{-window - time.Millisecond, false},
		{-window, false},
		{-window + time.Millisecond, true},
		{-time.Second, true},
		{0, true},
		{time.Millisecond, false},
		{time.Hour, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, above("A", "cpu", window, 0))
			r.store.addAt("cpu", 90, time.Now().Add(interval+tc.offset).UnixMilli())
			r.store.add("other", 99)
			r.until(interval)
			if fires := len(r.told.told) == 1; fires != tc.fires {
				t.Errorf("sample at %v from the evaluation: fires %v, want %v", tc.offset, fires, tc.fires)
			}
			if n := len(r.store.seen); n != 1 {
				t.Errorf("%d questions for one rule", n)
			}
		})
	}
}

func TestNoSamplesFireNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rules []rule.Rule
		for _, op := range []string{">", ">=", "<", "<="} {
			rules = append(rules, rule.Rule{Alert: op, Metric: "cpu", Window: time.Minute, Op: op})
		}
		r := start(t, rules...)
		r.until(time.Minute)
		if len(r.told.told) != 0 || len(r.Alerts()) != 0 {
			t.Errorf("told %v, alerts %v", r.told, r.Alerts())
		}
	})
}

func TestErrorsAreCountedAndLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, above("A", "cpu", 15*time.Second, 0))
		r.store.add("cpu", 90)
		r.until(15 * time.Second)
		r.store.fail(errors.New("read storage: input/output error"), "cpu")
		r.until(45 * time.Second) // fails at 20, 30 and 40
		if state := shortState(r.Alerts()); state != "f" {
			t.Errorf("an error turned the alert into %q", state)
		}
		r.store.fail(nil, "")
		r.until(55 * time.Second)
		if got, want := r.told.String(), "10s firing A, 50s resolved A"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
		if s := r.Stats(); s.Evaluations != 5 || s.EvaluationErrors != 3 || s.Sent != 2 {
			t.Errorf("stats %+v", s)
		}
		const want = `{"level":"error","error":"read storage: input/output error","message":"alert evaluation failed; trying again every interval"}` + "\n" +
			`{"level":"info","message":"alert evaluation works again"}` + "\n"
		if r.log.String() != want {
			t.Errorf("log:\n%swant:\n%s", r.log, want)
		}
	})
}

func TestOneFailingRuleDoesNotStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, above("A", "cpu", time.Minute, 0), above("B", "mem", time.Minute, 0))
		r.store.add("mem", 90)
		r.store.fail(errors.New("refused"), "cpu")
		r.until(interval)
		if got := r.told.String(); got != "10s firing B" {
			t.Errorf("told %s", got)
		}
	})
}

func TestSlowEvaluationsDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, above("A", "cpu", time.Minute, 0))
		r.store.slow.Store(int64(25 * time.Second))
		r.until(200 * time.Second)
		// Back to back from 10 s on: done at 35 s, 60 s, … 185 s.
		if n := r.Stats().Evaluations; n != 7 {
			t.Errorf("%d evaluations in 200 s at 25 s each, want 7", n)
		}
		r.until(215 * time.Second) // in the one that began at 210 s
		r.store.slow.Store(0)
		before := r.Stats().Evaluations
		r.until(305 * time.Second)
		// The one under way, the one tick that was kept, and 240 s, 250 s, … 300 s.
		if n := r.Stats().Evaluations - before; n != 9 {
			t.Errorf("%d evaluations in 90 s after the slow ones", n)
		}
	})
}

func TestCloseCancelsTheEvaluationUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, above("A", "cpu", time.Minute, 0))
		r.store.slow.Store(int64(time.Hour))
		r.until(15 * time.Second)
		r.Close()
		r.Close()
		if took := time.Since(r.told.start); took != 15*time.Second {
			t.Errorf("Close took until %v", took)
		}
		if s := r.Stats(); s.Evaluations != 0 || s.EvaluationErrors != 0 || r.log.Len() != 0 {
			t.Errorf("a cancelled evaluation was counted or logged: %+v %s", s, r.log)
		}
		New(Config{}).Close() // never started
	})
}

func TestAlertsAreInTheOrderOfTheRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := above("B", "cpu", time.Minute, time.Hour)
		b.Labels = map[string]string{"severity": "page"}
		b.Annotations = map[string]string{"summary": "cpu at {{ $value }}"}
		b.Expr = "avg_over_time(cpu[60s]) > 80"
		r := start(t, b, above("none", "none", time.Minute, 0), above("A", "cpu", time.Minute, 0))
		r.store.add("cpu", 85)
		r.store.add("cpu", 86)
		r.until(interval)
		got, err := json.Marshal(r.Alerts())
		if err != nil {
			t.Fatal(err)
		}
		// A bubble's clock starts at midnight UTC 2000-01-01.
		const want = `[{"state":"pending","labels":{"alertname":"B","severity":"page"},"annotations":{"summary":"cpu at 85.5"},"value":85.5,"since":"2000-01-01T00:00:10Z","fingerprint":"23b442886f59ca94","rule":"avg_over_time(cpu[60s]) \u003e 80"},` +
			`{"state":"firing","labels":{"alertname":"A"},"annotations":{},"value":85.5,"since":"2000-01-01T00:00:10Z","fingerprint":"d2c6efc389df0927","rule":""}]`
		if string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// TestAgainstModel compares the alerts that fire with a plain reading of the
// definition, over random series.
func TestAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	ops := []string{">", ">=", "<", "<="}
	synctest.Test(t, func(t *testing.T) {
		var rules []rule.Rule
		for i := range 20 {
			rules = append(rules, rule.Rule{
				Alert: fmt.Sprint("A", i), Metric: fmt.Sprint("m", random.IntN(3)), Op: ops[random.IntN(4)],
				Window: time.Duration(1+random.IntN(40_000)) * time.Millisecond, Threshold: float64(random.IntN(5)),
			})
		}
		r := start(t, rules...)
		for step := range 30 {
			for range random.IntN(4) {
				late := random.Int64N(30_000) - 5_000 // some lie in the future
				r.store.addAt(fmt.Sprint("m", random.IntN(3)), float64(random.IntN(5)), time.Now().UnixMilli()-late)
			}
			r.until(time.Duration(step+1) * interval)
			if got, want := names(r.Alerts()), model(r.store.samples, rules, time.Now().UnixMilli()); got != want {
				t.Fatalf("seed %d, step %d: firing %s, want %s", seed, step, got, want)
			}
		}
	})
}

func names(alerts []alerting.Alert) string {
	var s []string
	for _, a := range alerts {
		s = append(s, a.Labels["alertname"])
	}
	return strings.Join(s, " ")
}

func model(samples []sample.Sample, rules []rule.Rule, now int64) string {
	var firing []string
	for _, r := range rules {
		var sum, n float64
		for _, s := range samples {
			if s.Name == r.Metric && s.Timestamp > now-r.Window.Milliseconds() && s.Timestamp <= now {
				sum, n = sum+s.Value, n+1
			}
		}
		mean := sum / n
		truth := map[string]bool{">": mean > r.Threshold, ">=": mean >= r.Threshold, "<": mean < r.Threshold, "<=": mean <= r.Threshold}
		if n > 0 && truth[r.Op] {
			firing = append(firing, r.Alert)
		}
	}
	return strings.Join(firing, " ")
}

// Alerts above the limit are raised when others are over, and those of rules that are gone
// make room.
func TestMoreAlertsThanTheLimitAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, told := &store{}, &recorder{}
		rules := []rule.Rule{above("A", "a", 15*time.Second, 0), above("B", "b", 25*time.Second, 0), above("C", "c", time.Hour, 0)}
		e := New(Config{Rules: rules, Query: s, Notifier: told, Interval: interval, MaxActive: 2, Log: zerolog.Nop()})
		e.Start()
		defer e.Close()
		for _, name := range []string{"a", "b", "c"} {
			s.add(name, 90)
		}
		for i, want := range []struct {
			names   string
			refused uint64
		}{{"A B", 1}, {"B C", 1}, {"C", 1}} {
			time.Sleep(interval)
			synctest.Wait()
			if got, stats := names(e.Alerts()), e.Stats(); got != want.names || stats.AlertsRefused != want.refused || stats.Active != len(strings.Fields(want.names)) {
				t.Errorf("evaluation %d: %q, %+v; want %+v", i, got, stats, want)
			}
		}
		if err := e.SetRules(t.Context(), rules[:2]); err != nil || e.Stats().Active != 0 {
			t.Errorf("without C: %v, %+v", err, e.Stats())
		}
	})
}

// Rules are not waited for longer than asked: while a slow evaluation is under way they stay
// as they were, and afterwards they can be replaced.
func TestSetRulesIsCalledOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, above("A", "cpu", time.Minute, 0))
		r.store.slow.Store(int64(time.Minute))
		r.until(15 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begin := time.Now()
		err := r.SetRules(ctx, []rule.Rule{above("B", "mem", time.Minute, 0)})
		if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took != 5*time.Second || r.Rules(alerting.Bound{})[0].Name != "A" {
			t.Errorf("%v after %v, rules %+v", err, took, r.Rules(alerting.Bound{}))
		}
		err = r.SetRules(t.Context(), []rule.Rule{above("B", "mem", time.Minute, 0)})
		if took := time.Since(begin); err != nil || took != 55*time.Second || r.Rules(alerting.Bound{})[0].Name != "B" {
			t.Errorf("%v after %v, rules %+v", err, took, r.Rules(alerting.Bound{}))
		}
	})
}
