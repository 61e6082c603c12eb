package record

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxExamples bounds each list of Examples.
const MaxExamples = 8

// Verification is what reading all samples of a run back from the server found.
// Its counts are of samples, not of requests.
//
// Series and value are all that identifies a sample. One whose value was altered
// on its way therefore counts twice: as one lost and, unless the altered value
// happens to be another attempted sample, as one phantom.
type Verification struct {
	Accepted int64 `json:"accepted"` // in requests answered with 2xx
	Read     int64 `json:"read"`     // all that the server returned

	// Lost were accepted and not returned. They are the sum of three, by their
	// place in their series: LostPrefix before the first returned sample, LostTail
	// after the last, LostMiddle between the two. A series of which nothing was
	// returned is all tail: from some point on, here the start, all is gone.
	Lost       int64 `json:"lost"`
	LostPrefix int64 `json:"lost_prefix"`
	LostMiddle int64 `json:"lost_middle"`
	LostTail   int64 `json:"lost_tail"`

	// Duplicated were returned more than once. SurplusCopies is how often beyond
	// the first time, so a sample returned three times adds 1 and 2.
	Duplicated    int64 `json:"duplicated"`
	SurplusCopies int64 `json:"surplus_copies"`
	// Phantom are returned values that no request carried: not a whole number from
	// 0, above the highest that was sent, or of a request that was not sent.
	Phantom int64 `json:"phantom"`
	Zombie  int64 `json:"zombie"` // refused with 4xx and returned all the same

	Ambiguous int64 `json:"ambiguous"` // sent, without an answer that says whether they are stored
	Recovered int64 `json:"recovered"` // the ambiguous that were returned

	// Unchecked is how many samples were in requests beyond what the ledger can
	// hold. Nothing is known about them; they are in no other count but Read.
	Unchecked int64 `json:"unchecked"`

	// LossRateBound is the upper end of the one-sided 95 % interval of
	// lost ÷ accepted, 0–1: 3 ÷ accepted if none is lost (the rule of three), else
	// that of Clopper and Pearson. It takes losses as independent of each other; 1
	// when nothing was accepted.
	LossRateBound float64 `json:"loss_rate_bound"`

	// Drained: the server was seen to have stored all that it had taken before the
	// reading began. If not, some of the lost may have been on their way.
	Drained bool    `json:"drained"`
	Seconds float64 `json:"seconds"` // that draining and reading took
	// ServerErrors counts the tries that failed and were repeated: a query answered
	// with 429 or 5xx, no connection, no answer or only a part of one.
	ServerErrors int64 `json:"server_errors"`

	Examples Examples `json:"examples"`
}

// Examples names the first MaxExamples samples of each kind, such as
// "loadgen_ab12cd34_3 value 17".
type Examples struct {
	Lost       []string `json:"lost,omitempty"`
	Duplicated []string `json:"duplicated,omitempty"`
	Phantom    []string `json:"phantom,omitempty"`
	Zombie     []string `json:"zombie,omitempty"`
}

// OK reports whether the server kept its word: each accepted sample is stored
// once, and nothing else is. What is ambiguous or unchecked does not count.
func (v Verification) OK() bool {
	return v.Lost == 0 && v.Duplicated == 0 && v.Phantom == 0 && v.Zombie == 0
}

// Summary says it in one line:
//
//	accepted 184,203  lost 0  duplicated 0  phantom 0  zombie 0  ambiguous 7 (4 stored)   loss rate ≤ 1.6e-5 (95 %)
//
// followed by the doubts, if there are any.
func (v Verification) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "accepted %s  lost %s", grouped(v.Accepted), grouped(v.Lost))
	if v.Lost > 0 {
		fmt.Fprintf(&b, " (prefix %s, middle %s, tail %s)", grouped(v.LostPrefix), grouped(v.LostMiddle), grouped(v.LostTail))
	}
	fmt.Fprintf(&b, "  duplicated %s  phantom %s  zombie %s  ambiguous %s",
		grouped(v.Duplicated), grouped(v.Phantom), grouped(v.Zombie), grouped(v.Ambiguous))
	if v.Ambiguous > 0 {
		fmt.Fprintf(&b, " (%s stored)", grouped(v.Recovered))
	}
	if v.Accepted > 0 {
		fmt.Fprintf(&b, "   loss rate ≤ %s (95 %%)", scientific(v.LossRateBound))
	}
	if v.Unchecked > 0 {
		fmt.Fprintf(&b, "   %s unchecked: beyond the ledger", grouped(v.Unchecked))
	}
	if !v.Drained {
		b.WriteString("   read before the server had drained")
	}
	return b.String()
}

// grouped prints thousands separators.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// scientific prints two digits, and the exponent without leading zeros.
func scientific(v float64) string {
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', 1, 64), "e")
	n, err := strconv.Atoi(exponent)
	if err != nil {
		return digits // not a finite number
	}
	return digits + "e" + strconv.Itoa(n)
}
