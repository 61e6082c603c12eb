package record

import (
	"fmt"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// Distribution condenses one kind of duration. A censored observation is one
// of which only a lower bound is known: the time after which it was given up.
type Distribution struct {
	Count    int64 `json:"count"`    // observed completely
	Censored int64 `json:"censored"` // only bounded from below
	Overflow int64 `json:"overflow"` // beyond the histogram's range, counted at its end

	MinNS  int64   `json:"min_ns"`  // 0 when Count is
	MeanNS float64 `json:"mean_ns"` // of the completely observed; 0 when Count is
	// Max is like a percentile: a lower bound when something longer may be censored.
	Max Percentile `json:"max"`

	Percentiles []Percentile `json:"percentiles"`

	// HDR is the histogram of the completely observed, in nanoseconds: base64 of
	// HdrHistogram's V2 compressed encoding. CensoredHDR holds the lower bounds of
	// the censored, empty when there are none.
	HDR         string `json:"hdr"`
	CensoredHDR string `json:"censored_hdr,omitempty"`
}

// Percentile is one row of a Distribution.
type Percentile struct {
	Name     string  `json:"name"`     // "p99"
	Quantile float64 `json:"quantile"` // 0.99
	NS       int64   `json:"ns"`       // 0 when Unavailable is set
	// AtLeast: NS is a lower bound, because the true value depends on how long
	// censored requests would have taken.
	AtLeast bool `json:"at_least,omitempty"`
	// Unavailable says why there is no value.
	Unavailable string `json:"unavailable,omitempty"`
	Needs       int64  `json:"needs"` // observations needed for a value
}

// level is a percentile that every Distribution has. needs is the smallest n
// with a two-sided 95 % interval inside the observations: 1 − qⁿ ≥ 0.975.
type level struct {
	name   string
	per10k int64 // the quantile in parts of 10,000, so that ranks are exact
	needs  int64
}

func levels() [6]level {
	return [...]level{
		{"p50", 5000, 6},
		{"p90", 9000, 36},
		{"p95", 9500, 72},
		{"p99", 9900, 368},
		{"p99.9", 9990, 3_688},
		{"p99.99", 9999, 36_887},
	}
}

// rank is the nearest rank of the level among n observations, from 1.
func (l level) rank(n int64) int64 { return (n*l.per10k + 9999) / 10_000 }

// At returns the row for a quantile, or false when the distribution has none.
func (d Distribution) At(quantile float64) (Percentile, bool) {
	for _, p := range d.Percentiles {
		if p.Quantile == quantile {
			return p, true
		}
	}
	return Percentile{}, false
}

// Histogram decodes HDR.
func (d Distribution) Histogram() (*hdr.Histogram, error) {
	h, err := hdr.Decode([]byte(d.HDR))
	if err != nil {
		return nil, fmt.Errorf("decode histogram: %w", err)
	}
	return h, nil
}

// distribution condenses what was observed and the lower bounds of what was
// censored.
func distribution(observed, censored *hdr.Histogram, overflow int64) (Distribution, error) {
	d := condense(observed, censored, overflow)
	return d, d.encode(observed, censored)
}

// condense returns a distribution without its histograms.
func condense(observed, censored *hdr.Histogram, overflow int64) Distribution {
	d := Distribution{
		Count:    observed.TotalCount(),
		Censored: censored.TotalCount(),
		Overflow: overflow,
	}
	if d.Count > 0 {
		d.MinNS, d.MeanNS = observed.Min(), observed.Mean()
	}
	b := newBounds(observed, censored)
	for _, l := range levels() {
		d.Percentiles = append(d.Percentiles, b.percentile(l))
	}
	d.Max = b.percentile(level{name: "max", per10k: 10_000, needs: 1})
	return d
}

func (d *Distribution) encode(observed, censored *hdr.Histogram) error {
	text, err := observed.Encode(hdr.V2CompressedEncodingCookieBase)
	if err != nil {
		return fmt.Errorf("encode histogram: %w", err)
	}
	d.HDR = string(text)
	if d.Censored == 0 {
		return nil
	}
	if text, err = censored.Encode(hdr.V2CompressedEncodingCookieBase); err != nil {
		return fmt.Errorf("encode histogram: %w", err)
	}
	d.CensoredHDR = string(text)
	return nil
}

// bounds holds the two extremes between which the true distribution lies:
// every censored observation ended the moment it was given up, or never.
type bounds struct {
	count  int64          // observed and censored
	lowest *hdr.Histogram // censored at their lower bounds
	known  int64          // observed completely
	exact  *hdr.Histogram // these alone
}

func newBounds(observed, censored *hdr.Histogram) bounds {
	b := bounds{known: observed.TotalCount(), exact: observed, lowest: observed}
	b.count = b.known + censored.TotalCount()
	if b.count > b.known {
		b.lowest = observed.Clone()
		b.lowest.Merge(censored)
	}
	return b
}

func (b bounds) percentile(l level) Percentile {
	p := Percentile{Name: l.name, Quantile: float64(l.per10k) / 10_000, Needs: l.needs}
	if b.count < l.needs || b.known == 0 {
		p.Unavailable = fmt.Sprintf("needs %d observations, has %d", l.needs, b.known)
		return p
	}
	rank := l.rank(b.count)
	p.NS = valueAtRank(b.lowest, rank)
	p.AtLeast = rank > b.known || valueAtRank(b.exact, rank) != p.NS
	return p
}

// valueAtRank returns the rank-th smallest value of a histogram that is not
// empty, rank from 1. The library rounds a percentile to the nearest rank, which
// this inverts.
func valueAtRank(h *hdr.Histogram, rank int64) int64 {
	return h.ValueAtPercentile(float64(rank) / float64(h.TotalCount()) * 100)
}
