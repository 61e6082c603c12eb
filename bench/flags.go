package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"phase0/bench/experiment"
	"phase0/bench/trial"
)

// options are the parsed flags of run.
type options struct {
	profile  experiment.Profile
	arms     []trial.Arm
	seed     uint64
	out      string
	name     string
	bin      string
	progress progressKind
	limits   trial.Limits
	command  []string
}

const runUsage = `bench measures servers against each other and writes a report.

usage: bench [run] [flags]            measure
       bench verify DIR               compute every number of a report again
       bench compare DIR DIR          two reports side by side
       bench report [-o DIR] FILE...  a page from results of loadgen -o

  bench                                          quick: both modes, under four minutes
  bench -profile full                            everything, 14 pairs, under an hour: for citing
  bench -only query,alert -pairs 12              some of the experiments, more pairs
  bench -arm single -arm single,query=parallel   one component replaced
  bench -arm concurrent -arm-cmd 'nginx=scripts/nginx.sh {port} {dir}' -only ingest
  bench -arm single -arm-url mine=http://127.0.0.1:9000/write -only response

It starts bin/server and bin/loadgen (build them with 'make build'), on loopback only, and writes
results/<time>-<commit>/ with report.html, report.md, run.json, bench.txt and plots.

experiments (-only takes a list of them):
%s
exit codes: 0 done · 1 could not run · 2 usage · 3 noisy or a claim withheld · 4 a server lost
            accepted samples · 130 interrupted (with a report of what there is)

flags:
`

// runFlags are flags of run that change a profile.
type runFlags struct {
	set            *flag.FlagSet
	profile, only  string
	connections    string
	pairs          int
	window, warmup time.Duration
}

// parseRun reads the command line of run. It returns errHelp after printing the help
// to stdout; other errors wrap errUsage.
func parseRun(args []string, stdout io.Writer) (options, error) {
	o := options{limits: trial.DefaultLimits(), command: append([]string{"bench", "run"}, args...)}
	f := newRunFlags(&o)
	err := f.set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		printRunHelp(stdout, f.set)
		return o, errHelp
	case err != nil:
		return o, usageError{err}
	case f.set.NArg() > 0:
		return o, usagef("unexpected argument %q; jobs are run, verify, compare and report", f.set.Arg(0))
	}
	if err := f.apply(&o); err != nil {
		return o, usageError{err}
	}
	if len(o.arms) == 0 {
		o.arms = experiment.DefaultArms()
	}
	return o, o.validate()
}

func newRunFlags(o *options) *runFlags {
	f := &runFlags{set: flag.NewFlagSet("bench", flag.ContinueOnError)}
	f.set.SetOutput(io.Discard)
	f.set.StringVar(&f.profile, "profile", "quick", "how much is measured: `quick`, standard or full")
	f.set.StringVar(&f.only, "only", "", "measure only these experiments: `list` separated by commas")
	f.set.IntVar(&f.pairs, "pairs", 0, "number of `blocks`, each a pair of trials per measurement; 6 is the least for 95 % (default: the profile's, fewer for what takes long)")
	f.set.DurationVar(&f.window, "window", 0, "measured `time` of one trial of load (default: the profile's, 2s)")
	f.set.DurationVar(&f.warmup, "warmup", 0, "`time` before it (default: the profile's, 400ms)")
	f.set.StringVar(&f.connections, "connections", "", "of maximum RPS: `list` of numbers (default: the profile's)")
	f.set.Func("arm", "a `configuration` of our server: a mode, then flags that differ: concurrent,queue=memory.\nRepeatable; the first of all arms is the baseline (default: single and concurrent)", o.addArm)
	f.set.Func("arm-cmd", "a server of others: `name=command`, words with {port} and {dir} in them, split as a shell would.\nRepeatable", o.addCommand)
	f.set.Func("arm-url", "a server that runs already: `name=url`. Repeatable", o.addURL)
	f.set.Uint64Var(&o.seed, "seed", 0, "`seed` of order, load and data (default: a random one, stored with the result)")
	f.set.StringVar(&o.out, "o", "results", "`directory` to write results under")
	f.set.StringVar(&o.name, "name", "", "`name` of the result's directory (default: UTC time and commit)")
	f.set.StringVar(&o.bin, "bin", "bin", "`directory` with the programs server and loadgen")
	f.set.TextVar(&o.progress, "progress", progressText, "what to tell on stderr: `text`, json (a line per step) or none")
	f.set.Float64Var(&o.limits.Foreign, "max-foreign", o.limits.Foreign, "void a trial when other programs used more than this `share` of the CPU time")
	f.set.Float64Var(&o.limits.Steal, "max-steal", o.limits.Steal, "void a trial when the hypervisor took more than this `share` of the CPU time")
	return f
}

// apply fills in the profile and what was not given.
func (f *runFlags) apply(o *options) (err error) {
	given := map[string]bool{}
	f.set.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["seed"] {
		o.seed = rand.Uint64() >> 1
	}
	if o.profile, err = experiment.ProfileByName(f.profile); err != nil {
		return err
	}
	if given["pairs"] {
		o.profile.Pairs, o.profile.Blocks = f.pairs, nil // as many of everything
	}
	if given["window"] {
		o.profile.Window = f.window
	}
	if given["warmup"] {
		o.profile.Warmup = f.warmup
	}
	if given["only"] {
		o.profile.Experiments = strings.Split(f.only, ",")
	}
	if given["connections"] {
		if o.profile.Connections, err = numbers(f.connections); err != nil {
			return fmt.Errorf("-connections %q: %w", f.connections, err)
		}
	}
	return nil
}

func printRunHelp(stdout io.Writer, flags *flag.FlagSet) {
	var list strings.Builder
	for _, name := range experiment.Names() {
		fmt.Fprintf(&list, "  %-12s %s\n", name, experiment.About(name))
	}
	fmt.Fprintf(stdout, runUsage, list.String())
	flags.SetOutput(stdout)
	flags.PrintDefaults()
	fmt.Fprint(stdout, "  -h\tprint this\n  -version\n\tprint version and commit\n")
}

func (o *options) addArm(text string) error {
	arm, err := experiment.ParseArm(text)
	if err == nil {
		o.arms = append(o.arms, arm)
	}
	return err
}

func (o *options) addCommand(text string) error {
	name, command, err := experiment.ParseForeign(text)
	if err != nil {
		return err
	}
	return o.addForeign(trial.Arm{Name: name, Command: command})
}

func (o *options) addForeign(arm trial.Arm) error {
	if err := arm.Validate(); err != nil {
		return fmt.Errorf("%w: %w", experiment.ErrArm, err)
	}
	o.arms = append(o.arms, arm)
	return nil
}

func (o *options) addURL(text string) error {
	name, url, err := experiment.ParseForeign(text)
	if err != nil {
		return err
	}
	return o.addForeign(trial.Arm{Name: name, URL: url})
}

// numbers reads "1,16,64".
func numbers(list string) ([]int, error) {
	var all []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", text)
		}
		all = append(all, n)
	}
	return all, nil
}

func (o options) validate() error {
	err := errors.Join(o.profile.Validate(), experiment.ValidateArms(o.arms), validShare("-max-foreign", o.limits.Foreign), validShare("-max-steal", o.limits.Steal))
	if err != nil {
		return usageError{err}
	}
	return nil
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
