package record

import "fmt"

// Accounting says what became of every request. Nothing disappears:
//
//	scheduled = sent + never sent
//	sent      = answered + timed out + failed + open
//
// A request is sent when its first byte was written. Maps hold only what
// happened; their values add up to the total beside them.
type Accounting struct {
	Scheduled int64 `json:"scheduled"` // became due
	Sent      int64 `json:"sent"`
	NeverSent int64 `json:"never_sent"`

	Answered int64 `json:"answered"`
	TimedOut int64 `json:"timed_out"`
	Failed   int64 `json:"failed"`
	Open     int64 `json:"open"` // sent, still without an answer when the run ended

	Accepted int64 `json:"accepted"` // the 2xx among the answered

	NeverSentKinds map[string]int64 `json:"never_sent_kinds"` // by Kind
	FailedKinds    map[string]int64 `json:"failed_kinds"`     // by Kind
	StatusClasses  map[string]int64 `json:"status_classes"`   // "1xx" … "5xx"
	StatusCodes    map[string]int64 `json:"status_codes"`     // "202"
}

// Check returns an error that names the first sum that does not hold.
func (a Accounting) Check() error {
	sums := []struct {
		name        string
		whole, part int64
	}{
		{"scheduled = sent + never sent", a.Scheduled, a.Sent + a.NeverSent},
		{"sent = answered + timed out + failed + open", a.Sent, a.Answered + a.TimedOut + a.Failed + a.Open},
		{"answered = status classes", a.Answered, total(a.StatusClasses)},
		{"answered = status codes", a.Answered, total(a.StatusCodes)},
		{"accepted = class 2xx", a.Accepted, a.StatusClasses["2xx"]},
		{"failed = failed kinds", a.Failed, total(a.FailedKinds)},
		{"never sent = never sent kinds", a.NeverSent, total(a.NeverSentKinds)},
	}
	for _, s := range sums {
		if s.whole != s.part {
			return fmt.Errorf("check accounting: %s: %d ≠ %d", s.name, s.whole, s.part)
		}
	}
	return nil
}

// Errors counts the requests that ended without an answer for another reason
// than the end of the run.
func (a Accounting) Errors() int64 { return a.NeverSent + a.TimedOut + a.Failed }

func total(counts map[string]int64) int64 {
	var sum int64
	for _, n := range counts {
		sum += n
	}
	return sum
}
