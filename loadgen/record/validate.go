package record

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// Bounds of what a result may say, so that sums of results cannot overflow.
const (
	maxCount    = 1 << 50 // requests; 35 years at a million per second
	maxRunID    = 128     // bytes
	maxWindow   = 1e9     // seconds
	maxPerRun   = 1 << 20 // connections, cores
	maxSliceLog = 30      // a slice is at most 2³⁰ seconds
)

// OverlapNeeded is the share of a merged result's window that every run's window
// must cover so that the sum of their rates is a rate that existed.
const OverlapNeeded = 0.9

// closeEnough is the relative difference that arithmetic may make on another
// machine.
const closeEnough = 1e-9

// rule is a statement about one field.
type rule struct {
	field string
	got   any
	holds bool
	want  string
}

// check returns an error for the first rule that does not hold.
func check(rules []rule) error {
	for _, r := range rules {
		if !r.holds {
			return fmt.Errorf("%s is %v, want %s", r.field, r.got, r.want)
		}
	}
	return nil
}

// Validate returns an error that names the first field which contradicts another
// or is beyond its range. Percentiles must be those of the histograms, so that
// numbers edited by hand are found.
func (r Result) Validate() error {
	if err := check([]rule{
		{"schema", r.Schema, r.Schema == SchemaVersion, strconv.Itoa(SchemaVersion)},
		{"run_id", strconv.Quote(r.RunID), r.RunID != "" && len(r.RunID) <= maxRunID, "1 to 128 bytes"},
		{"model", strconv.Quote(r.Model), r.Model == "open" || r.Model == "closed", `"open" or "closed"`},
		{"start", r.Start, !r.Start.IsZero(), "a time"},
		{"end", r.End, !r.End.Before(r.Start), "start or later"},
		{"elapsed_seconds", r.ElapsedSeconds, within(r.ElapsedSeconds, maxWindow), "0 to 1e9"},
		{"generator.cpu_seconds", r.Generator.CPUSeconds, r.Generator.CPUSeconds >= 0, "0 or more"},
		{"generator.cpus", r.Generator.CPUs, within(r.Generator.CPUs, maxPerRun), "0 to 2²⁰"},
		{"verdict.level", strconv.Quote(string(r.Verdict.Level)),
			slices.Contains([]Level{Valid, Degraded, Invalid}, r.Verdict.Level), "VALID, DEGRADED or INVALID"},
		{"merged_from", r.MergedFrom, distinct(r.MergedFrom) && len(r.MergedFrom) != 1, "none, or two or more that differ"},
	}); err != nil {
		return err
	}
	if err := r.Stream.validate(); err != nil {
		return err
	}
	if r.Queries != nil {
		if err := r.Queries.validate(); err != nil {
			return fmt.Errorf("queries: %w", err)
		}
	}
	return r.validateRates()
}

// validateRates checks the rates against the counts. Those of a merged result are
// sums whose windows are a little shorter than the whole.
func (r Result) validateRates() error {
	if r.WindowSeconds == 0 {
		return check([]rule{{"achieved_rps", r.AchievedRPS, r.AchievedRPS == 0, "0 for a window of 0 s"}})
	}
	most := 1.0
	if len(r.MergedFrom) > 0 {
		most = OverlapNeeded
	}
	sent, accepted := float64(r.Accounting.Sent)/r.WindowSeconds, float64(r.Accounting.Accepted)/r.WindowSeconds
	return check([]rule{
		{"achieved_rps", r.AchievedRPS, between(r.AchievedRPS, sent, sent/most), fmt.Sprintf("%v, sent ÷ window", sent)},
		{"accepted_rps", r.AcceptedRPS, between(r.AcceptedRPS, 0, accepted/most), fmt.Sprintf("at most %v, accepted ÷ window", accepted)},
	})
}

