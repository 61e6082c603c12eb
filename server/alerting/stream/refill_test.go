package stream

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/alerting"
	"phase0/server/alerting/poll"
	"phase0/server/sample"
)

const countRule = "  - {alert: A, expr: 'count_over_time(cpu[1h]) > 0'}\n"

// slowly makes reading storage take as long as until it is let go.
func slowly(s *store) (let func()) {
	gate := make(chan struct{})
	s.before = func(string) error { <-gate; return nil }
	return sync.OnceFunc(func() { close(gate) })
}

// filled is a rig whose store has a sample before it starts.
func filled(t *testing.T, rules string, change func(*Config)) (r *rig, s *store) {
	return start(t, rules, func(c *Config) {
		s = c.Store.(*store)
		s.append(sample.Sample{Name: "cpu", Value: 1, Timestamp: time.Now().UnixMilli()})
		if change != nil {
			change(c)
		}
	}), s
}

func (r *rig) wantCount(n int) {
	r.t.Helper()
	if alerts := r.Alerts(); len(alerts) != 1 || alerts[0].Value != float64(n) {
		r.t.Errorf("%d samples were counted as %+v", n, alerts)
	}
}

// Samples are stored while windows are filled from storage, however long that takes, and are
// counted once: those that came before, meanwhile, and afterwards.
func TestStorageGoesOnWhileWindowsAreFilled(t *testing.T) {
	for _, tc := range []struct {
		name   string
		behind error // what the engine tells meanwhile
		fill   func(*rig)
	}{
		{"at the start", alerting.ErrStarting, func(r *rig) { r.restart(0) }},
		{"to catch up", errBehind, func(r *rig) { r.behind.Store(true); r.inbox.ring() }},
		{"for other rules", nil, func(r *rig) {
			r.loop.Go(func() {
				if err := r.SetRules(r.t.Context(), r.cfg.Rules); err != nil {
					r.t.Error(err)
				}
			})
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, s := filled(t, countRule, func(c *Config) { c.shortTail, c.maxTail = 1000, 7 })
				let := slowly(s)
				defer let()
				tc.fill(r)
				for range 200 { // for longer than a batch waits for anything
					begun := time.Now()
					r.push("", 1)
					if took := time.Since(begun); took > 0 {
						t.Fatalf("a batch waited %v", took)
					}
					time.Sleep(time.Second)
				}
				if err := r.Behind(); !errors.Is(err, tc.behind) {
					t.Errorf("meanwhile it tells %v, want %v", err, tc.behind)
				}
				if tc.behind == nil {
					r.wantCount(201) // the present rules are at work
				}
				let()
				synctest.Wait()
				if err := r.Behind(); err != nil {
					t.Errorf("afterwards it tells %v", err)
				}
				r.wantCount(201)
				r.push("", 1)
				r.wantCount(202)
			})
		})
	}
}

// Whoever waits to catch up goes on with evaluation as soon as other rules have come with full
// windows, although more rules are on their way.
func TestEvaluationGoesOnBetweenReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := filled(t, countRule, nil)
		reads := make(chan struct{})
		s.before = func(string) error { <-reads; return nil }
		reload := func() {
			r.loop.Go(func() {
				if err := r.SetRules(t.Context(), r.cfg.Rules); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		reload()
		reload() // waits for the first
		r.behind.Store(true)
		r.inbox.ring()
		synctest.Wait() // and the catch-up for both
		reads <- struct{}{}
		synctest.Wait()
		r.push("", 1)
		r.wantCount(2)
		close(reads)
		synctest.Wait()
		r.wantCount(2)
	})
}

// A catch-up that fails is counted and told, tried again with pauses that grow, and forgotten
// when it succeeds.
func TestFailedCatchUpIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r, s := filled(t, countRule, func(c *Config) { c.Log = zerolog.New(&log) })
		s.fail(errors.New("no disk"))
		r.offset.Add(-int64(2 * time.Second)) // which is a reason to catch up
		r.push("", 1)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		failed := r.Stats().EvaluationErrors
		if failed < 10 || failed > 30 {
			t.Errorf("%d attempts in ten minutes", failed)
		}
		if n := uint64(strings.Count(log.String(), `"error":"read samples of \"cpu\": no disk"`)); n != failed {
			t.Errorf("%d attempts failed, of which the log tells %d:\n%s", failed, n, log.String())
		}
		if err := r.Behind(); !errors.Is(err, errBehind) || !strings.HasSuffix(err.Error(), "no disk") {
			t.Errorf("it tells %v", err)
		}
		s.fail(nil)
		time.Sleep(longestPause)
		synctest.Wait()
		if err := r.Behind(); err != nil {
			t.Errorf("afterwards it tells %v", err)
		}
		r.wantCount(2)
		if got := r.Stats().EvaluationErrors; got > failed+1 {
			t.Errorf("%d failures, and %d afterwards", failed, got)
		}
	})
}

