package stream

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
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
	"phase0/server/alerting/rule"
	"phase0/server/query"
	"phase0/server/sample"
	"phase0/server/storage"
)

var _ alerting.Engine = (*Engine)(nil)

// store is storage and a query engine over a slice.
type store struct {
	mu      sync.Mutex
	samples []sample.Sample
	ends    []int64 // of their lines
	lines   []byte
	file    int // another one after each replace
	err     error

	// before is called before windows are filled with a metric; its error is Select's.
	before func(metric string) error
}

func (s *store) append(samples ...sample.Sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range samples {
		s.samples = append(s.samples, one)
		s.lines = sample.AppendLine(s.lines, one)
		s.ends = append(s.ends, int64(len(s.lines)))
	}
}

// replace puts another file in the place of the present one.
func (s *store) replace() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.samples, s.lines, s.ends = nil, nil, nil
	s.file++
}

func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *store) Open() (storage.View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return view{bytes.NewReader(s.lines), info{of: s, file: s.file}}, nil
}

type view struct {
	*bytes.Reader
	info info
}

func (v view) Stat() (fs.FileInfo, error) { return v.info, nil }
func (v view) Close() error               { return nil }

type info struct {
	fs.FileInfo
	of   *store
	file int
}

// SameFile is asked by disk.SameFile.
func (i info) SameFile(other fs.FileInfo) bool { return i == other }

func (s *store) Select(_ context.Context, sel query.Selector, yield func(sample.Sample) bool) (query.Stats, error) {
	if s.before != nil && sel.Bytes > 0 {
		if err := s.before(sel.Name); err != nil {
			return query.Stats{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, one := range s.samples {
		if s.ends[i] <= sel.Within(s.ends[i]) && sel.Matches(one) && !yield(one) {
			break
		}
	}
	return query.Stats{}, s.err
}

func (s *store) Fold(ctx context.Context, sel query.Selector, f *query.Fold) (query.Stats, error) {
	return s.Select(ctx, sel, f.Add)
}

// recorder notes what is told and when, and remembers it as an outbox does.
type recorder struct {
	start time.Time
	mu    sync.Mutex
	told  []alerting.Notification
	calls int
}

func (r *recorder) Notify(notifications []alerting.Notification) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, notifications...)
	r.calls++
}

func (r *recorder) Stats() alerting.Deliveries { return alerting.Deliveries{} }
func (r *recorder) Close()                     {}

func (r *recorder) times() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// Told implements alerting.Memory.
func (r *recorder) Told() map[string]alerting.Notification {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := map[string]alerting.Notification{}
	for _, n := range r.told {
		identity := alerting.Identity(n.Alert.Labels)
		if last[identity] = n; n.Status == alerting.StatusResolved {
			delete(last, identity)
		}
	}
	return last
}

// String lists what was told: 10s firing A, 70s resolved A.
func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for _, n := range r.told {
		name := n.Alert.Labels["alertname"]
		if host := n.Alert.Labels["host"]; host != "" {
			name += " of " + host
		}
		lines = append(lines, fmt.Sprintf("%vs %s %s", n.At.Sub(r.start).Seconds(), n.Status, name))
	}
	return strings.Join(lines, ", ")
}

