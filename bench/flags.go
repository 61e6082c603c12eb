package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"phase0/bench/experiment"
	"phase0/bench/trial"
)

// errHelp is returned by parse after it printed the help.
var errHelp = errors.New("help printed")

// options are the parsed flags.
type options struct {
	profile experiment.Profile
	seed    uint64
	out     string
	name    string
	bin     string
	limits  trial.Limits
	command []string
}

const usage = `bench measures the two modes of the server against each other.

usage: bench [run] [flags]

  bench                       quick profile: six pairs of everything, under four minutes
  bench -profile full         more rates, 12 pairs, under 25 minutes: for citing
  bench -only query,alert     some of the experiments
  bench -seed 7 -pairs 10     repeat the order and load of a run, with ten pairs

It starts bin/server and bin/loadgen (build them with 'make build'), on loopback
only, and writes results/<time>-<commit>/ with report.md, run.json, bench.txt and plots.

exit codes: 0 done · 1 could not run · 2 usage · 3 noisy or a claim withheld ·
            4 a server lost accepted samples · 130 interrupted (report of what there is)

flags:
`

// parse reads the command line. It returns errHelp after printing the help to
// stdout.
func parse(args []string, stdout io.Writer) (options, error) {
	o := options{limits: trial.DefaultLimits(), command: append([]string{"bench"}, args...)}
	if len(args) > 0 && args[0] == "run" {
		args = args[1:]
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	profile := flags.String("profile", "quick", "how much is measured: `quick or full`")
	only := flags.String("only", "", "measure only these experiments: `list` of "+strings.Join(experiment.Names(), ","))
	pairs := flags.Int("pairs", 0, "number of `blocks`, each a pair of trials per measurement; 6 is the least for 95 % (default: the profile's)")
	flags.Uint64Var(&o.seed, "seed", 0, "`seed` of order, load and data (default: a random one, stored with the result)")
	flags.StringVar(&o.out, "o", "results", "`directory` to write results under")
	flags.StringVar(&o.name, "name", "", "`name` of the result's directory (default: UTC time and commit)")
	flags.StringVar(&o.bin, "bin", "bin", "`directory` with the programs server and loadgen")
	flags.Float64Var(&o.limits.Foreign, "max-foreign", o.limits.Foreign, "void a trial when other programs used more than this `share` of the CPU time")
	flags.Float64Var(&o.limits.Steal, "max-steal", o.limits.Steal, "void a trial when the hypervisor took more than this `share` of the CPU time")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return o, errHelp
	case err != nil:
		return o, err
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["seed"] {
		o.seed = rand.Uint64() >> 1
	}
	if o.profile, err = experiment.ProfileByName(*profile); err != nil {
		return o, err
	}
	if given["pairs"] {
		o.profile.Pairs = *pairs
	}
	if *only != "" {
		o.profile.Only = strings.Split(*only, ",")
	}
	return o, o.validate()
}

func (o options) validate() error {
	return errors.Join(o.profile.Validate(), validShare("-max-foreign", o.limits.Foreign), validShare("-max-steal", o.limits.Steal))
}

func validShare(name string, v float64) error {
	if v >= 0 && v <= 1 {
		return nil
	}
	return fmt.Errorf("%s must be 0 to 1, got %v", name, v)
}

// harness finds the programs. A missing one is an error that says how to build it.
func (o options) harness() (*trial.Harness, error) {
	h := &trial.Harness{Placement: trial.PlanPlacement(), Limits: o.limits}
	for name, path := range map[string]*string{"server": &h.Server, "loadgen": &h.Loadgen} {
		absolute, err := filepath.Abs(filepath.Join(o.bin, name))
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", name, err)
		}
		if _, err := os.Stat(absolute); err != nil {
			return nil, fmt.Errorf("find %s: %w; build it with 'go build -o %s/ ./server ./loadgen'", name, err, o.bin)
		}
		*path = absolute
	}
	return h, nil
}
