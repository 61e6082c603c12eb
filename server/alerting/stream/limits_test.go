package stream

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"phase0/server/sample"
)

// Rules are not matched again for each sample of a series that does not fit.
func TestWhatDoesNotFitIsNotTriedAgain(t *testing.T) {
	rules := parse(t, plainRule+"  - {alert: B, expr: 'avg_over_time(cpu[60s]) > 1'}\n")
	c := newCore(rules, Limits{Series: 10, Samples: 10, Instances: 3, Active: 10}, 0)
	m := c.metrics["cpu"]
	add := func(labels string) {
		c.add(&sample.Sample{Name: "cpu", Labels: sample.Labels(labels), Timestamp: 1}, 1)
	}
	add(`{"host":"a"}`)
	add(`{"host":"b"}`)
	matched := m.rules
	m.rules = nil // by which b would need no room
	add(`{"host":"b"}`)
	m.rules = matched
	if c.refused != 2 || c.instances != 2 {
		t.Errorf("%d refused, %d instances", c.refused, c.instances)
	}
	c.forget(m.series[`{"host":"a"}`])
	add(`{"host":"b"}`)
	if c.refused != 2 || c.instances != 2 {
		t.Errorf("when there is room: %d refused, %d instances", c.refused, c.instances)
	}
	// What is remembered is bounded.
	most := 0
	for i := range 3 * maxShortBytes / longestVerdict {
		add(fmt.Sprintf(`{"host":"%0*d"}`, longestVerdict-20, i))
		most = max(most, len(m.short))
	}
	if limit := maxShortBytes / (longestVerdict - 20); most < limit/2 || most > limit {
		t.Errorf("%d series were remembered", most)
	}
}

// A series that fits is not refused because others of its metric need more.
func TestSeriesThatFitsIsNotRefusedWithOthers(t *testing.T) {
	const some = "  - {alert: B, expr: 'avg_over_time(cpu{host=\"b\"}[60s]) > 1'}\n  - {alert: C, expr: 'absent_over_time(cpu{host=\"b\"}[60s])'}\n"
	c := newCore(parse(t, plainRule+some), Limits{Series: 10, Samples: 10, Instances: 2, Active: 10}, 0)
	for _, host := range []string{"b", "a", "b", "c", "d"} {
		c.add(&sample.Sample{Name: "cpu", Labels: sample.Labels(`{"host":"` + host + `"}`), Timestamp: 1}, 1)
	}
	series := c.metrics["cpu"].series
	if len(series) != 2 || series[`{"host":"a"}`] == nil || series[`{"host":"c"}`] == nil || c.instances != 2 || c.refused != 3 {
		t.Errorf("series %v, %d instances, %d refused", series, c.instances, c.refused)
	}
}

// What was refused once is not counted again when windows are filled.
func TestRefusedSamplesAreCountedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, plainRule, func(c *Config) { c.Limits.Series = 1 })
		for _, host := range []string{"a", "b", "b"} {
			r.push(host, 85)
		}
		for range 3 {
			if err := r.SetRules(t.Context(), r.cfg.Rules); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.Stats(); got.Refills != 4 || got.SamplesRefused != 2 {
			t.Errorf("%+v", got)
		}
	})
}

// At the limit of alerts, filling the windows ends none that was told and is still true, though
// in the past that is read another one came first, which then had no place.
func TestAlertsKeepTheirPlaces(t *testing.T) {
	for _, tc := range []struct {
		name string
		fill func(*rig) error
	}{
		{"restart", func(r *rig) error { r.restart(0); return nil }},
		{"reload", func(r *rig) error { return r.SetRules(r.t.Context(), r.cfg.Rules) }},
		{"behind", func(r *rig) error { r.behind.Store(true); r.inbox.ring(); return nil }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := start(t, plainRule, func(c *Config) { c.Limits.Active = 2 })
				pushAt(r, 0, "a", 85)
				pushAt(r, 1, "b", 85)
				pushAt(r, 2, "c", 85)
				pushAt(r, 30, "c", 85)
				pushAt(r, 31, "a", 85)
				pushAt(r, 32, "b", 85)
				r.until(65 * time.Second) // the windows begin behind the first three
				if err := tc.fill(r); err != nil {
					t.Fatal(err)
				}
				r.until(70 * time.Second)
				want := "0s firing A of a, 1s firing A of b"
				if got := r.told.String(); got != want || len(r.Alerts()) != 2 {
					t.Errorf("told %s; %v", got, r.Alerts())
				}
				pushAt(r, 71, "a", -200)
				pushAt(r, 72, "c", 85)
				want += ", 71s resolved A of a, 72s firing A of c"
				if got := r.told.String(); got != want {
					t.Errorf("at the end: told %s", got)
				}
			})
		})
	}
}

func pushAt(r *rig, second int, host string, value float64) {
	r.until(time.Duration(second) * time.Second)
	r.push(host, value)
}

// Nor does it end what was told while the past was read.
func TestAlertsToldMeanwhileKeepTheirPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, plainRule, func(c *Config) { c.Limits.Active = 1 })
		pushAt(r, 0, "a", 85)
		pushAt(r, 1, "c", 85)
		pushAt(r, 30, "c", 85)
		pushAt(r, 31, "a", 85)
		r.until(65 * time.Second)
		let := slowly(r.store)
		defer let()
		r.loop.Go(func() {
			if err := r.SetRules(t.Context(), r.cfg.Rules); err != nil {
				t.Error(err)
			}
		})
		pushAt(r, 66, "a", -200)
		pushAt(r, 67, "d", 85)
		let()
		synctest.Wait()
		if got := r.told.String(); got != "0s firing A of a, 66s resolved A of a, 67s firing A of d" || r.Stats().Refills != 2 {
			t.Errorf("told %s, %+v", got, r.Stats())
		}
	})
}
