package main

import (
	"fmt"
	"io"

	"phase0/scripts/lab"
)

// write puts both files into dir.
func write(dir string, r *report) error {
	return lab.Write(dir, map[string]func(io.Writer) error{
		"rules.json": func(w io.Writer) error { return lab.WriteJSON(w, r) },
		"rules.md":   func(w io.Writer) error { return writeMarkdown(w, r) },
	})
}

func writeMarkdown(w io.Writer, r *report) error {
	var d lab.Document
	d.Line("# 10,000 rules on 10,000 series, evaluated as samples come in")
	d.Line("")
	d.Line("%s", r.Conditions.String("loadgen"))
	d.Line("")
	d.Line("A line is one fresh server, `-mode concurrent -alerting stream`, with 10,000 rules, each about the last minute of a series of its own, and one load over all series in turn.")
	d.Line("`mix` has the seven functions in turn. One rule of 100 is always true, the others never; one of 1,000 counts the samples that it has seen in an hour, whatever the line's function.")
	d.Line("Windows are filled before anything is measured. `one` is the same load with a single rule.")
	r.steadyTable(&d)
	r.mostTable(&d)
	r.memoryTable(&d)
	r.targetTable(&d)
	r.voidTable(&d)
	d.Line("Reproduce: `scripts/rules.sh -rate %d -seconds %d -flatout %d -seed %d`", r.Settings.Rate, r.Settings.Seconds, r.Settings.FlatOut, r.Settings.Seed)
	_, err := io.WriteString(w, d.String())
	return err
}

// each calls f for the cells that are not void.
func (r *report) each(f func(o outcome)) {
	for _, o := range r.Cells {
		if o.Void == "" {
			f(o)
		}
	}
}

func micro(seconds float64) string { return fmt.Sprintf("%.2f µs", seconds*1e6) }

func (r *report) steadyTable(d *lab.Document) {
	one, ok := r.of(kindOne)
	var rows [][]string
	r.each(func(o outcome) {
		p := o.Steady
		cost := lab.None
		if ok && o.Kind != kindOne && o.Batch == one.Batch { // of other batches it costs something else
			cost = micro(p.cost(one.Steady))
		}
		rows = append(rows, []string{
			o.Name, fmt.Sprint(o.Batch), fmt.Sprintf("%.0f", p.Stored/p.Seconds), fmt.Sprintf("%.0f", p.rate()), fmt.Sprintf("%.0f %%", p.busy()*100), micro(p.perSample()), cost,
			fmt.Sprintf("%.0f", p.Depth.Most), p.Depth.Slope.String(), fmt.Sprintf("%.0f", p.Waiting.Most), p.Waiting.Slope.String(), fmt.Sprintf("%.0f s, %d", p.Seconds, p.Depth.N),
		})
	})
	d.Line("")
	d.Line("## At %d samples/s, open loop", r.Settings.Rate)
	d.Table([]string{
		"rules", "batch", "samples/s", "evaluations/s", "of a core", "CPU per sample", "CPU per evaluation", "queued at most", "slope, 1/s [95 %]",
		"for evaluation at most", "slope, 1/s [95 %]", "time, readings",
	}, rows)
	d.Line("A sample is evaluated when it comes and when it leaves its window; samples of a series that come together are evaluated together. CPU per evaluation is what the server spends above `one` at the same load. Slopes are by")
	d.Line("least squares over readings ten times a second, of what is queued for storage and of what waits for evaluation.")
}

func (r *report) mostTable(d *lab.Document) {
	one, ok := r.of(kindOne)
	var rows [][]string
	r.each(func(o outcome) {
		p := o.Most
		if p == nil {
			return
		}
		all, cost := lab.None, lab.None
		if o.Kind != kindOne { // one rule costs next to nothing
			all = micro(p.CPU / p.Evaluations)
			if ok {
				cost = micro(p.cost(*one.Most))
			}
		}
		rows = append(rows, []string{
			o.Name, fmt.Sprintf("%.0f", p.rate()), fmt.Sprintf("%.0f", p.Stored/p.Seconds), fmt.Sprintf("%.0f %%", p.busy()*100), all, cost,
			fmt.Sprintf("%.0f", p.Waiting.Most), fmt.Sprint(p.Refused),
		})
	})
	d.Line("")
	d.Line("## Flat out: closed loop, %d connections, batches of 100", connections)
	d.Table([]string{"rules", "evaluations/s", "samples/s", "of a core", "CPU per evaluation, all in", "above `one`", "for evaluation at most", "refused"}, rows)
	d.Line("All on the server's one core: HTTP, queue, storage, and evaluation. When evaluation is behind, it has up to 65,536 samples to take together, and a series is evaluated once for all of its own.")
}

func (r *report) memoryTable(d *lab.Document) {
	one, ok := r.of(kindOne)
	if !ok {
		return
	}
	per := func(all, base int64) string {
		return fmt.Sprintf("%.0f B", float64(all-base)/(count-1))
	}
	var rows [][]string
	r.each(func(o outcome) {
		if o.Kind == kindOne || o.Batch != one.Batch {
			return
		}
		rows = append(rows, []string{
			o.Name, per(o.Empty.Heap, one.Empty.Heap), per(o.Full.Heap, one.Full.Heap), per(o.Full.Resident, one.Full.Resident),
			fmt.Sprintf("%.1f MiB", float64(o.Full.Heap)/(1<<20)), fmt.Sprintf("%.1f MiB", float64(o.Full.Resident)/(1<<20)),
		})
	})
	d.Line("")
	d.Line("## Memory per rule: 10,000 rules minus one, divided")
	d.Table([]string{"rules", "heap, without samples", "heap, window full", "resident, window full", "heap in all", "resident in all"}, rows)
	d.Line("A window of 60 s at this rate holds %.0f samples of 16 B. Heap is what is in use after a collection; resident is before it, with what the collector leaves until the next one.", window*float64(r.Settings.Rate)/count)
}

func (r *report) targetTable(d *lab.Document) {
	var rows [][]string
	for _, t := range r.Targets {
		rows = append(rows, []string{t.Claim, string(t.State), t.Figure})
	}
	d.Line("")
	d.Line("## Targets")
	d.Table([]string{"target", "", "figure"}, rows)
}

func (r *report) voidTable(d *lab.Document) {
	for _, o := range r.Cells {
		if o.Void != "" {
			d.Line("- void: %s: %s", o.Name, o.Void)
		}
	}
	for _, o := range r.Again {
		d.Line("- measured again: %s: %s", o.Name, o.Void)
	}
	if d.Line(""); len(r.Again) == 0 {
		d.Line("No cell had to be measured again.")
	}
}
