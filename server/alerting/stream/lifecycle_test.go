package stream

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/alerting"
	"phase0/server/sample"
)

// rig is an engine that runs in a bubble, with a clock that can be set.
type rig struct {
	*Engine
	t      *testing.T
	cfg    Config
	store  *store
	told   *recorder
	offset atomic.Int64 // of the system's clock against the bubble's
	begin  time.Time
}

func start(t *testing.T, rules string, change func(*Config)) *rig {
	r := &rig{t: t, store: &store{}, told: &recorder{}, begin: time.Now()}
	r.told.start = r.begin
	r.cfg = Config{Rules: parse(t, rules), Query: r.store, Store: r.store, Notifier: r.told, Memory: r.told, Limits: limits, Log: zerolog.Nop(), now: r.now}
	if change != nil {
		change(&r.cfg)
	}
	r.run()
	t.Cleanup(func() { r.Close() })
	return r
}

func (r *rig) run() {
	r.Engine = New(r.cfg)
	r.Start()
	synctest.Wait()
}

func (r *rig) now() time.Time { return time.Now().Add(time.Duration(r.offset.Load())) }

// until sleeps up to d after the beginning, by the bubble's clock.
func (r *rig) until(d time.Duration) {
	time.Sleep(time.Until(r.begin.Add(d)))
	synctest.Wait()
}

