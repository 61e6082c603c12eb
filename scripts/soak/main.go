package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"phase0/loadgen/record"
	"phase0/scripts/lab"
)

const help = `Soak keeps a durable server under load, kills it once a minute, and says whether memory,
descriptors and goroutines stay flat and the books balance; scripts/soak.sh starts it.

usage: soak [flags]

  -minutes N   how long, 1 to 10000 (30)
  -life D      time from one kill to the next, at least 10s (1m)
  -bin DIR     holds server and loadgen (bin)
  -dir DIR     where the data goes meanwhile (a temporary directory)

exit codes: 0 flat, and nothing lost · 1 could not run · 2 usage · 3 no verdict · 4 something grows,
            or the books do not balance · 130 interrupted
`

var (
	errGrows    = errors.New("something grows, or the books do not balance")
	errNoResult = errors.New("no verdict")
)

type options struct {
	minutes  int
	life     time.Duration
	bin, dir string
}

func main() {
	lab.Main(lab.Program{
		Name: "soak", Help: help, Codes: lab.Codes{{Err: errNoResult, Code: 3}, {Err: errGrows, Code: 4}},
		Start: func(ctx context.Context, args []string, stdout, _ io.Writer) error { return start(ctx, args, stdout) },
	})
}

func parse(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("soak", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.minutes, "minutes", 30, "")
	fs.DurationVar(&o.life, "life", time.Minute, "")
	fs.StringVar(&o.bin, "bin", "bin", "")
	fs.StringVar(&o.dir, "dir", "", "")
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w: %w", lab.ErrUsage, err)
	case fs.NArg() > 0:
		return o, fmt.Errorf("%w: unexpected argument %q", lab.ErrUsage, fs.Arg(0))
	case o.minutes < 1 || o.minutes > 10000:
		return o, fmt.Errorf("%w: -minutes %d is outside 1 to 10000", lab.ErrUsage, o.minutes)
	case o.life < 10*time.Second || o.life > time.Duration(o.minutes)*time.Minute:
		return o, fmt.Errorf("%w: -life %v is outside 10s to the whole", lab.ErrUsage, o.life)
	}
	return o, nil
}

func start(ctx context.Context, args []string, stdout io.Writer) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "soak-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &rig{bin: o.bin, dir: dir}
	defer r.close()
	if err := r.listen(); err != nil {
		return err
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	first, err := r.load(ctx, "-model", "closed", "-d", capacityTime.String())
	if err != nil {
		return err
	}
	rate := first.AcceptedRPS * share
	if rate < 1 {
		return fmt.Errorf("the server accepted %.1f requests/s", first.AcceptedRPS)
	}
	fmt.Fprintf(stdout, "capacity %.0f requests/s; %d minutes at %.0f, a kill every %v\n", first.AcceptedRPS, o.minutes, rate, o.life)
	lives, load, kills, err := r.soak(ctx, o, rate, stdout)
	if ctx.Err() != nil {
		return lab.ErrInterrupted
	}
	if err != nil {
		return err
	}
	return r.conclude(lives, load, kills, stdout)
}

// soak offers the load and kills the server until it is over.
func (r *rig) soak(ctx context.Context, o options, rate float64, stdout io.Writer) (lives [][]reading, load record.Result, kills int, err error) {
	total := time.Duration(o.minutes) * time.Minute
	var all sync.WaitGroup
	var loadErr error
	loading, cancel := context.WithCancel(ctx)
	defer func() { cancel(); all.Wait() }()
	over := make(chan struct{})
	all.Go(func() {
		defer close(over)
		load, loadErr = r.load(loading, "-rps", fmt.Sprintf("%.0f", rate), "-d", total.String(), "-verify", "-reconnect")
	})
	end := time.Now().Add(total)
	for {
		life := r.live(ctx, min(o.life, time.Until(end)), over)
		lives = append(lives, life)
		fmt.Fprintf(stdout, "%v left, %d kills, %d readings\n", max(0, time.Until(end)).Round(time.Second), kills, len(life))
		if ctx.Err() != nil || time.Until(end) < o.life/2 {
			break
		}
		select {
		case <-over:
			return lives, load, kills, errors.Join(errors.New("the load ended too soon"), loadErr)
		default:
		}
		if err := r.kill(ctx); err != nil {
			return lives, load, kills, err
		}
		kills++
	}
	select { // it verifies now
	case <-over:
	case <-ctx.Done():
	}
	cancel()
	all.Wait()
	return lives, load, kills, loadErr
}

// live reads the resources for a while.
func (r *rig) live(ctx context.Context, d time.Duration, over <-chan struct{}) (all []reading) {
	tick := time.NewTicker(samplePause)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return all
		case <-over:
			return all
		}
		if now, ok := r.look(ctx); ok {
			all = append(all, now)
		}
	}
	return all
}

// leastReadings is how many of a life's second half a slope needs.
const leastReadings = 5

// conclude judges and prints.
func (r *rig) conclude(lives [][]reading, load record.Result, kills int, stdout io.Writer) error {
	v := load.Verification
	if v == nil {
		return fmt.Errorf("%w: loadgen verified nothing", errNoResult)
	}
	result := error(nil)
	for _, name := range []string{"memory", "descriptors", "goroutines"} {
		slopes, levels := measure(lives, name)
		t := judge(name, slopes, levels)
		fmt.Fprintln(stdout, t)
		switch {
		case t.Verdict == growing:
			result = errGrows
		case t.Verdict == noVerdict && result == nil:
			result = errNoResult
		}
	}
	fmt.Fprintf(stdout, "accepted %d, lost %d, duplicated %d, phantom %d, refused and stored %d, ambiguous %d (%d stored), over %d kills\n",
		v.Accepted, v.Lost, v.Duplicated, v.Phantom, v.Zombie, v.Ambiguous, v.Recovered, kills)
	fmt.Fprintf(stdout, "%d rounds of queries, %d failed away from a kill; %d calls of the webhook\n", r.asked.Load(), r.unanswered.Load(), r.calls.Load())
	if v.Lost+v.Duplicated+v.Phantom+v.Zombie > 0 || r.unanswered.Load() > 0 || r.calls.Load() == 0 || v.Accepted == 0 {
		return errGrows
	}
	return result
}

// measure returns slopes, in a minute, and levels of the second half of each life: the
// first is a warm-up.
func measure(lives [][]reading, name string) (slopes, levels []float64) {
	for _, life := range lives {
		half := life[len(life)/2:]
		if len(half) < leastReadings {
			continue
		}
		var x, y []float64
		for _, at := range half {
			x, y = append(x, at.at.Sub(half[0].at).Minutes()), append(y, at.values[name])
		}
		slopes, levels = append(slopes, slopeOf(x, y).Value), append(levels, median(y))
	}
	return slopes, levels
}