// What was read of a metric is not read again because another one fails; but for a file that
// was replaced everything is.
func TestAttemptsGoOnWhereTheLastOneFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var names []string
		failing := true
		s := &store{}
		s.before = func(metric string) error {
			mu.Lock()
			defer mu.Unlock()
			names = append(names, metric)
			if failing && metric == "b" {
				return errors.New("no disk")
			}
			return nil
		}
		fail := func(fails bool) {
			mu.Lock()
			defer mu.Unlock()
			failing = fails
		}
		rules := parse(t, "  - {alert: A, expr: 'count_over_time(a[1h]) > 0'}\n  - {alert: B, expr: 'count_over_time(b[1h]) > 0'}\n")
		put := func(name string) {
			s.append(sample.Sample{Name: name, Value: 1, Timestamp: time.Now().UnixMilli()})
		}
		put("a")
		put("b")
		e := New(Config{Rules: rules, Query: s, Store: s, Notifier: &recorder{}, Limits: limits, Log: zerolog.Nop()})
		defer e.Close()
		e.Start()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		put("a")
		fail(false)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if got := fmt.Sprint(values(e.Alerts())); got != "[map[alertname:A] 2 map[alertname:B] 1]" || fmt.Sprint(names) != "[a b b b]" {
			t.Errorf("asked for %v, counted %s", names, got)
		}

		fail(true)
		e.behind.Store(true)
		e.inbox.ring()
		synctest.Wait()
		s.replace()
		put("b")
		fail(false)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := fmt.Sprint(values(e.Alerts())); got != "[map[alertname:B] 1]" || fmt.Sprint(names) != "[a b b b a b b a b]" {
			t.Errorf("asked for %v, counted %s", names, got)
		}
	})
}

// While windows are filled from storage over and over, which takes its time, samples arrive
// that are late, of the future, and equal: at every instant at which poll evaluates, stream
// finds the same rules true of the same series, unless it tells that it is behind.
func TestSamePredicateAsPollWhileWindowsAreFilled(t *testing.T) {
	seed := rand.Uint64()
	for run := range uint64(5) {
		random := rand.New(rand.NewPCG(seed, run))
		synctest.Test(t, func(t *testing.T) {
			rules := randomRules(t, random, 40)
			s := &store{}
			const interval = time.Second
			p := poll.New(poll.Config{Rules: slices.Clone(rules), Query: s, Notifier: &recorder{}, Interval: interval, Log: zerolog.Nop()})
			e := New(Config{
				Rules: slices.Clone(rules), Query: s, Store: s, Notifier: &recorder{}, Limits: limits, Log: zerolog.Nop(),
				shortTail: int64(random.IntN(1000)), maxTail: 1 + random.IntN(20),
			})
			pauses := rand.New(rand.NewPCG(seed, run+100)) // of the one goroutine that fills windows
			s.before = func(string) error { time.Sleep(time.Duration(pauses.Int64N(int64(interval)))); return nil }
			p.Start()
			e.Start()
			defer p.Close()
			defer e.Close()
			var reloads sync.WaitGroup
			defer reloads.Wait()
			compared := 0
			for tick := range 150 {
				switch random.IntN(8) {
				case 0:
					e.behind.Store(true)
					e.inbox.ring()
				case 1:
					reloads.Go(func() { _ = e.SetRules(t.Context(), slices.Clone(rules)) }) // it may be busy
				}
				time.Sleep(time.Duration(random.Int64N(int64(interval))))
				batch := randomBatch(random)
				e.Observe(batch)
				s.append(batch...)
				time.Sleep(time.Duration(random.Int64N(int64(time.Millisecond))))
				e.Stored()
				elapsed := time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) % interval
				time.Sleep(interval - elapsed)
				synctest.Wait()
				if e.Behind() != nil {
					continue
				}
				compared++
				if got, want := values(e.Alerts()), values(p.Alerts()); !slices.Equal(got, want) {
					t.Fatalf("seed %d run %d tick %d:\nstream %q\npoll   %q", seed, run, tick, got, want)
				}
			}
			if refills := e.Stats().Refills; compared < 20 || refills < 5 {
				t.Errorf("compared %d times, %d refills", compared, refills)
			}
		})
	}
}

// soon waits until something is so, which takes a moment, and on a busy machine longer.
func soon(t *testing.T, what string, so func() bool) {
	t.Helper()
	for begun := time.Now(); !so(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("it is not so after 20 s: %s", what)
		}
	}
}

// A notifier that hangs, as one does that waits for a disk, holds up neither rules that come
// meanwhile nor storage. This runs on the real clock: a bubble's stands still while somebody
// waits for a mutex.
func TestRulesAndStorageDoNotWaitForTheNotifier(t *testing.T) {
	s, told, let := &store{}, &recorder{start: time.Now()}, make(chan struct{})
	e := New(Config{Rules: parse(t, countRule), Query: s, Store: s, Notifier: stuck{told, let}, Limits: limits, Log: zerolog.Nop()})
	defer e.Close()
	letGo := sync.OnceFunc(func() { close(let) })
	defer letGo()
	e.Start()
	pushed := 0
	push := func() {
		one := sample.Sample{Name: "cpu", Value: 1, Timestamp: time.Now().UnixMilli()}
		e.Observe([]sample.Sample{one})
		s.append(one)
		e.Stored()
		pushed++
	}
	soon(t, "it has begun", func() bool { return e.Behind() == nil })
	push()
	soon(t, "the alert fires", func() bool { return len(e.Alerts()) == 1 })

	changed := make(chan error, 1)
	rules := parse(t, countRule)
	go func() { changed <- e.SetRules(t.Context(), rules) }()
	stored := make(chan struct{})
	go func() {
		defer close(stored)
		for e.Stats().Refills < 2 {
			push()
			time.Sleep(time.Millisecond)
		}
		push()
	}()
	select {
	case <-stored:
	case <-time.After(20 * time.Second):
		letGo()
		<-changed
		<-stored
		t.Fatal("storage waited for the notifier")
	}
	if told.times() != 0 {
		t.Fatal("the notifier does not hang")
	}
	letGo()
	if err := <-changed; err != nil {
		t.Error(err)
	}
	soon(t, "all samples are counted", func() bool {
		alerts := e.Alerts()
		return len(alerts) == 1 && alerts[0].Value == float64(pushed)
	})
	if told.times() != 1 || len(told.Told()) != 1 {
		t.Errorf("told %v", told)
	}
}
