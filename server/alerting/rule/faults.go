package rule

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"phase0/server/alerting"
)

// PositionError says what is wrong with a rule file and where.
type PositionError struct {
	File         string
	Line, Column int // from 1
	Err          error
}

// Error implements error.
func (e *PositionError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %v", e.File, e.Line, e.Column, e.Err)
}

// Unwrap returns the cause.
func (e *PositionError) Unwrap() error { return e.Err }

// Faults is what is wrong with a rule file, at least one thing. It is alerting.ErrRules.
type Faults struct {
	First []*PositionError // at most MaxFaults, in the order of the file
	More  int              // beyond those
}

// Error implements error: the first fault, and how many follow.
func (f *Faults) Error() string {
	text := f.First[0].Error()
	if more := len(f.First) - 1 + f.More; more > 0 {
		text += fmt.Sprintf(" (and %d more; check-rules shows them)", more)
	}
	return text
}

// Is implements the comparison of package errors.
func (f *Faults) Is(target error) bool { return target == alerting.ErrRules }

// Unwrap returns the first faults.
func (f *Faults) Unwrap() []error {
	all := make([]error, len(f.First))
	for i, e := range f.First {
		all[i] = e
	}
	return all
}

// err returns the faults as an error, nil if there are none.
func (f *Faults) err() error {
	if len(f.First) == 0 {
		return nil
	}
	slices.SortStableFunc(f.First, func(a, b *PositionError) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return f
}

// fault notes what is wrong with a node, nil for the whole file.
func (p *parser) fault(at *yaml.Node, format string, args ...any) {
	line, column := 1, 1
	if at != nil && at.Line > 0 {
		line, column = at.Line, at.Column
	}
	p.faultAt(line, column, format, args...)
}

// faultIn notes what is wrong with the text of a node, at the place that the error tells.
func (p *parser) faultIn(node *yaml.Node, text string, err error) {
	line, column := 0, 0
	if len(p.faults.First) < MaxFaults { // else nobody asks, and to find it may take long
		line, column = p.place(node, text, offsetOf(err))
	}
	p.faultAt(line, column, "%w", err)
}

func (p *parser) faultAt(line, column int, format string, args ...any) {
	if len(p.faults.First) == MaxFaults {
		p.faults.More++
		return
	}
	p.faults.First = append(p.faults.First, &PositionError{File: p.file, Line: line, Column: column, Err: fmt.Errorf(format, args...)})
}

// place returns where byte at of the text of a node is in the file. Where the file holds
// that line of the text in another way, folded or escaped, it is where the node begins.
func (p *parser) place(node *yaml.Node, text string, at int) (line, column int) {
	if at < 0 || at > len(text) {
		return node.Line, node.Column
	}
	rows := strings.Count(text[:at], "\n")
	begin := strings.LastIndexByte(text[:at], '\n') + 1
	row, _, _ := strings.Cut(text[begin:], "\n")
	block := node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
	line = node.Line + rows
	if block {
		line++ // behind the one with | or >
	}
	source := p.line(line)
	start := 0
	switch {
	case block:
		start = len(source) - len(strings.TrimLeft(source, " ")) - (len(row) - len(strings.TrimLeft(row, " ")))
	case rows == 0:
		start = bytesOf(source, node.Column-1)
		if node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
			start++
		}
	}
	if start < 0 || start > len(source) || !strings.HasPrefix(source[start:], row) || !block && rows > 0 {
		return node.Line, node.Column
	}
	return line, 1 + utf8.RuneCountInString(source[:start+at-begin])
}

// line returns a line of the file, counted from 1.
func (p *parser) line(number int) string {
	rest := p.text
	for ; number > 1; number-- {
		_, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			return ""
		}
		rest = after
	}
	found, _, _ := bytes.Cut(rest, []byte("\n"))
	return strings.TrimSuffix(string(found), "\r")
}

// bytesOf returns how many bytes the first characters of a text take.
func bytesOf(text string, characters int) int {
	for i := range text {
		if characters == 0 {
			return i
		}
		characters--
	}
	return len(text)
}
