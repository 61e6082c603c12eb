package trial

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"phase0/loadgen/knee"
)

// Knee describes a trial that searches for the highest rate at which the server keeps
// objectives. One server takes all the runs of the search.
type Knee struct {
	// SLO is the objectives in the load generator's form; empty means DefaultSLO.
	SLO string
	// From is the first rate and Max the highest, requests per second. Every search
	// begins at a rate of its own between From and twice that: all rates follow from the
	// first, so that arms that began at the same one could only be told apart by whole
	// steps of one grid, and would tie where they differ by less.
	From, Max int
	// Precision is the relative width of the bracket at which the search ends; 0 means
	// 10 %.
	Precision float64
	// Step is the length of a run.
	Step time.Duration
	// Confirm is how many runs vote on each end beside the one that found it, odd; 0
	// means 1.
	Confirm     int
	Connections int
	// Limit ends the search. What it found until then is the result, marked as cut.
	Limit time.Duration
}

// DefaultSLO are the objectives of a search for the knee.
const DefaultSLO = "p99<20ms,err<0.1%"

// kneeSettle is the pause of the load generator before each run.
const kneeSettle = 500 * time.Millisecond

func (k Knee) withDefaults() Knee {
	if k.SLO == "" {
		k.SLO = DefaultSLO
	}
	if k.Precision == 0 {
		k.Precision = 0.1
	}
	if k.Confirm == 0 {
		k.Confirm = 1
	}
	return k
}

// Estimate implements Spec: the doublings of the whole range and the bisection, or
// the limit.
func (k Knee) Estimate() time.Duration {
	k = k.withDefaults()
	runs := 1 + 2*k.Confirm
	for rate := k.From; rate > 0 && rate < k.Max/2; rate *= 2 {
		runs++
	}
	for width := 1.0; width > k.Precision; width /= 2 {
		runs++
	}
	return min(k.Limit, time.Duration(runs)*(k.Step+kneeSettle)) + processOverhead
}

// Run implements Spec.
func (k Knee) Run(ctx context.Context, h *Harness, arm Arm, seed uint64) (Result, error) {
	k = k.withDefaults()
	return h.runIn(arm, seed, func(r *Result, dir string) error { return h.knee(ctx, r, dir, arm, k) })
}

// first is the first rate of a search by this arm in this block.
func (k Knee) first(arm Arm, seed uint64) int {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", seed, arm.Name)
	share := rand.New(rand.NewPCG(seed, h.Sum64())).Float64()
	return min(k.Max, int(math.Round(float64(k.From)*math.Exp2(share))))
}

func (k Knee) args(arm Arm, seed uint64) []string {
	args := []string{
		"find", "-quiet", "-slo", k.SLO, "-from", strconv.Itoa(k.first(arm, seed)), "-max", strconv.Itoa(k.Max),
		"-precision", strconv.FormatFloat(k.Precision*100, 'f', -1, 64) + "%", "-confirm", strconv.Itoa(k.Confirm),
		"-d", k.Step.String(), "-c", strconv.Itoa(k.Connections), "-seed", strconv.FormatUint(seed, 10),
	}
	return append(args, arm.LoadArgs...)
}

func (h *Harness) knee(ctx context.Context, r *Result, dir string, arm Arm, k Knee) error {
	s, err := h.startServer(ctx, h.Placement.Server, dataFile(dir), arm.ServerArgs...)
	if err != nil {
		return err
	}
	r.ServerArgs, r.LoadArgs = s.args, k.args(arm, r.Seed)
	var found knee.Knee
	limited, cancel := context.WithTimeout(ctx, k.Limit)
	defer cancel()
	before := h.sampleMachine()
	cpuBefore, _ := s.cpu() // 0, like the machine's load, where unknown
	used, err := h.loadgen(limited, dir, &found, []int{exitNotValid, exitMissed, exitInterrupted}, append(r.LoadArgs, s.endpoint().String())...)
	cpuAfter, _ := s.cpu()
	r.Machine = h.sampleMachine().loadSince(before, cpuAfter-cpuBefore+used)
	if ctx.Err() != nil {
		s.kill()
		return ctx.Err()
	}
	ended, stopErr := s.stop()
	if err := errors.Join(err, stopErr); err != nil {
		r.voidf("%v", err)
		return nil
	}
	r.judgeMachine(h.Limits)
	r.judgeFile(ended, s.data)
	// The load generator knows of no limit: it was told to end.
	r.Cut = limited.Err() != nil && found.LimitedBy == "interrupted"
	r.fillKnee(found, k, ended)
	return nil
}

// judgeFile compares the file with what the server says, where the clients' counts
// are not known.
func (r *Result) judgeFile(ended exit, data string) {
	lines, err := countLines(data)
	if err != nil {
		r.voidf("%v", err)
		return
	}
	r.Accepted, r.Stored = ended.accepted, lines
	if lines < ended.accepted {
		r.Lost = ended.accepted - lines
		r.voidf("LOST: the server says it accepted %d samples, %d are stored", ended.accepted, lines)
	}
	if lines > ended.accepted || ended.stored != lines {
		r.voidf("closing line says %d accepted and %d stored, the file has %d lines", ended.accepted, ended.stored, lines)
	}
}

func (r *Result) fillKnee(found knee.Knee, k Knee, ended exit) {
	for _, p := range found.Points {
		r.Curve = append(r.Curve, CurvePoint{
			OfferedRPS: p.Rate, AchievedRPS: p.Achieved, P50NS: p.P50.NS, P99NS: p.P99.NS, AtLeast: p.P99.AtLeast,
			ErrShare: p.ErrShare, Ruling: string(p.Ruling), Reason: p.Reason,
		})
	}
	if ended.peak > 0 {
		r.Values[UnitPeakMemory] = float64(ended.peak)
	}
	limited := ""
	switch {
	case r.Cut:
		limited = fmt.Sprintf(": the search was cut by its limit of %v", k.Limit)
	case found.LimitedBy != "":
		limited = ": the search was limited by " + found.LimitedBy
	}
	if found.LastPass > 0 {
		r.Values[UnitKnee] = found.LastPass
		if found.FirstFail == 0 || r.Cut && found.FirstFail > found.LastPass*(1+found.Precision) {
			r.AtLeast = append(r.AtLeast, UnitKnee)
		}
	} else {
		r.unavailable(UnitKnee, "no rate kept the objectives"+limited)
	}
	if found.FirstFail > 0 {
		r.Values[UnitKneeFail] = found.FirstFail
	} else {
		r.unavailable(UnitKneeFail, "no rate missed the objectives"+limited)
	}
	switch {
	case len(found.Points) == 0:
		r.voidf("the search for the knee made no run")
	case limited != "":
		r.warnf("knee not confirmed after %d runs%s", found.Runs, limited)
	case !found.Confirmed:
		r.warnf("the knee is not confirmed")
	}
}