// validate checks all that a Stream says but its rates.
func (s Stream) validate() error {
	if err := check([]rule{
		{"window_seconds", s.WindowSeconds, within(s.WindowSeconds, maxWindow), "0 to 1e9"},
		{"offered_rps", s.OfferedRPS, s.OfferedRPS >= 0, "0 or more"},
		{"connections.allowed", s.Connections.Allowed, within(s.Connections.Allowed, maxPerRun), "0 to 2²⁰"},
		{"connections.peak", s.Connections.Peak, within(s.Connections.Peak, maxPerRun), "0 to 2²⁰"},
		{"connections.dials", s.Connections.Dials, within(s.Connections.Dials, maxCount), "0 to 2⁵⁰"},
	}); err != nil {
		return err
	}
	if err := s.Accounting.validate(); err != nil {
		return fmt.Errorf("accounting.%w", err)
	}
	if err := s.Timeline.validate(s.Accounting); err != nil {
		return fmt.Errorf("timeline.%w", err)
	}
	if err := s.validateCounts(); err != nil {
		return err
	}
	for _, f := range s.fields() {
		if err := f.d.validate(); err != nil {
			return fmt.Errorf("%s.%w", f.name, err)
		}
	}
	return nil
}

// validateCounts checks that every request is in the distributions it belongs to.
func (s Stream) validateCounts() error {
	a := s.Accounting
	late := a.TimedOut + a.Open
	unsent := a.NeverSentKinds[NoConnection.String()] + a.NeverSentKinds[DialTimeout.String()] + a.NeverSentKinds[Interrupted.String()]
	return check([]rule{
		equal("response_time.count", s.ResponseTime.Count, a.Accepted, "accounting.accepted"),
		equal("service_time.count", s.ServiceTime.Count, a.Accepted, "accounting.accepted"),
		equal("other_response_time.count", s.OtherResponseTime.Count, a.Answered-a.Accepted, "answered − accepted"),
		equal("other_service_time.count", s.OtherServiceTime.Count, a.Answered-a.Accepted, "answered − accepted"),
		equal("response_time.censored", s.ResponseTime.Censored, late+unsent, "timed out + open + unsent for lack of time"),
		equal("service_time.censored", s.ServiceTime.Censored, late, "timed out + open"),
		equal("own_lateness.count", s.OwnLateness.Count, s.SendLag.Count, "send_lag.count"),
		equal("connection_wait.count", s.ConnectionWait.Count, s.SendLag.Count, "send_lag.count"),
	})
}

func (a Accounting) validate() error {
	counts := map[string]int64{
		"scheduled": a.Scheduled, "sent": a.Sent, "never_sent": a.NeverSent, "answered": a.Answered,
		"timed_out": a.TimedOut, "failed": a.Failed, "open": a.Open, "accepted": a.Accepted,
	}
	for name, of := range map[string]map[string]int64{
		"never_sent_kinds": a.NeverSentKinds, "failed_kinds": a.FailedKinds,
		"status_classes": a.StatusClasses, "status_codes": a.StatusCodes,
	} {
		for k, n := range of {
			counts[name+"."+k] = n
		}
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[name]; !within(n, maxCount) {
			return fmt.Errorf("%s is %d, want 0 to 2⁵⁰", name, n)
		}
	}
	if err := validateCodes(a); err != nil {
		return err
	}
	if err := a.Check(); err != nil {
		return fmt.Errorf("scheduled: %w", err)
	}
	return nil
}

func validateCodes(a Accounting) error {
	classes := map[string]int64{}
	for _, code := range slices.Sorted(maps.Keys(a.StatusCodes)) {
		n, err := strconv.Atoi(code)
		if err != nil || len(code) != 3 || n < 100 || n >= statusLimit {
			return fmt.Errorf("status_codes: %q, want 100 to 599", code)
		}
		classes[code[:1]+"xx"] += a.StatusCodes[code]
	}
	if !maps.Equal(classes, a.StatusClasses) {
		return fmt.Errorf("status_classes is %v, want %v as status_codes", a.StatusClasses, classes)
	}
	return nil
}

