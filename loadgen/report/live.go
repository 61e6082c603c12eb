package report

import (
	"fmt"
	"io"
	"time"

	"phase0/loadgen/record"
)

// eraseLine returns to the start of a terminal's line and clears it.
const eraseLine = "\r\x1b[K"

// Live rewrites one line of a terminal with how the run goes. It is not safe for
// concurrent use.
type Live struct {
	w    io.Writer
	plan time.Duration // 0 if not known

	sent int64
	at   time.Duration
}

// NewLive returns a line on w. Plan is how long the run should take, 0 if that
// is not known.
func NewLive(w io.Writer, plan time.Duration) *Live { return &Live{w: w, plan: plan} }

// Show rewrites the line. A terminal that does not take it is not worth ending
// the run for.
func (l *Live) Show(elapsed time.Duration, p record.Progress) {
	perSecond := 0.0
	if d := elapsed - l.at; d > 0 {
		perSecond = float64(p.Sent-l.sent) / d.Seconds()
	}
	l.sent, l.at = p.Sent, elapsed
	left := ""
	if l.plan > 0 {
		left = fmt.Sprintf("  %v left", max(l.plan-elapsed, 0).Round(time.Second))
	}
	fmt.Fprintf(l.w, "%s%v  %s rps  p50 %s  p99 %s  rejected %d  errors %d  in flight %d%s",
		eraseLine, elapsed.Round(time.Second), rate(perSecond),
		recent(p.Recent.P50NS), recent(p.Recent.P99NS), p.Rejected, p.Errors, max(p.Open, 0), left)
}

// Verify rewrites the line while samples are read back.
func (l *Live) Verify(read, total int64) {
	fmt.Fprintf(l.w, "%sreading back  %d of %d samples", eraseLine, read, total)
}

// Clear removes the line.
func (l *Live) Clear() { fmt.Fprint(l.w, eraseLine) }

func recent(ns int64) string {
	if ns == 0 {
		return "n/a"
	}
	return duration(ns)
}
