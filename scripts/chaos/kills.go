package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"phase0/bench/trial"
	"phase0/scripts/lab"
)

const killsHelp = `Kills ends a durable server with kill -9 at random moments under load, again and again, starts
it again, and counts; scripts/kills.sh starts it.

usage: chaos kills [flags]

  -kills N       so many with each policy (300)
  -policies a,b  of -sync: always, interval=100ms (both)
  -seed N        of the first kill; the others follow (random). -kills 1 -policies P -seed N repeats one
  -out DIR       where kills.md and kills.json go (results/kills)
  -log MB        the log that a server is started on to measure seconds per GB (960); in a short
                 one what does not grow with it, the comparison with the file, weighs more
  -bin DIR       holds the program server (bin)

exit codes: 0 nothing lost, nothing twice, ready in time · 1 could not run · 2 usage · 3 a kill proves
            nothing · 4 a promise is broken · 130 interrupted
`

const (
	killRate        = 20_000 // about what a core takes with a sync for each group
	killConnections = 64
	// The kill falls between half of some time and all of it, and that time is random in
	// this range: some kills come before the first checkpoint, which is after a second,
	// and some behind it.
	killSoonest, killLatest = 200 * time.Millisecond, 1600 * time.Millisecond
	killStream              = 0x6b696c6c
)

var killPolicies = []string{"always", "interval=100ms"}

type killOptions struct {
	kills    int
	policies []string
	seed     uint64
	log      int64 // bytes
	out, bin string
}

func parseKills(args []string) (killOptions, error) {
	var o killOptions
	var policies string
	fs := flag.NewFlagSet("kills", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.kills, "kills", 300, "")
	fs.StringVar(&policies, "policies", strings.Join(killPolicies, ","), "")
	fs.Uint64Var(&o.seed, "seed", rand.Uint64()>>1, "")
	fs.StringVar(&o.out, "out", filepath.Join("results", "kills"), "")
	fs.StringVar(&o.bin, "bin", "bin", "")
	fs.Int64Var(&o.log, "log", 960, "")
	err := fs.Parse(args)
	o.log *= 1 << 20
	switch {
	case errors.Is(err, flag.ErrHelp):
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w: %w", lab.ErrUsage, err)
	case fs.NArg() > 0:
		return o, fmt.Errorf("%w: unexpected argument %q", lab.ErrUsage, fs.Arg(0))
	case o.log < 64<<20 || o.log > 960<<20: // -wal-bytes is a GiB, and a start needs a segment
		return o, fmt.Errorf("%w: -log is outside 64 to 960", lab.ErrUsage)
	case o.kills < 1 || o.kills > 100_000:
		return o, fmt.Errorf("%w: -kills %d is outside 1 to 100000", lab.ErrUsage, o.kills)
	}
	if o.policies, err = lab.Choose("-policies", policies, killPolicies); err == nil && len(o.policies) == 0 {
		err = fmt.Errorf("%w: -policies chooses nothing", lab.ErrUsage)
	}
	return o, err
}

// killOrdeal is the trial of a seed.
func killOrdeal(seed uint64) trial.Ordeal {
	rng := rand.New(rand.NewPCG(seed, killStream))
	return trial.Ordeal{
		Rate: killRate, Connections: killConnections, Timeout: loadTimeout, Signal: syscall.SIGKILL, Fault: trial.Calm{},
		Warmup: killSoonest + time.Duration(rng.Int64N(int64(killLatest-killSoonest))),
	}
}

// startKills is start of the subcommand.
func startKills(ctx context.Context, args []string, stdout io.Writer) (err error) {
	o, err := parseKills(args)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "kills-")
	if err != nil {
		return fmt.Errorf("create scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	h := harness(o.bin, scratch)
	if _, err := os.Stat(h.Server); err != nil {
		return fmt.Errorf("find server: %w", err)
	}
	r := &killReport{Schema: 1, Conditions: lab.Describe(ctx, o.out, h.Placement, append([]string{"chaos", "kills"}, args...)), Seed: o.seed}
	for _, policy := range o.policies {
		a := arm{Arm: trial.Arm{Name: "-sync " + policy, ServerArgs: []string{"-mode", "concurrent", "-queue", "wal", "-sync", policy}}, durable: true}
		c := &cell{Fault: "kill", Title: "kill -9", Arm: a.Name, Durable: true, Planned: o.kills, fault: fault{signal: syscall.SIGKILL}, arm: a}
		r.Policies = append(r.Policies, &killed{cell: c})
	}
	if err := r.perform(ctx, h, stdout); err != nil {
		return err
	}
	if !r.Interrupted {
		if r.Starts, err = measureStarts(ctx, h.Server, scratch, o.log); err != nil && ctx.Err() == nil {
			return err
		}
		r.Interrupted = ctx.Err() != nil
	}
	return r.conclude(o.out, stdout)
}

// progressEvery is the number of kills between two lines of progress.
const progressEvery = 25

// perform makes all kills. The end of ctx is no error; the report says so.
func (r *killReport) perform(ctx context.Context, h *trial.Harness, stdout io.Writer) error {
	began := time.Now()
	all, done := 0, 0
	for _, k := range r.Policies {
		all += k.Planned
	}
	fmt.Fprintf(stdout, "%d kills, about %v, seed %d\n", all, (time.Duration(all) * killOrdeal(r.Seed).Estimate()).Round(time.Second), r.Seed)
	for at, k := range r.Policies {
		// A disturbed start is repeated, with a kill of its own; a twentieth of them at most.
		undisturbed := 0
		for i := 0; undisturbed < k.Planned && i < k.Planned+1+k.Planned/20; i++ {
			seed := r.Seed + uint64(at)<<32 + uint64(i)
			toll, err := killOrdeal(seed).Run(ctx, h, k.arm.Arm, seed)
			if ctx.Err() != nil {
				r.Interrupted = true
				break
			}
			if err != nil {
				toll.Void = append(toll.Void, err.Error())
			}
			k.Tries = append(k.Tries, toll)
			if disturbed(toll) == "" {
				undisturbed++
			} else {
				all++ // it is repeated
			}
			k.judge()
			if done++; len(k.cell.Why) > k.told || done%progressEvery == 0 || done == all {
				left := time.Since(began) / time.Duration(done) * time.Duration(all-done)
				fmt.Fprintf(stdout, "%*d/%d  %v left  %s: accepted %d, lost %d, twice %d\n", len(fmt.Sprint(all)), done, all, left.Round(time.Second), k.Arm, k.Sum.Accepted, k.Sum.Lost, k.Sum.Duplicated)
			}
			for ; k.told < len(k.cell.Why); k.told++ {
				fmt.Fprintf(stdout, "        %s\n", k.cell.Why[k.told])
			}
		}
		all -= k.Planned - undisturbed // those that were not repeated any more
	}
	r.judge()
	r.Seconds = time.Since(began).Seconds()
	return nil
}
