package trial

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"phase0/bench/pulse"
	"phase0/bench/stat"
	"phase0/loadgen/record"
)

// maxHeard bounds how many different series a console remembers.
const maxHeard = 2 * maxAlertProbes

// console reads what a server says and remembers when it first named each series that
// breached. It is safe for concurrent use.
type console struct {
	mu    sync.Mutex
	first map[string]time.Time // by the key of a probe
	heard chan struct{}        // holds a token after news
}

func newConsole() *console {
	return &console{first: map[string]time.Time{}, heard: make(chan struct{}, 1)}
}

var (
	alertLine = regexp.MustCompile(`\[ALERT\] (\S+)`)
	probeText = regexp.MustCompile(`\{probe="(\d+)"\}$`)
)

// hear takes one line and stamps it. The stamp is when bench read it: later than it was
// written by what it takes to wake a reader.
func (c *console) hear(line []byte) {
	at := time.Now()
	m := alertLine.FindSubmatch(line)
	if m == nil {
		return
	}
	key := string(m[1])
	if probe := probeText.FindStringSubmatch(key); probe != nil {
		key = probe[1]
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.first[key]; !known && len(c.first) < maxHeard {
		c.first[key] = at
	}
	select {
	case c.heard <- struct{}{}:
	default:
	}
}

// await returns when n series were named or ctx ends.
func (c *console) await(ctx context.Context, n int) {
	await(ctx, c.heard, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.first) >= n
	})
}

// await returns when done says so, asked again after each piece of news, or ctx ends.
func await(ctx context.Context, news <-chan struct{}, done func() bool) {
	for !done() {
		select {
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}

// told is what became of a breach; zero times are never.
type told struct {
	breach   time.Time
	since    time.Time // what the server calls the alert's start
	detected time.Time // when the console named it
	arrived  time.Time // when a webhook call told of it
}

// fill turns arrivals into delays, once the server has ended.
func (t *alertTrial) fill(r *Result) {
	calls, bad := t.receiver.firsts()
	if bad > 0 {
		r.voidf("%d webhook calls could not be understood", bad)
	}
	breaches := make([]told, 0, len(t.due))
	for i, due := range t.due {
		samples := []sentSample{{t.quiet, quietValue}}
		if t.accepted[i] {
			samples = append(samples, sentSample{due, breachValue})
		}
		at := breachOf(samples, t.end)
		if at.IsZero() {
			continue
		}
		key := probeLabel(i)
		call := calls[key]
		breaches = append(breaches, told{breach: at, since: call.startsAt, detected: t.console.first[key], arrived: call.at})
		delete(calls, key)
		delete(t.console.first, key)
	}
	if len(breaches) < t.Probes {
		r.voidf("%d of %d breaches were not accepted", t.Probes-len(breaches), t.Probes)
	}
	for key := range t.console.first {
		calls[key] = arrival{} // whoever tells of what did not happen, once counts
	}
	r.fillAlert(breaches, t.slow, len(calls), t.end.Sub(t.due[0]))
	r.judgeLateness(t.breaches)
}

// fillAlert enters the delays of the breaches that were told. One that was told before it
// happened is false, and missed.
func (r *Result) fillAlert(breaches []told, slow pulse.Slowness, others int, watched time.Duration) {
	missed := 0
	var detect, arrive, notify float64
	for _, b := range breaches {
		detected, arrived := b.detected.Sub(b.breach), b.arrived.Sub(b.breach)
		if b.detected.IsZero() || b.arrived.IsZero() || detected <= 0 || arrived <= 0 {
			missed++
			if !b.detected.IsZero() && detected <= 0 || !b.arrived.IsZero() && arrived <= 0 {
				others++
			}
			continue
		}
		since := b.since.Sub(b.breach)
		if slow.Met(b.breach) {
			r.Slowed = append(r.Slowed, len(r.DelaysNS))
		}
		r.DelaysNS = append(r.DelaysNS, detected.Nanoseconds())
		r.ArrivalsNS = append(r.ArrivalsNS, arrived.Nanoseconds())
		r.SincesNS = append(r.SincesNS, since.Nanoseconds())
		detect, arrive, notify = detect+float64(detected), arrive+float64(arrived), notify+float64(max(0, arrived-since))
	}
	r.Values[UnitMissed], r.Values[UnitFalse] = float64(missed), float64(others)
	if others > 0 {
		r.voidf("%d alerts told of what had not happened", others)
	}
	if n := float64(len(r.DelaysNS)); missed == 0 && n > 0 {
		r.Values[UnitDetect], r.Values[UnitArrive], r.Values[UnitNotify] = detect/n, arrive/n, notify/n
		return
	}
	// A mean over those that did arrive would flatter an engine that misses the hard ones, so
	// there is none. It is no disturbance either, and measuring again would change nothing.
	why := fmt.Sprintf("%d of %d breaches were not told within %v", missed, len(breaches), watched.Round(100*time.Millisecond))
	for _, unit := range []string{UnitDetect, UnitArrive, UnitNotify} {
		r.unavailable(unit, why)
	}
}

// The gate on how late breaches are sent, as the load generator has it for its own.
const (
	breachLateness      = 200 * time.Microsecond
	breachLatenessShare = 0.1
	breachVoid          = 5
)

// judgeLateness voids a trial whose breaches bench itself sent late: delays count from when
// they were due.
func (r *Result) judgeLateness(sent record.Stream) {
	late := time.Duration(lateOf(sent.OwnLateness))
	sorted := slices.Sorted(slices.Values(r.DelaysNS))
	limit := max(breachLateness, time.Duration(breachLatenessShare*float64(stat.Quantile(sorted, stat.P99))))
	switch {
	case late > breachVoid*limit:
		r.voidf("breaches were sent up to %v late, limit %v", late.Round(time.Microsecond), breachVoid*limit.Round(time.Microsecond))
	case late > limit:
		r.warnf("breaches were sent up to %v late", late.Round(time.Microsecond))
	}
}
