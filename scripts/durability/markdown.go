package main

import (
	"fmt"
	"io"

	"phase0/scripts/lab"
)

func writeMarkdown(w io.Writer, r *report) error {
	var d lab.Document
	d.Line("# What durability costs")
	d.Line("")
	d.Line("`-mode concurrent` with the queue in memory (`bounded`) and with the durable one (`-queue wal -sync …`) on one core, %d kept-alive connections. Figures are medians; in brackets %s.", connections, lab.Intervals(r.rounds()))
	d.Line("A small write and a sync, one after the other, take %s on this disk.", show(unitSyncTime, r.Disk))
	if len(latencyPlot(r).Series) > 0 {
		d.Line("")
		d.Line("![Response time against what a power failure may take](durability.svg)")
	}
	d.Line("")
	d.Line("## Targets")
	var rows [][]string
	for _, t := range r.Targets {
		figure := t.Figure
		if t.Note != "" {
			figure += " (" + t.Note + ")"
		}
		rows = append(rows, []string{t.Claim, string(t.State), figure})
	}
	d.Table([]string{"target", "", "figure"}, rows)
	closed(&d, r, loadSingle, "One sample per request")
	closed(&d, r, loadBatch, fmt.Sprintf("Batches of %d", batchSize))
	steady(&d, r)
	doubts(&d, r)
	d.Line("*%s. Windows of %d s, %d rounds, seed %d. File system: %s.*", r.Conditions.String("generator"), r.Seconds, r.rounds(), r.Seed, r.Conditions.Host.FileSystem)
	if _, err := io.WriteString(w, d.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func closed(d *lab.Document, r *report, load, heading string) {
	d.Line("## %s", heading)
	d.Line("")
	d.Line("Closed loop: each connection sends the next request when the last one is answered.")
	var rows [][]string
	for _, a := range arms() {
		runs := r.of(a.name, load)
		if len(runs) == 0 {
			continue
		}
		ratio := ""
		if a.sync != "" {
			ratio = lab.Times(r.ofBounded(a.name, load))
		}
		rows = append(rows, []string{
			a.name, a.risk, cell(runs, unitSamples), ratio, cell(runs, unitSyncs), cell(runs, unitSyncTime), cell(runs, unitCPU), cell(runs, unitBusy), cell(runs, unitP50), cell(runs, unitP99),
		})
	}
	d.Table([]string{"queue, sync", "a power failure takes", "samples/s", "of bounded", "syncs per sample", "a sync", "CPU per sample", "core busy", "p50", "p99"}, rows)
}

func steady(d *lab.Document, r *report) {
	d.Line("## %d requests/s", r.Rate)
	d.Line("")
	d.Line("Open loop, one sample per request, as random as real clients' (`-arrivals poisson`); response times count from when a request was due.")
	var rows [][]string
	for _, a := range arms() {
		if runs := r.of(a.name, loadSteady); len(runs) > 0 {
			rows = append(rows, []string{a.name, a.risk, cell(runs, unitP50), cell(runs, unitP99), cell(runs, unitSyncs), cell(runs, unitSyncTime)})
		}
	}
	d.Table([]string{"queue, sync", "a power failure takes", "p50", "p99", "syncs per sample", "a sync"}, rows)
}

func doubts(d *lab.Document, r *report) {
	d.Line("## Void runs and doubts")
	d.Line("")
	d.Line("A run is void when it failed, when other programs used more than %.0f %% of the CPU time, or the hypervisor more than %.0f %%; the last two are repeated, up to %d times in all.", lab.ForeignLimit*100, lab.StealLimit*100, attempts)
	d.Line("")
	none := true
	for _, x := range r.Runs {
		name := fmt.Sprintf("%s, round %d, %s", x.Load, x.Round+1, x.Arm)
		if x.Void != "" {
			d.Line("- %s: void: %s", name, x.Void)
			none = false
		}
		for _, w := range x.Warnings {
			d.Line("- %s: %s", name, w)
			none = false
		}
	}
	if none {
		d.Line("None.")
	}
	d.Line("")
}

// cell prints the figures of several runs.
func cell(runs []run, unit string) string {
	s, ok := lab.Summarize(values(runs, unit))
	switch {
	case !ok:
		return ""
	case s.N == 1 || s.Low == s.High:
		return show(unit, s.Median)
	}
	return fmt.Sprintf("%s [%s, %s]", show(unit, s.Median), show(unit, s.Low), show(unit, s.High))
}