func (r *rig) push(host string, value float64) {
	labels, err := sample.NewLabels(map[string]string{"host": host})
	if host == "" {
		labels, err = "", nil
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.batch(sample.Sample{Name: "cpu", Labels: labels, Value: value, Timestamp: r.now().UnixMilli()})
}

func (r *rig) batch(samples ...sample.Sample) {
	r.Observe(samples)
	r.store.append(samples...)
	r.Stored()
	synctest.Wait()
}

// restart is a new process on what is stored and what was told, after some time without one.
func (r *rig) restart(after time.Duration) {
	r.Close()
	time.Sleep(after)
	r.run()
}

func (r *rig) states() string {
	var states []string
	for _, a := range r.Alerts() {
		states = append(states, string(a.State))
	}
	return strings.Join(states, " ")
}

const (
	plainRule = "  - {alert: A, expr: 'avg_over_time(cpu[60s]) > 80'}\n"
	forRule   = "  - {alert: A, expr: 'avg_over_time(cpu[60s]) > 80', for: 30s}\n"
	keepRule  = "  - {alert: A, expr: 'max_over_time(cpu[10s]) > 80', keep_firing_for: 30s}\n"
	goneRule  = "  - {alert: A, expr: 'absent_over_time(cpu[60s])'}\n"
)

// Each step is what happens at a second: a value that comes, "restart" or "restart 90s" with
// the time that it takes, "clock -1h".
func TestLifecycle(t *testing.T) {
	type step struct {
		at int
		do string
	}
	for _, tc := range []struct {
		name, rules string
		steps       []step
		told, state string // state at the end
	}{
		{"told once while it fires, and at its end", plainRule, []step{{1, "85"}, {20, "85"}, {40, "85"}, {200, ""}},
			"1s firing A, 100s resolved A", ""},
		{"a window that empties ends it", plainRule, []step{{1, "85"}, {61, ""}}, "1s firing A, 61s resolved A", ""},
		{"an old sample that leaves begins it", plainRule, []step{{1, "0"}, {2, "90"}, {100, ""}}, "61s firing A, 62s resolved A", ""},
		{"for holds it back", forRule, []step{{1, "85"}, {30, ""}}, "", "pending"},
		{"for elapses without a sample", forRule, []step{{1, "85"}, {31, ""}}, "31s firing A", "firing"},
		{"what ends within for is not told", forRule, []step{{1, "85"}, {20, "0"}, {100, ""}}, "", ""},
		{"for begins anew", forRule, []step{{1, "85"}, {20, "0"}, {21, "300"}, {50, ""}, {51, ""}}, "51s firing A", "firing"},
		{"flapping", plainRule, []step{{1, "85"}, {2, "0"}, {3, "300"}, {4, "-300"}}, "1s firing A, 2s resolved A, 3s firing A, 4s resolved A", ""},
		{"no data is not true", "  - {alert: A, expr: 'avg_over_time(cpu[60s]) < 80'}\n", []step{{100, ""}}, "", ""},
		{"keep_firing_for", keepRule, []step{{1, "85"}, {40, ""}, {41, ""}}, "1s firing A, 41s resolved A", ""},
		{"keep_firing_for begins anew", keepRule, []step{{1, "85"}, {30, "85"}, {60, ""}, {69, ""}, {70, ""}}, "1s firing A, 70s resolved A", ""},
		{"absence", goneRule, []step{{10, "1"}, {69, ""}, {70, ""}}, "0s firing A, 10s resolved A, 70s firing A", "firing"},

		{"restart while inactive", plainRule, []step{{1, "50"}, {10, "restart"}, {20, "200"}}, "20s firing A", "firing"},
		{"restart while pending", forRule, []step{{1, "85"}, {20, "restart 5s"}, {30, ""}, {31, ""}}, "31s firing A", "firing"},
		{"restart while firing", plainRule, []step{{1, "85"}, {20, "restart"}, {61, ""}}, "1s firing A, 61s resolved A", ""},
		{"restart while firing after for", forRule, []step{{1, "85"}, {40, "restart"}, {61, ""}}, "31s firing A, 61s resolved A", ""},
		{"restart while it is kept firing", keepRule, []step{{1, "85"}, {20, "restart"}, {41, ""}}, "1s firing A, 41s resolved A", ""},
		{"restart after it was resolved", plainRule, []step{{1, "85"}, {70, "restart"}, {80, ""}}, "1s firing A, 61s resolved A", ""},
		{"it ended while nobody looked", plainRule, []step{{1, "85"}, {20, "restart 90s"}}, "1s firing A, 110s resolved A", ""},
		{"it began while nobody looked", plainRule, []step{{1, "0"}, {2, "90"}, {20, "restart 41500ms"}}, "61.5s firing A", "firing"},
		{"restart while absent", goneRule, []step{{100, "restart 50s"}}, "0s firing A", "firing"},

		// The clock of what is told is the system's.
		{"the clock goes forward a day", plainRule, []step{{1, "85"}, {10, "clock 24h"}, {11, "85"}}, "1s firing A, 86411s resolved A, 86411s firing A", "firing"},
		{"the clock goes forward while it waits", forRule, []step{{1, "85"}, {10, "clock 24h"}, {20, ""}}, "", ""},
		{"the clock goes back an hour", plainRule, []step{{1, "85"}, {20, "clock -1h"}, {21, "85"}, {22, "85"}, {100, ""}},
			"1s firing A, -3579s resolved A, -3579s firing A, -3518s resolved A", ""},
		{"the clock goes back while it waits", forRule, []step{{1, "85"}, {20, "clock -1h"}, {21, "85"}, {50, ""}, {51, ""}}, "-3549s firing A", "firing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, tc.rules, nil)
				for _, s := range tc.steps {
					r.until(time.Duration(s.at) * time.Second)
					r.do(s.do)
				}
				if got := r.told.String(); got != tc.told {
					t.Errorf("told %s\nwant %s", got, tc.told)
				}
				if got := r.states(); got != tc.state {
					t.Errorf("state %q, want %q", got, tc.state)
				}
				checkStory(t, r.told.told)
			})
		})
	}
}

func (r *rig) do(what string) {
	verb, arg, _ := strings.Cut(what, " ")
	var d time.Duration
	if arg != "" {
		var err error
		if d, err = time.ParseDuration(arg); err != nil {
			r.t.Fatal(err)
		}
	}
	switch verb {
	case "":
	case "restart":
		r.restart(d)
	case "clock":
		r.offset.Add(int64(d))
	default:
		var value float64
		if _, err := fmt.Sscan(what, &value); err != nil {
			r.t.Fatal(err)
		}
		r.push("", value)
	}
}

