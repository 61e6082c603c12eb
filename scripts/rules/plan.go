package main

import (
	"fmt"
	"math"
	"strings"
)

// What is measured.
const (
	count  = 10_000 // series, and rules but in the cell with one
	window = 60     // seconds, of the rules
	// fires: of so many rules one is always true.
	fires = 100
	// counts: of so many rules one counts the samples that it has seen.
	counts    = 1000
	firstSeen = 5 // the first of those
)

// Kinds of rules besides the functions.
const (
	kindMix = "mix" // all functions in turn
	kindOne = "one" // a single rule
)

func functions() []string {
	return []string{"avg", "max", "quantile", "stddev", "count", "rate", "absent"}
}

// cell is one server with one load.
type cell struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Batch int    `json:"batch"`
	// FlatOut adds a closed loop.
	FlatOut bool `json:"-"`
}

// cells lists all. The batches are of 100 samples where nothing else is said.
func cells() []cell {
	all := []cell{
		{kindOne, kindOne, 100, true}, {kindMix, kindMix, 100, true},
		{"mix-1", kindMix, 1, false}, {"mix-1000", kindMix, 1000, false},
	}
	for _, f := range functions() {
		all = append(all, cell{f, f, 100, true})
	}
	return all
}

func cellNames() (names []string) {
	for _, c := range cells() {
		names = append(names, c.Name)
	}
	return names
}

// digits is that of the last series' number.
const digits = 4

func seriesName(i int) string { return fmt.Sprintf("rule_%0*d", digits, i) }

// seen lists the series of whose samples a rule keeps count.
func (c cell) seen() (all []int) {
	if c.Kind == kindOne {
		return []int{firstSeen}
	}
	for i := firstSeen; i < count; i += counts {
		all = append(all, i)
	}
	return all
}

// rules returns the rule file.
func (c cell) rules() string {
	var b strings.Builder
	b.WriteString("groups:\n- name: rules\n  rules:\n")
	for i := range count {
		kind := c.Kind
		switch {
		case i%counts == firstSeen:
			kind = "seen"
		case c.Kind == kindOne:
			continue
		case c.Kind == kindMix:
			kind = functions()[i%len(functions())]
		}
		if c.Kind == kindOne && i != firstSeen {
			continue
		}
		fmt.Fprintf(&b, "  - {alert: R%d, expr: '%s'}\n", i, expression(kind, i))
	}
	return b.String()
}

// expression is that of rule i. Values are from 1000 to 1999, so it is either always true
// or never, but for absence, which ends with the first sample.
func expression(kind string, i int) string {
	limit := "1e9"
	if i%fires == 0 {
		limit = "-1e9"
	}
	samples := fmt.Sprintf("%s[%ds]", seriesName(i), window)
	switch kind {
	case "seen":
		return fmt.Sprintf("count_over_time(%s[1h]) >= 0", seriesName(i))
	case "quantile":
		return fmt.Sprintf("quantile_over_time(0.99, %s) > %s", samples, limit)
	case "rate":
		return fmt.Sprintf("rate(%s) > %s", samples, limit)
	case "absent":
		return fmt.Sprintf("absent_over_time(%s)", samples)
	}
	return fmt.Sprintf("%s_over_time(%s) > %s", kind, samples, limit)
}

// body returns what loadgen sends: batch after batch goes through all series in turn.
func (c cell) body() string {
	within := int(math.Round(math.Log10(float64(c.Batch)))) // digits that the place in the batch has
	samples := make([]string, c.Batch)
	for j := range samples {
		name := "rule_"
		if within < digits {
			name += fmt.Sprintf("{{seq:%d}}", digits-within)
		}
		if within > 0 {
			name += fmt.Sprintf("%0*d", within, j)
		}
		samples[j] = `{"name":"` + name + `","value":1{{rand:3}}}`
	}
	if c.Batch == 1 {
		return samples[0]
	}
	return `{"metrics":[` + strings.Join(samples, ",") + `]}`
}
