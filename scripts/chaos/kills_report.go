package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"time"

	bench "phase0/bench/report"
	"phase0/bench/stat"
	"phase0/bench/trial"
	"phase0/scripts/lab"
)

// killReport is what several hundred kills have found out.
type killReport struct {
	Schema      int            `json:"schema"`
	Conditions  lab.Conditions `json:"conditions"`
	Seed        uint64         `json:"seed"`
	Interrupted bool           `json:"interrupted"`
	Seconds     float64        `json:"seconds"`
	Policies    []*killed      `json:"policies"`
	Starts      []*logStarts   `json:"starts"`
}

// killed is the kills of a policy.
type killed struct {
	*cell
	told int // reasons that were printed
}

// judge decides for all policies. A start that the machine disturbed says nothing of how soon
// a server is ready; what its kill lost counts all the same.
func (r *killReport) judge() {
	for _, k := range r.Policies {
		k.judge()
		undisturbed := k.undisturbed()
		for _, t := range undisturbed {
			if allowed := allowedFor(t.Log); t.Ready > allowed {
				k.Verdict = broken
				k.Why = append(k.Why, fmt.Sprintf("seed %d: ready after %v, later than %v", t.Seed, t.Ready, allowed))
			}
		}
		if k.Verdict == kept && len(undisturbed) < k.Planned {
			k.Verdict = noVerdict
			k.Why = append(k.Why, fmt.Sprintf("the machine disturbed all but %d starts of %d", len(undisturbed), len(k.Tries)))
		}
	}
}

// disturbed says what else the machine did while a server started, beyond the limits of
// measurements, or nothing. Only the machine's counters are asked, whatever the start took.
func disturbed(t trial.Toll) string {
	return lab.Load{Known: t.Starting.Known, Steal: t.Starting.Steal, Foreign: t.Starting.Foreign}.Disturbed()
}

func (k *killed) undisturbed() (tries []trial.Toll) {
	for _, t := range k.Tries {
		if disturbed(t) == "" {
			tries = append(tries, t)
		}
	}
	return tries
}

const (
	gigabyte   = 1_000_000_000
	readyPerGB = 2 * time.Second
)

// allowedFor is how long a server may take to be ready: 2 s for each GB of log that was
// begun. A start has a part that does not depend on the log's length, which is much more than
// that of the log that a kill leaves here; what a GB takes beyond it the long logs tell.
func allowedFor(log int64) time.Duration {
	return readyPerGB * time.Duration(max(1, (log+gigabyte-1)/gigabyte))
}

// spread is the distribution of a figure, by nearest rank.
type spread struct{ least, median, p95, most float64 }

func spreadOf(tries []trial.Toll, figure func(trial.Toll) float64) spread {
	var all []float64
	for _, t := range tries {
		all = append(all, figure(t))
	}
	slices.Sort(all)
	at := func(q float64) float64 { return all[max(0, int(math.Ceil(q*float64(len(all))))-1)] }
	return spread{all[0], at(0.5), at(0.95), all[len(all)-1]}
}

func (s spread) String(unit string) string {
	return fmt.Sprintf("%s / %s / %s / %s", bench.Value(unit, s.least), bench.Value(unit, s.median), bench.Value(unit, s.p95), bench.Value(unit, s.most))
}

func readyOf(t trial.Toll) float64  { return float64(t.Ready) }
func freshOf(t trial.Toll) float64  { return float64(t.Fresh) }
func logOf(t trial.Toll) float64    { return float64(t.Log) }
func momentOf(t trial.Toll) float64 { return float64(t.Moment) }

var killHead = []string{
	"policy", "kills", "accepted", "lost", "twice", "from nowhere", "without an answer (stored)", "loss rate <", "a kill loses something <", "verdict",
}

func (k *killed) row() []string {
	s := k.Sum
	return []string{
		k.Arm, fmt.Sprint(len(k.Tries)), fmt.Sprint(s.Accepted), fmt.Sprint(s.Lost), fmt.Sprint(s.Duplicated), fmt.Sprint(s.Phantom),
		fmt.Sprintf("%d (%d)", s.Ambiguous, s.Recovered), fmt.Sprintf("%.1e", s.LossBelow), fmt.Sprintf("%.2g %%", s.TryBelow*100), k.Verdict,
	}
}

var spreadHead = []string{"policy", "moment of the kill", "log at the kill", "ready again", "first start, without a log", "starts, disturbed"}

