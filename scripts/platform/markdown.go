package main

import (
	"fmt"
	"io"
	"slices"

	"phase0/bench/stat"
	"phase0/scripts/lab"
)

// document is the report in the making.
type document struct{ lab.Document }

func writeMarkdown(w io.Writer, r *report) error {
	var d document
	d.opening(r)
	d.targets(r)
	for _, part := range []struct {
		experiment string
		write      func(*report)
	}{
		{singleSample, d.single}, {batches, d.batch}, {scanning, d.scan}, {overloading, d.overload}, {slowClients, d.slow}, {gridding, d.grid},
	} {
		if s := r.section(part.experiment); s != nil && len(s.Runs) > 0 {
			part.write(r)
			d.conditions(s)
		}
	}
	d.doubts(r)
	if _, err := io.WriteString(w, d.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func (d *document) opening(r *report) {
	d.Line("# The platform's mechanisms, measured")
	d.Line("")
	for _, p := range r.Subjects {
		if p.Version == "" {
			d.Line("%s is missing and was not measured where this report has no figure of it.", p.Name)
			continue
		}
		d.Line("%s: %s.", p.Name, p.Version)
	}
	d.Line("")
	d.Line("Every run has fresh processes and fresh data. Figures are medians over rounds; in brackets, from 6 valid rounds on, 95 %% intervals (of the median by order statistics, of a ratio")
	d.Line("the Hodges–Lehmann interval over rounds), below that minimum and maximum. Ratios pair the runs of one round.")
}

func (d *document) targets(r *report) {
	if len(r.Targets) == 0 {
		return
	}
	d.Line("")
	d.Line("## Targets")
	var rows [][]string
	for _, t := range r.Targets {
		figure := t.Figure
		if t.Note != "" {
			figure += " (" + t.Note + ")"
		}
		rows = append(rows, []string{t.Experiment, t.Claim, string(t.State), figure})
	}
	d.Table([]string{"experiment", "target", "", "figure"}, rows)
}

// conditions is the small print under a section.
func (d *document) conditions(s *section) {
	valid := 0
	for _, x := range s.Runs {
		if x.Void == "" {
			valid++
		}
	}
	d.Line("*%s. Rounds: %d, valid runs: %d of %d.*", s.Conditions.String("generator"), s.rounds(), valid, len(s.Runs))
}

func (d *document) figure(r *report, name, text string) {
	if slices.ContainsFunc(figures(r), func(f figureFile) bool { return f.file == name }) {
		d.Line("")
		d.Line("![%s](%s)", text, name)
	}
}

func (d *document) heading(text string) {
	d.Line("")
	d.Line("## %s", text)
	d.Line("")
}

// version is what stands beside an arm's name.
func (r *report) version(arm string) string {
	db, other := databases()[arm]
	if !other {
		return "this commit"
	}
	for _, p := range r.Subjects {
		if p.Name == db.name && p.Version != "" {
			return p.Version
		}
	}
	return "missing"
}

func (d *document) single(r *report) {
	d.heading("One sample per request")
	d.Line("%d kept-alive connections, closed loop, ten series. The platform and the bare server get JSON, the databases InfluxDB's line protocol; the server gives the time. Samples are counted", connections)
	d.Line("between two instants under load: in the file for the platform, by the program's own counter elsewhere. Bareserver is the platform's HTTP server with the same limits, answering 202 after reading the body.")
	d.figure(r, "single.svg", "Samples per second, one per request")
	ours := r.of(singleSample, armConcurrent, "")
	var rows [][]string
	for _, arm := range arms(singleSample) {
		runs := r.of(singleSample, arm, "")
		rows = append(rows, []string{
			arm, r.version(arm), promise(arm), cell(runs, unitRequests), d.against(r, singleSample, runs, ours, unitRequests),
			cell(runs, unitCPU), cell(runs, unitBusy), cell(runs, unitDepth), cell(runs, unitP99), cell(runs, unitMemory),
		})
	}
	d.Table([]string{"server", "version", "what 2xx promises", "requests/s", "concurrent against it", "CPU per sample", "core busy", "queue depth", "p99", "memory"}, rows)
}

// against is the ratio of ours to another arm.
func (d *document) against(r *report, experiment string, theirs, ours []run, unit string) string {
	if len(theirs) > 0 && len(ours) > 0 && theirs[0].Arm == ours[0].Arm {
		return ""
	}
	s, ok := ratio(theirs, ours, unit, stat.HigherIsBetter, r.seed(experiment))
	return lab.Times(s, ok)
}

// arms lists an experiment's in order.
func arms(experiment string) []string {
	var all []string
	for _, j := range oneRound(experiment, func(string) bool { return true }) {
		if !slices.Contains(all, j.Arm) {
			all = append(all, j.Arm)
		}
	}
	return all
}

func (d *document) batch(r *report) {
	d.heading("Batches of 1,000")
	d.Line("%d kept-alive connections, closed loop. Every request has one sample of each of 1,000 series with new values: as JSON for the platform, as 1,000 lines for the databases.", connections)
	d.Line("*%s* is what `loadgen -batch 1000` sends by itself. Bytes allocated are by the program's own count, all it does included.", armGenerated)
	d.figure(r, "batch.svg", "Samples per second in batches of 1,000")
	ours := r.of(batches, armConcurrent, "")
	var rows [][]string
	for _, arm := range arms(batches) {
		runs := r.of(batches, arm, "")
		rows = append(rows, []string{
			arm, r.version(arm), promise(arm), cell(runs, unitSamples), d.against(r, batches, runs, ours, unitSamples),
			cell(runs, unitAllocated), cell(runs, unitCPU), cell(runs, unitBusy), cell(runs, unitP99), cell(runs, unitMemory),
		})
	}
	d.Table([]string{"server", "version", "what 2xx promises", "samples/s", "concurrent against it", "allocated per sample", "CPU per sample", "core busy", "p99", "memory"}, rows)
}

func (d *document) scan(r *report) {
	d.heading("Scanning a file")
	d.Line("A prepared file of %s points in eight series, in the page cache; the server has both cores. *Per core*: bytes of file ÷ time of a query for the average of one series ÷ cores, all of it read.", count(r.points()))
	d.Line("`grep -c` for the same series' name in the same file, on one core, is the yardstick. The newest minute is 6,000 points. p99 is over a file whose points are all of one series. Every answer is checked.")
	d.figure(r, "scan.svg", "Bytes of file scanned per second and core")
	newest := func(arm, which string) string { return cell(r.of(scanning, arm, which), unitNewest) }
	var rows [][]string
	for _, arm := range []string{armParallel, armScan, armGrep} {
		growth, ok := ratio(r.of(scanning, arm, caseSmall), r.of(scanning, arm, caseFull), unitNewest, stat.HigherIsBetter, r.seed(scanning))
		rows = append(rows, []string{
			arm, cell(r.of(scanning, arm, caseFull), unitScanned), newest(arm, caseSmall), newest(arm, caseFull), lab.Times(growth, ok),
			cell(r.of(scanning, arm, casePercent), unitPercentile),
		})
	}
	d.Table([]string{"", "per core", "newest minute of " + count(smallPoints), "newest minute of " + count(r.points()), "growth", "p99 over " + count(r.points())}, rows)
}

func (d *document) overload(r *report) {
	s := r.section(overloading)
	d.heading("Overload")
	d.Line("Capacity is lowered: each append of at most 10 samples takes at least %v. It is measured first; then %d times as much is offered for %d s in open loop over up to %d connections. The server runs with", appendDelay, overFactor, s.Settings.Overload, overConnections)
	d.Line("`-queue-limit %d -queue-bytes %d -max-bodies %d -max-conns %d`, from which the bound of its memory follows: the idle server, and %d times (the garbage collector's headroom) the bytes of queue and bodies and %d KiB per connection.", queueLimit, queueBytes, bodiesBytes, maxConns, heapFactor, connectionBytes>>10)
	d.Line("Memory and file are looked at ten times a second, refusals by a probe of the rig's own. It is drained when its queue is seen empty; that counts from the last answer, as requests that were late are still sent after the %d s. Afterwards loadgen reads back what was accepted.", s.Settings.Overload)
	d.figure(r, "overload.svg", "Memory during overload")
	runs := r.of(overloading, armConcurrent, "")
	var rows [][]string
	for _, x := range []struct{ name, unit string }{
		{"capacity, samples/s", unitCapacity}, {"stored during overload, samples/s", unitGoodput}, {"the same as share of capacity", unitShare}, {"memory, peak", unitMemory}, {"its bound", unitBound},
		{"answered 202", unitAccepted}, {"answered 503", unitRefused}, {"anything else", unitOther}, {"503 looked at for Retry-After", unitProbes}, {"of them without", unitNoRetry},
		{"drained after", unitDrain}, {"accepted by the ledger", unitVerified}, {"lost", unitLost}, {"lost, duplicated, phantom or zombie", unitWrong},
	} {
		rows = append(rows, []string{x.name, cell(runs, x.unit)})
	}
	d.Table([]string{"", "concurrent"}, rows)
}

func (d *document) slow(r *report) {
	d.heading("Slow clients")
	d.Line("%d requests/s of other clients, in turns alone and beside slow ones, on the same server; slow ones come and go %d times in a run, and each p99 is of all its phases together. *%s*: %d clients whose bodies come one byte each %v. *%s*: %d clients that claim a body of exactly the permitted", slowRate, turns, armDrip, slowClientsOf, dripEvery, armClaim, slowClientsOf)
	d.Line("size and send one byte. They arrive one after the other over the server's read timeout, and whoever it has enough of comes back at once. Memory is the resident set, looked at ten times a second; growth is that of its peak. The slow clients share the generator's core.")
	d.figure(r, "slow.svg", "p99 of other clients beside slow ones")
	var rows [][]string
	for _, arm := range arms(slowClients) {
		runs := r.of(slowClients, arm, "")
		s, ok := lab.Summarize(values(runs, unitP99Ratio))
		rows = append(rows, []string{arm, cell(runs, unitSlowClients), cell(runs, unitGrowth), cell(runs, unitMemory), cell(runs, unitP99Alone), cell(runs, unitP99), cell(runs, unitLateness), lab.Times(s, ok)})
	}
	d.Table([]string{"slow clients", "connected", "memory growth", "memory, peak", "others' p99 alone", "beside them", "of it the generator's lateness, p99", "ratio"}, rows)
}

func (d *document) grid(r *report) {
	d.heading("The grid")
	d.Line("Closed loop, `-mode concurrent`. Series are drawn at random where there are several.")
	d.figure(r, "grid.svg", "Samples per second over the grid")
	var rows [][]string
	for _, s := range grid() {
		runs := r.of(gridding, armConcurrent, s.String())
		rows = append(rows, []string{
			fmt.Sprint(s.connections), fmt.Sprint(s.samples), fmt.Sprint(s.series), cell(runs, unitRequests), cell(runs, unitSamples),
			cell(runs, unitCPU), cell(runs, unitBusy), cell(runs, unitMemory), cell(runs, unitP99),
		})
	}
	d.Table([]string{"connections", "samples per request", "series", "requests/s", "samples/s", "CPU per sample", "core busy", "memory", "p99"}, rows)
	steps := cliffs(r)
	if len(steps) == 0 {
		d.Line("No cliffs: no rate is below %.0f %% of that with fewer connections, or below %.0f %% of that with one series.", cliffConnection*100, cliffSeries*100)
		return
	}
	for _, c := range steps {
		d.Line("- Cliff: %s has %.0f %% of the samples/s of %s.", c.to, c.ratio*100, c.from)
	}
	d.Line("")
}

func (d *document) doubts(r *report) {
	d.heading("Void runs and doubts")
	d.Line("A run is void when it failed, when an answer was wrong, when other programs used more than %.0f %% of the CPU time, or the hypervisor more than %.0f %%; the last two are repeated, up to %d times in all.", lab.ForeignLimit*100, lab.StealLimit*100, attempts)
	d.Line("")
	none := true
	for _, s := range r.Sections {
		for _, x := range s.Runs {
			name := fmt.Sprintf("%s, round %d, %s", x.Experiment, x.Round+1, x.Arm)
			if x.Case != "" {
				name += ", " + x.Case
			}
			if x.Void != "" {
				d.Line("- %s: void: %s", name, x.Void)
				none = false
			}
			for _, w := range x.Warnings {
				d.Line("- %s: %s", name, w)
				none = false
			}
		}
	}
	if none {
		d.Line("None.")
	}
}
