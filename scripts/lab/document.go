package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	bench "phase0/bench/report"
	"phase0/bench/stat"
)

// None stands where there is no figure.
const None = "n/a"

// Document collects the lines of a Markdown report.
type Document struct{ strings.Builder }

// Line adds a line.
func (d *Document) Line(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

// Table adds a table.
func (d *Document) Table(head []string, rows [][]string) {
	d.Line("")
	d.Line("| %s |", strings.Join(head, " | "))
	d.Line("|%s", strings.Repeat("---|", len(head)))
	for _, r := range rows {
		d.Line("| %s |", strings.Join(r, " | "))
	}
	d.Line("")
}

// Cell prints a summary of figures of a unit, as bench prints them.
func Cell(unit string, s Summary, ok bool) string {
	if !ok {
		return None
	}
	if s.N == 1 {
		return bench.Value(unit, s.Median)
	}
	return fmt.Sprintf("%s [%s, %s]", bench.Value(unit, s.Median), bench.Value(unit, s.Low), bench.Value(unit, s.High))
}

// Times prints a summary of ratios.
func Times(s Summary, ok bool) string {
	if !ok {
		return None
	}
	if s.N == 1 {
		return fmt.Sprintf("%.2f×", s.Median)
	}
	return fmt.Sprintf("%.2f× [%.2f, %.2f]", s.Median, s.Low, s.High)
}

// Intervals says in words what stands in brackets.
func Intervals(rounds int) string {
	if rounds >= stat.MinPairs {
		return "the 95 % interval: of the median by order statistics, of a ratio the Hodges–Lehmann interval over rounds; minimum and maximum where less than 6 rounds are valid"
	}
	return "minimum and maximum over the rounds"
}

// Write puts files into dir, by name, over those of an earlier run.
func Write(dir string, files map[string]func(io.Writer) error) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create results: %w", err)
	}
	for name, content := range files {
		if err := writeFile(filepath.Join(dir, name), content); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

func writeFile(path string, content func(io.Writer) error) error {
	file, err := os.Create(filepath.Clean(path))
	if err != nil {
		return err
	}
	return errors.Join(content(file), file.Close())
}

// WriteJSON writes results as indented JSON.
func WriteJSON(w io.Writer, results any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(results); err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	return nil
}