func (t Timeline) validate(a Accounting) error {
	log := math.Log2(t.SliceSeconds)
	if err := check([]rule{
		{"slice_seconds", t.SliceSeconds, log == math.Trunc(log) && log >= 0 && log <= maxSliceLog, "a power of two from 1 to 2³⁰"},
		{"slices", len(t.Slices), len(t.Slices) <= maxSlices, "at most 64"},
	}); err != nil {
		return err
	}
	var sum Slice
	for i, s := range t.Slices {
		for _, n := range []int64{s.Sent, s.Accepted, s.Rejected, s.Errors, s.P50NS, s.P99NS} {
			if !within(n, maxCount) {
				return fmt.Errorf("slices[%d] has %d, want 0 to 2⁵⁰", i, n)
			}
		}
		if err := s.validate(); err != nil {
			return fmt.Errorf("slices[%d].%w", i, err)
		}
		sum.addCounts(s)
	}
	return check([]rule{
		equal("slices.sent", sum.Sent, a.Sent, "accounting.sent"),
		equal("slices.accepted", sum.Accepted, a.Accepted, "accounting.accepted"),
		equal("slices.rejected", sum.Rejected, a.Answered-a.Accepted, "answered − accepted"),
		equal("slices.errors", sum.Errors, a.Errors(), "never sent + timed out + failed"),
	})
}

// validate holds a slice to its histogram, where it has one.
func (s Slice) validate() error {
	h, err := s.Histogram()
	if h == nil {
		return err
	}
	want := Slice{}
	want.condense(h)
	return check([]rule{
		equal("accepted", s.Accepted, h.TotalCount(), "hdr"),
		equal("p50_ns", s.P50NS, want.P50NS, "hdr"),
		equal("p99_ns", s.P99NS, want.P99NS, "hdr"),
	})
}

func (d Distribution) validate() error {
	observed, censored, err := d.histograms()
	if err != nil {
		return err
	}
	want := condense(observed, censored, d.Overflow)
	if err := check([]rule{
		equal("count", d.Count, want.Count, "hdr"),
		equal("censored", d.Censored, want.Censored, "censored_hdr"),
		{"overflow", d.Overflow, within(d.Overflow, d.Count), "0 to count"},
		equal("min_ns", d.MinNS, want.MinNS, "hdr"),
		{"mean_ns", d.MeanNS, between(d.MeanNS, want.MeanNS, want.MeanNS), fmt.Sprintf("%v as hdr", want.MeanNS)},
		{"percentiles", len(d.Percentiles), len(d.Percentiles) == len(want.Percentiles), strconv.Itoa(len(want.Percentiles)) + " rows"},
		{"max", d.Max, same(d.Max, want.Max), fmt.Sprintf("%v as hdr", want.Max)},
	}); err != nil {
		return err
	}
	for i, p := range d.Percentiles {
		if !same(p, want.Percentiles[i]) {
			return fmt.Errorf("percentiles[%d] is %v, want %v as hdr", i, p, want.Percentiles[i])
		}
	}
	return nil
}

// same compares all but the wording of why there is no value.
func same(a, b Percentile) bool {
	missing := (a.Unavailable == "") == (b.Unavailable == "")
	a.Unavailable, b.Unavailable = "", ""
	return missing && a == b
}

func equal(field string, got, want int64, as string) rule {
	return rule{field, got, got == want, fmt.Sprintf("%d as %s", want, as)}
}

func within[N int | int64 | float64](n, most N) bool { return n >= 0 && n <= most }

// between reports whether low ≤ v ≤ high, but for what arithmetic may lose.
func between(v, low, high float64) bool {
	return v >= low*(1-closeEnough) && v <= high*(1+closeEnough)
}

func distinct(names []string) bool {
	sorted := slices.Sorted(slices.Values(names))
	return len(slices.Compact(sorted)) == len(names)
}
