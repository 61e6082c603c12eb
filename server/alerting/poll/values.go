package poll

import (
	"fmt"
	"math"
	"slices"
	"time"

	"phase0/server/alerting/rule"
	"phase0/server/alerting/window"
	"phase0/server/query"
	"phase0/server/sample"
)

// maxSeries bounds the series of one rule.
const maxSeries = 100_000

// nothing is the value of no samples, of which nothing is true, and absent what a rule about
// absence finds then.
var (
	nothing = math.NaN()
	absent  = 1.0
)

// values returns what the samples in (now − window, now] amount to, by series.
func (e *Engine) values(r *rule.Rule, now time.Time) (map[sample.Labels]float64, error) {
	end := now.UnixMilli()
	found := map[sample.Labels]*figures{}
	full := false
	_, err := e.cfg.Query.Select(e.ctx, query.Selector{
		Name:   r.Metric,
		Start:  end - r.Window.Milliseconds() + 1, // both ends are inclusive
		End:    end,
		Labels: r.Matchers,
	}, func(s sample.Sample) bool {
		f := found[s.Labels]
		if f == nil {
			if full = len(found) == maxSeries; full {
				return false
			}
			f = &figures{}
			found[s.Labels] = f
		}
		f.add(&s, r.Func)
		return r.Func != rule.Absent // one is enough to know
	})
	if full {
		err = fmt.Errorf("rule %q reads more than %d series", r.Alert, maxSeries)
	}
	values := make(map[sample.Labels]float64, len(found))
	if r.Func == rule.Absent {
		values[""] = nothing
		if len(found) == 0 {
			values[""] = absent
		}
		return values, err
	}
	for labels, f := range found {
		values[labels] = f.value(r)
	}
	return values, err
}

// figures is what the samples of one series amount to. Sums are exact, so that they do not
// depend on the order in which samples came.
type figures struct {
	n        int64
	sum      window.Exact
	min, max float64
	first    sample.Sample
	last     sample.Sample
	values   []float64 // for a quantile or a deviation
}

func (f *figures) add(s *sample.Sample, function rule.Func) {
	if f.n == 0 {
		f.min, f.max, f.first, f.last = s.Value, s.Value, *s, *s
	}
	f.n++
	f.sum.Add(s.Value)
	f.min, f.max = min(f.min, s.Value), max(f.max, s.Value)
	if s.Timestamp < f.first.Timestamp {
		f.first = *s
	}
	if s.Timestamp >= f.last.Timestamp {
		f.last = *s
	}
	if function == rule.Quantile || function == rule.Stddev {
		f.values = append(f.values, s.Value)
	}
}

func (f *figures) value(r *rule.Rule) float64 {
	switch r.Func {
	case rule.Min:
		return f.min
	case rule.Max:
		return f.max
	case rule.Sum:
		return f.sum.Sum()
	case rule.Count:
		return float64(f.n)
	case rule.Rate:
		return window.Rate(f.first.Timestamp, f.first.Value, f.last.Timestamp, f.last.Value)
	case rule.Stddev:
		return window.ExactStddev(func(yield func(float64)) {
			for _, v := range f.values {
				yield(v)
			}
		})
	case rule.Quantile:
		slices.Sort(f.values)
		return f.values[window.Rank(r.Quantile, len(f.values))-1]
	default:
		return f.sum.Avg()
	}
}
