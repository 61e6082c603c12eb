package wal

import (
	"fmt"
	"strings"
	"time"
)

// Policy is when a push is on the disk. The zero value is always.
type Policy struct {
	// Interval above 0: at the latest so long after the push was answered.
	Interval time.Duration
	// None: when the operating system sees fit.
	None bool
}

// ParsePolicy reads always, interval=100ms or none.
func ParsePolicy(text string) (Policy, error) {
	interval, ok := strings.CutPrefix(text, "interval=")
	switch {
	case text == "always":
		return Policy{}, nil
	case text == "none":
		return Policy{None: true}, nil
	case !ok:
		return Policy{}, fmt.Errorf("%q is not always, interval=D such as interval=100ms, or none", text)
	}
	d, err := time.ParseDuration(interval)
	if err != nil || d <= 0 {
		return Policy{}, fmt.Errorf("interval %q is not a duration above 0, such as 100ms", interval)
	}
	return Policy{Interval: d}, nil
}

func (p Policy) always() bool { return p.Interval == 0 && !p.None }

// String is what ParsePolicy reads.
func (p Policy) String() string {
	switch {
	case p.None:
		return "none"
	case p.Interval > 0:
		return "interval=" + p.Interval.String()
	default:
		return "always"
	}
}