func (k *killed) spreads() []string {
	tries := k.undisturbed()
	counts := fmt.Sprintf("%d, %d", len(k.Tries), len(k.Tries)-len(tries))
	if len(tries) == 0 {
		return []string{k.Arm, lab.None, lab.None, lab.None, lab.None, counts}
	}
	return []string{
		k.Arm, spreadOf(tries, momentOf).String(trial.UnitReady), spreadOf(tries, logOf).String(trial.UnitPeakMemory),
		spreadOf(tries, readyOf).String(trial.UnitReady), spreadOf(tries, freshOf).String(trial.UnitReady), counts,
	}
}

const killExplanation = `Each kill ends a fresh server under a load of single samples, %d/s offered on %d connections, at a random moment. It is started again on what is left, and what is there is counted
twice: by queries, and from the file by a reader that shares no code with the server. *Accepted* was answered with 202; *lost* of it is not there. *Loss rate <* and *a kill loses something <* are one-sided
95 %% bounds, the second with kills as independent tries. The seed of every kill is in kills.json; ` + "`scripts/kills.sh -kills 1 -policies P -seed N`" + ` repeats its load and its moment.

Every policy promises at kill -9: nothing lost, nothing twice, nothing from nowhere, and ready again within 2 s for each GB of log that was begun. What a GB takes is measured
with long logs below. A start during which the hypervisor took more than %.0f %% of the CPU time, or other programs more than %.0f %%, says nothing of that; it is left out, and made again with another kill,
at most once for 20.`

func (r *killReport) markdown() string {
	var d lab.Document
	d.Line("# kill -9, again and again\n")
	d.Line("%s\n", r.Conditions.String("load"))
	d.Line("%s; %.0f s; seed %d.\n", r.summary(), r.Seconds, r.Seed)
	if r.Interrupted {
		d.Line("**Interrupted**: not all kills were made.\n")
	}
	d.Line(killExplanation, killRate, killConnections, lab.StealLimit*100, lab.ForeignLimit*100)
	var rows, spreads [][]string
	for _, k := range r.Policies {
		rows, spreads = append(rows, k.row()), append(spreads, k.spreads())
	}
	d.Table(killHead, rows)
	d.Line("Minimum / median / 95th percentile / maximum:")
	d.Table(spreadHead, spreads)
	r.writeStarts(&d)
	for _, k := range r.Policies {
		for _, why := range k.Why {
			d.Line("- %s: %s", k.Arm, why)
		}
	}
	return d.String()
}

// summary is the report in a sentence.
func (r *killReport) summary() string {
	kills, accepted, lost, twice, nowhere := 0, int64(0), int64(0), int64(0), int64(0)
	for _, k := range r.Policies {
		kills += len(k.Tries)
		accepted, lost, twice, nowhere = accepted+k.Sum.Accepted, lost+k.Sum.Lost, twice+k.Sum.Duplicated, nowhere+k.Sum.Phantom
	}
	return fmt.Sprintf("%d kills: %d samples accepted, %d lost, %d twice, %d from nowhere; loss rate below %.1e", kills, accepted, lost, twice, nowhere, stat.UpperBound(int(lost), int(accepted)))
}

// conclude writes, prints, and maps the verdicts to an error.
func (r *killReport) conclude(out string, stdout io.Writer) error {
	err := lab.Write(out, map[string]func(io.Writer) error{
		"kills.md":   func(w io.Writer) error { _, err := io.WriteString(w, r.markdown()); return err },
		"kills.json": func(w io.Writer) error { return lab.WriteJSON(w, r) },
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\n%s\n", r.summary())
	verdicts := map[string]bool{}
	for _, k := range r.Policies {
		verdicts[k.Verdict] = true
		fmt.Fprintf(stdout, "%s: %s; ready again %s\n", k.Arm, k.Verdict, k.spreads()[3])
		for _, why := range k.Why {
			fmt.Fprintf(stdout, "  %s\n", why)
		}
	}
	for _, s := range r.Starts {
		s.judge()
		verdicts[s.Verdict] = true
		fmt.Fprintf(stdout, "%s: %s; %s s/GB\n", s.Name, s.Verdict, s.perGB())
	}
	fmt.Fprintf(stdout, "report: %s\n", filepath.Join(out, "kills.md"))
	switch {
	case verdicts[broken]:
		return errBroken
	case r.Interrupted:
		return lab.ErrInterrupted
	case verdicts[noVerdict], verdicts[notRun]:
		return errNotValid
	}
	return nil
}