func parse(t testing.TB, rules string) []rule.Rule {
	t.Helper()
	parsed, err := rule.Parse("rules.yml", []byte("groups:\n- name: g\n  rules:\n"+rules))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

var limits = Limits{Series: 1000, Samples: 1 << 20, Instances: 1 << 20, Active: 1 << 20}

func randomRules(t *testing.T, random *rand.Rand, n int) []rule.Rule {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	var text strings.Builder
	for i := range n {
		selector := pick("m0", "m1", "m2") + pick("", "", `{host="a"}`, `{host!="a"}`, `{host=~"a|b"}`, `{host=""}`)
		window := fmt.Sprintf("[%dms]", 1+random.IntN([]int{50, 5000, 40_000}[random.IntN(3)]))
		expr := ""
		switch function := pick("avg", "min", "max", "sum", "count", "stddev", "rate", "quantile", "absent"); function {
		case "rate":
			expr = "rate(" + selector + window + ")"
		case "quantile":
			expr = fmt.Sprintf("quantile_over_time(%.2f, %s%s)", random.Float64(), selector, window)
		default:
			expr = function + "_over_time(" + selector + window + ")"
		}
		if !strings.HasPrefix(expr, "absent") {
			expr += pick(" > ", " >= ", " < ", " <= ", " == ", " != ") + pick("0", "1", "2", "0.1", "-1", "1.5", "20", "1e299")
		}
		fmt.Fprintf(&text, "  - {alert: A%d, expr: '%s'}\n", i, expr)
	}
	return parse(t, text.String())
}

func randomValue(random *rand.Rand) float64 {
	switch random.IntN(12) {
	case 0:
		return []float64{1e300, -1e300, 1e-300, 3e16}[random.IntN(4)]
	case 1, 2:
		return 0.1
	default:
		return float64(random.IntN(4))
	}
}

// randomBatch holds late samples, samples of the future, and equal ones.
func randomBatch(random *rand.Rand) (batch []sample.Sample) {
	for range random.IntN(6) {
		late := []int64{0, 0, random.Int64N(200), random.Int64N(30_000), -random.Int64N(5000)}[random.IntN(5)]
		labels := []sample.Labels{"", `{"host":"a"}`, `{"host":"b"}`, `{"host":"c","zone":"eu"}`}[random.IntN(4)]
		batch = append(batch, sample.Sample{
			Name: fmt.Sprint("m", random.IntN(4)), Labels: labels, Value: randomValue(random), Timestamp: time.Now().UnixMilli() - late,
		})
		if random.IntN(10) == 0 {
			batch = append(batch, batch[len(batch)-1])
		}
	}
	return batch
}

// values lists alerts with what they compared, but for the last digits: stream computes them
// only where they decide.
func values(alerts []alerting.Alert) []string {
	var list []string
	for _, a := range alerts {
		list = append(list, fmt.Sprintf("%v %.9g", a.Labels, a.Value))
	}
	slices.Sort(list)
	return list
}

// At every instant at which poll evaluates, stream finds the same rules true of the same
// series: late samples, samples of the future, equal ones, gaps, huge values.
func TestSamePredicateAsPoll(t *testing.T) {
	seed := rand.Uint64()
	for run := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, run))
		synctest.Test(t, func(t *testing.T) {
			rules := randomRules(t, random, 60)
			s := &store{}
			pollTold, streamTold := &recorder{}, &recorder{}
			interval := time.Duration(1+random.IntN(3000)) * time.Millisecond
			p := poll.New(poll.Config{Rules: slices.Clone(rules), Query: s, Notifier: pollTold, Interval: interval, Log: zerolog.Nop()})
			e := New(Config{Rules: slices.Clone(rules), Query: s, Store: s, Notifier: streamTold, Limits: limits, Log: zerolog.Nop()})
			p.Start()
			e.Start()
			defer p.Close()
			defer e.Close()
			for tick := range 120 {
				if random.IntN(20) == 0 {
					time.Sleep(time.Duration(random.IntN(30)) * interval) // a gap
				} else {
					time.Sleep(time.Duration(random.Int64N(int64(interval))))
				}
				batch := randomBatch(random)
				e.Observe(batch)
				s.append(batch...)
				e.Stored()
				// To the next instant at which poll looks.
				elapsed := time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) % interval
				time.Sleep(interval - elapsed)
				synctest.Wait()
				got, want := values(e.Alerts()), values(p.Alerts())
				if !slices.Equal(got, want) {
					t.Fatalf("seed %d run %d tick %d:\nstream %q\npoll   %q", seed, run, tick, got, want)
				}
			}
		})
	}
}