// checkStory demands of each alert that it fires and is resolved by turns, that both name the
// same beginning, and that no key stands for two transitions.
func checkStory(t *testing.T, told []alerting.Notification) {
	t.Helper()
	last := map[string]alerting.Notification{}
	keys := map[string]bool{}
	for _, n := range told {
		before, known := last[n.Alert.Fingerprint]
		switch {
		case keys[n.Key]:
			t.Errorf("key %s stands twice", n.Key)
		case n.Status == alerting.StatusFiring && known && before.Status == alerting.StatusFiring:
			t.Errorf("fires twice: %+v", n)
		case n.Status == alerting.StatusResolved && (!known || before.Status != alerting.StatusFiring || !before.Alert.Since.Equal(n.Alert.Since)):
			t.Errorf("resolved is not what fired: %+v after %+v", n, before)
		}
		last[n.Alert.Fingerprint], keys[n.Key] = n, true
	}
}

func TestSeriesVanish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, plainRule, nil)
		for i := range 500 {
			r.push(fmt.Sprint("h", i), 50)
		}
		r.push("x", 85)
		r.mu.Lock()
		got := r.core.series
		r.mu.Unlock()
		if got != 501 {
			t.Fatalf("%d series", got)
		}
		r.until(61 * time.Second)
		r.mu.Lock()
		defer r.mu.Unlock()
		if got := r.core.series; got != 0 || len(r.core.timers) != 0 || r.core.budget.Left != limits.Samples {
			t.Errorf("%d series, %d timers, %d samples are left", got, len(r.core.timers), limits.Samples-r.core.budget.Left)
		}
		if got := r.told.String(); got != "0s firing A of x, 60s resolved A of x" {
			t.Errorf("told %s", got)
		}
	})
}

func TestMoreSeriesThanTheLimitAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, plainRule, func(c *Config) { c.Limits.Series = 3 })
		for i := range 5 {
			r.push(fmt.Sprint("h", i), 85)
		}
		if got, stats := len(r.Alerts()), r.Stats(); got != 3 || stats.SamplesRefused != 2 || stats.Waiting != 0 || stats.Refills != 1 {
			t.Errorf("%d alerts, %+v", got, stats)
		}
	})
}

// A series needs room for all rules that read it. What has none is counted, with each sample,
// and said once; what is left makes room.
func TestMoreInstancesThanTheLimitAreCounted(t *testing.T) {
	const three = plainRule + "  - {alert: B, expr: 'max_over_time(cpu[10s]) > 90'}\n" + goneRule
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := start(t, strings.Replace(three, "A, expr: 'absent", "C, expr: 'absent", 1), func(c *Config) {
			c.Limits.Instances, c.Log = 8, zerolog.New(&log)
		})
		for range 2 {
			for _, host := range []string{"a", "b", "c", "d"} {
				r.push(host, 85)
			}
		}
		if got, stats := len(r.Alerts()), r.Stats(); got != 2 || stats.Instances != 6 || stats.Series != 2 || stats.SamplesRefused != 4 {
			t.Errorf("%d alerts, %+v", got, stats)
		}
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"flag":"-alert-max-instances","limit":8`) {
			t.Errorf("log %s", got)
		}
		r.until(61 * time.Second) // the windows are empty
		if stats := r.Stats(); stats.Instances != 0 || stats.Series != 0 {
			t.Errorf("left: %+v", stats)
		}
		r.push("c", 85)
		if got, stats := r.Alerts(), r.Stats(); len(got) != 1 || got[0].Labels["host"] != "c" || stats.Instances != 3 {
			t.Errorf("afterwards: %v, %+v", got, stats)
		}
	})
}

// What is there is not absent because its series has no room.
func TestRefusedSeriesAreNotAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const some = "  - {alert: A, expr: 'absent_over_time(cpu{host!=\"x\"}[60s])'}\n"
		r := start(t, some, func(c *Config) { c.Limits.Series = 1 })
		r.until(time.Second)
		r.push("x", 1) // no rule reads it
		r.push("a", 1)
		for at := 10; at <= 110; at += 10 {
			r.until(time.Duration(at) * time.Second)
			r.push("b", 1)
			if at == 30 {
				r.batch(sample.Sample{Name: "cpu", Labels: `{"host":"c"}`, Timestamp: r.now().Add(time.Hour).UnixMilli()})
			}
		}
		r.until(169 * time.Second)
		if got := r.told.String(); got != "0s firing A, 1s resolved A" {
			t.Errorf("told %s", got)
		}
		r.until(171 * time.Second)
		if got := r.told.String(); got != "0s firing A, 1s resolved A, 170s firing A" {
			t.Errorf("at the end: told %s", got)
		}
	})
}

// Alerts above the limit are raised when others are over, at the next evaluation.
func TestMoreAlertsThanTheLimitAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := start(t, plainRule+"  - {alert: B, expr: 'absent_over_time(beat[60s])'}\n", func(c *Config) {
			c.Limits.Active, c.Log = 3, zerolog.New(&log)
		})
		for i := range 5 {
			r.push(fmt.Sprint("h", i), 85)
		}
		if got, stats := len(r.Alerts()), r.Stats(); got != 3 || stats.Active != 3 || stats.AlertsRefused != 3 {
			t.Errorf("%d alerts, %+v", got, stats)
		}
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"flag":"-alert-max-active","limit":3`) {
			t.Errorf("log %s", got)
		}
		r.push("h0", -200)
		r.push("h4", 85)
		hosts := map[string]bool{}
		for _, a := range r.Alerts() {
			hosts[a.Labels["host"]] = true
		}
		if len(hosts) != 3 || !hosts[""] || !hosts["h1"] || !hosts["h4"] {
			t.Errorf("afterwards: %v", hosts)
		}
	})
}

