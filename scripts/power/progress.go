package main

import (
	"fmt"
	"io"
	"time"
)

// overhead is what starting and stopping takes beside the window of a trial.
const overhead = 200 * time.Millisecond

// progress says how long all repetitions will take. Once some are done it goes by how
// the estimate fared.
type progress struct {
	out     io.Writer
	o       options
	began   time.Time
	planned time.Duration // estimate of the repetitions that are done
	now     func() time.Time
}

func newProgress(out io.Writer, o options) *progress {
	return &progress{out: out, o: o, now: time.Now}
}

// estimate is about how long repetition i takes.
func (o options) estimate(i int) time.Duration {
	arms := 2
	if o.plants(i) {
		arms = 3
	}
	return time.Duration(o.pairs*arms) * (o.window + o.warmup + overhead)
}

// begin is called before repetition i, from 0.
func (p *progress) begin(i int) {
	if i == 0 {
		p.began = p.now()
	} else {
		p.planned += p.o.estimate(i - 1)
	}
	var left time.Duration
	for k := i; k < p.o.repetitions; k++ {
		left += p.o.estimate(k)
	}
	if p.planned > 0 {
		left = time.Duration(float64(left) * float64(p.now().Sub(p.began)) / float64(p.planned))
	}
	what := "two arms that are the same"
	if p.o.plants(i) {
		what += ", and a slower one"
	}
	left = left.Round(time.Second)
	fmt.Fprintf(p.out, "[%d/%d] about %d:%02d left · %s\n", i+1, p.o.repetitions, int(left.Minutes()), int(left.Seconds())%60, what)
}
