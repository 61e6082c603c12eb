package merge

import (
	"fmt"
	"math"
	"time"

	"phase0/loadgen/record"
)

// part is one run's share of a stream.
type part struct {
	id    string    // of the run
	start time.Time // of the run
	record.Stream
}

// sent is when the part's requests were sent.
func (p part) sent() span { return p.span(p.WindowSeconds) }

// answered is the time over which the part's goodput was computed, which may go
// on after the last request was sent.
func (p part) answered() span {
	if p.AcceptedRPS == 0 {
		return p.sent()
	}
	return p.span(max(p.WindowSeconds, float64(p.Accounting.Accepted)/p.AcceptedRPS))
}

func (p part) span(seconds float64) span {
	return span{p.start, p.start.Add(time.Duration(math.Round(seconds * float64(time.Second))))}
}

// stream adds up the parts of one stream, earliest first, and says what casts
// doubt on the sum. The window of the sum reaches from the earliest start to the
// latest end of a window. Rates are added up if the time that all windows share
// is at least record.OverlapNeeded of it; otherwise the sum would be a rate that
// never existed, and they are counts ÷ window.
func stream(parts []part) (record.Stream, []string, error) {
	first := parts[0].start
	addends := make([]record.Part, len(parts))
	for i, p := range parts {
		addends[i] = record.Part{RunID: p.id, Offset: p.start.Sub(first), Stream: p.Stream}
	}
	sum, err := record.Sum(addends)
	if err != nil {
		return record.Stream{}, nil, err
	}
	url := func(p part) string { return p.URL }
	method := func(p part) string { return p.Method }
	sum.URL, sum.Method = joined(parts, url), joined(parts, method)
	sum.Arrivals = joined(parts, func(p part) string { return p.Arrivals })
	sum.Batch = parts[0].Batch
	for _, p := range parts {
		sum.SendBoundNS = max(sum.SendBoundNS, p.SendBoundNS)
		if p.Batch != sum.Batch {
			sum.Batch = 0
		}
	}
	doubts := differing(parts, "URL", url)
	doubts = append(doubts, differing(parts, "method", method)...)
	if doubt := rates(&sum, parts); doubt != "" {
		doubts = append(doubts, doubt)
	}
	return sum, doubts, nil
}

// rates fills the window and the rates of sum, and says if they are no sums.
func rates(sum *record.Stream, parts []part) (doubt string) {
	whole, shared := extent(parts, part.sent)
	sum.WindowSeconds = whole.seconds()
	if shared.seconds() < record.OverlapNeeded*sum.WindowSeconds {
		perWindow(sum, parts)
		if shared.seconds() == 0 {
			return fmt.Sprintf("the runs were never all sending at the same time, so this is not one load: they followed each other, or their clocks disagree; rates are counts ÷ %.4g s, from the first start to the last end", sum.WindowSeconds)
		}
		return fmt.Sprintf("the runs were all sending for %.0f %% of the time, %.0f %% is needed to add up their rates: rates are counts ÷ %.4g s, from the first start to the last end",
			100*shared.seconds()/sum.WindowSeconds, 100*record.OverlapNeeded, sum.WindowSeconds)
	}
	for _, p := range parts {
		sum.OfferedRPS += p.OfferedRPS
		sum.AchievedRPS += p.AchievedRPS
		sum.AcceptedRPS += p.AcceptedRPS
	}
	return ""
}

// perWindow fills the rates with counts ÷ window.
func perWindow(sum *record.Stream, parts []part) {
	a := sum.Accounting
	for _, p := range parts {
		if p.OfferedRPS > 0 { // the open model
			sum.OfferedRPS = float64(a.Scheduled) / sum.WindowSeconds
		}
	}
	answered, _ := extent(parts, part.answered)
	sum.AchievedRPS = float64(a.Sent) / sum.WindowSeconds
	sum.AcceptedRPS = float64(a.Accepted) / answered.seconds()
}

// span is a stretch of time.
type span struct{ from, to time.Time }

// seconds is 0 when it ends before it begins.
func (s span) seconds() float64 { return max(s.to.Sub(s.from), 0).Seconds() }

// extent returns what the parts' spans cover together, and what they share.
func extent(parts []part, of func(part) span) (whole, shared span) {
	whole = of(parts[0])
	shared = whole
	for _, p := range parts[1:] {
		s := of(p)
		if s.from.Before(whole.from) {
			whole.from = s.from
		}
		if s.to.After(whole.to) {
			whole.to = s.to
		}
		if s.from.After(shared.from) {
			shared.from = s.from
		}
		if s.to.Before(shared.to) {
			shared.to = s.to
		}
	}
	return whole, shared
}