// The first alerts are always the same ones, those of the first rules, and all are counted.
func TestFirstAlerts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The rule hides what tells its alerts apart.
		r := start(t, "  - {alert: A, expr: 'max_over_time(cpu[60s]) > 80', labels: {host: x}}\n  - {alert: B, expr: 'max_over_time(cpu[60s]) > 80', for: 1h}\n", nil)
		for i := range 20 {
			r.push(fmt.Sprint("h", i), 81+float64(i))
		}
		all := r.Alerts()
		for range 10 {
			first, total := r.FirstAlerts(alerting.Bound{Alerts: 7, Bytes: math.MaxInt})
			if total != 40 || len(first) != 7 || !slices.Equal(values(first), values(all[:7])) {
				t.Fatalf("%d of %d: %v", len(first), total, values(first))
			}
			states := r.Rules(alerting.Bound{Alerts: 25, Bytes: math.MaxInt})
			if a, b := states[0], states[1]; a.Firing != 20 || a.Pending != 0 || len(a.Alerts) != 20 || b.Firing != 0 || b.Pending != 20 || len(b.Alerts) != 5 {
				t.Fatalf("rules: %+v", states)
			}
		}
	})
}

func TestRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, plainRule, func(c *Config) { c.Repeat = 25 * time.Second })
		r.push("", 85)
		r.until(30 * time.Second)
		r.restart(0) // what was told counts from when it was
		r.until(100 * time.Second)
		if got := r.told.String(); got != "0s firing A, 25s firing A, 50s firing A, 60s resolved A" {
			t.Errorf("told %s", got)
		}
		// Each has a key of its own, which follows from the first one's, also across a restart.
		for i, n := range r.told.told[1:3] {
			if want := fmt.Sprintf("%s-%d", r.told.told[0].Key, i+1); n.Key != want {
				t.Errorf("repeat %d has key %s, not %s", i+1, n.Key, want)
			}
		}
	})
}

// What was to be repeated while no process was there is, once, when there is one.
func TestRepeatAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, plainRule, func(c *Config) { c.Repeat = 25 * time.Second })
		r.push("", 85)
		r.until(45 * time.Second)
		r.restart(10 * time.Second)
		if got := r.told.String(); got != "0s firing A, 25s firing A, 55s firing A" {
			t.Errorf("told %s", got)
		}
	})
}

func TestGroupWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, plainRule, func(c *Config) { c.GroupWait = 5 * time.Second })
		r.push("a", 85)
		r.until(4 * time.Second)
		r.push("b", 85)
		if r.told.times() != 0 {
			t.Error("told at once")
		}
		r.until(5 * time.Second)
		if got := r.told.String(); r.told.times() != 1 || got != "0s firing A of a, 4s firing A of b" {
			t.Errorf("told %s in %d calls", got, r.told.times())
		}
		r.push("c", 85)
		r.Close() // what waits is told
		if len(r.told.told) != 3 {
			t.Errorf("told %v", r.told)
		}
	})
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const other = "  - {alert: B, expr: 'avg_over_time(cpu[60s]) > 80'}\n"
		r := start(t, forRule+other, nil)
		r.push("", 85)
		r.until(10 * time.Second)
		// A waits on, B is gone, C is true at once.
		rules := parse(t, forRule+"  - {alert: C, expr: 'max_over_time(cpu[5m]) > 80'}\n")
		if err := r.SetRules(t.Context(), rules); err != nil {
			t.Fatal(err)
		}
		r.until(31 * time.Second)
		if got := r.told.String(); got != "0s firing B, 10s resolved B, 10s firing C, 30s firing A" {
			t.Errorf("told %s", got)
		}
		// Another expression of an alert that fires: nothing to tell while it goes on.
		rules[1].Threshold = 70
		if err := r.SetRules(t.Context(), rules); err != nil {
			t.Fatal(err)
		}
		r.store.fail(fmt.Errorf("no disk"))
		if err := r.SetRules(t.Context(), parse(t, other)); err == nil {
			t.Error("rules were taken without windows")
		}
		if got := len(r.told.told); got != 4 || r.states() != "firing firing" {
			t.Errorf("told %v, %s", r.told, r.states())
		}
	})
}

// A sample that is under way while the windows are filled from storage counts once.
func TestReloadCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, "  - {alert: A, expr: 'count_over_time(cpu[1h]) > 0'}\n", nil)
		for i := range 500 {
			one := []sample.Sample{{Name: "cpu", Value: 1, Timestamp: r.now().UnixMilli()}}
			r.Observe(one)
			r.store.append(one...)
			r.Stored()
			if err := r.SetRules(t.Context(), r.cfg.Rules); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if alerts := r.Alerts(); len(alerts) != 1 || alerts[0].Value != float64(i+1) {
				t.Fatalf("%d samples were counted as %v", i+1, alerts)
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// A rule that gives all its series the same labels raises one alert.
func TestSameLabelsAreOneAlert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, "  - {alert: A, expr: 'max_over_time(cpu[60s]) > 80', labels: {host: all}}\n", nil)
		r.push("a", 85)
		r.until(10 * time.Second)
		r.push("b", 85)
		r.until(100 * time.Second)
		if got := r.told.String(); got != "0s firing A of all, 70s resolved A of all" {
			t.Errorf("told %s", got)
		}
	})
}

// stuck is a notifier that holds evaluation up until it is let go.
type stuck struct {
	*recorder
	let chan struct{}
}

func (s stuck) Notify(n []alerting.Notification) {
	<-s.let
	s.recorder.Notify(n)
}

// Samples that found no room are read from storage.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		r := start(t, plainRule, func(c *Config) { c.Notifier = stuck{c.Notifier.(*recorder), let} })
		r.push("a", 85)
		many := make([]sample.Sample, maxPending/2+1)
		for i := range many {
			many[i] = sample.Sample{Name: "cpu", Value: 50, Timestamp: r.now().UnixMilli()}
		}
		for i := range 4 {
			if i == 3 {
				many[len(many)-1].Value = 1e9
			}
			begin := time.Now()
			r.batch(many...)
			if took := time.Since(begin); took > maxWait {
				t.Errorf("a batch waited %v", took)
			}
		}
		if !r.behind.Load() {
			t.Error("there was room for all")
		}
		close(let)
		synctest.Wait()
		if got := len(r.Alerts()); got != 2 || r.behind.Load() {
			t.Errorf("%d alerts, behind: %v", got, r.behind.Load())
		}
	})
}
