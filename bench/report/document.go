package report

import (
	"strings"

	"phase0/bench/plot"
)

// Document is a report in the order in which it is read. WriteMarkdown and WriteHTML
// render it; what one says the other says too. Texts are plain but for `code` in
// backquotes.
type Document struct {
	// Title names the run or file.
	Title string
	// Byline says when, what and where in a line.
	Byline string
	// Stamps say what keeps the whole from being cited.
	Stamps []string
	// Verdict holds sentences. The first is the answer; the rest is what a reader asks
	// next.
	Verdict  []string
	Sections []Section
}

// Section is a headed part of a document.
type Section struct {
	Title  string
	Blocks []Block
}

// Block is a Prose, List, Figure, Table or Code.
type Block interface{ block() }

// Prose is one paragraph.
type Prose string

// List is a list of short texts.
type List []string

// Figure is a plot with a sentence that introduces it.
type Figure struct {
	// File is the name of its SVG file beside a Markdown page.
	File string
	// Alt tells those who do not see the plot what it shows.
	Alt     string
	Caption string
	Plot    plot.Figure
}

// Table is a table. Every row has a cell for each column.
type Table struct {
	// Label names it for those who do not see it.
	Label   string
	Columns []Column
	Rows    [][]Cell
}

// Column is a table's column; Number aligns it to the right.
type Column struct {
	Title  string
	Number bool
}

// Cell is a table's cell. Tone and Arm only colour what Text says.
type Cell struct {
	Text string
	Tone Tone
	// Arm is 1 + the colour of the arm that the row is about, or 0.
	Arm int
}

// Tone is what a cell means for the reader.
type Tone int

// The tones.
const (
	Neutral Tone = iota
	Good
	Bad
	Doubt
)

// Code is a block of commands or output.
type Code struct{ Language, Text string }

func (Prose) block()  {}
func (List) block()   {}
func (Figure) block() {}
func (Table) block()  {}
func (Code) block()   {}

// add appends a section that has anything to say.
func (d *Document) add(title string, blocks ...Block) {
	var kept []Block
	for _, b := range blocks {
		if t, ok := b.(Table); b == nil || (ok && len(t.Rows) == 0) {
			continue
		}
		kept = append(kept, b)
	}
	if len(kept) > 0 {
		d.Sections = append(d.Sections, Section{Title: title, Blocks: kept})
	}
}

// Figures returns all figures in reading order.
func (d *Document) Figures() []Figure {
	var all []Figure
	for _, s := range d.Sections {
		for _, b := range s.Blocks {
			if f, ok := b.(Figure); ok {
				all = append(all, f)
			}
		}
	}
	return all
}

// columns makes columns of titles; one that begins with "#" is of numbers.
func columns(titles ...string) []Column {
	all := make([]Column, len(titles))
	for i, title := range titles {
		all[i] = Column{Title: strings.TrimPrefix(title, "#"), Number: strings.HasPrefix(title, "#")}
	}
	return all
}

// cells makes cells of texts.
func cells(texts ...string) []Cell {
	all := make([]Cell, len(texts))
	for i, text := range texts {
		all[i] = Cell{Text: text}
	}
	return all
}

// span is a stretch of text that is code or not.
type span struct {
	text string
	code bool
}

// spans cuts a text at its backquotes. Where they do not come in pairs they are plain
// characters.
func spans(text string) []span {
	parts := strings.Split(text, "`")
	if len(parts)%2 == 0 {
		return []span{{text: text}}
	}
	var all []span
	for i, part := range parts {
		if part != "" {
			all = append(all, span{text: part, code: i%2 == 1})
		}
	}
	return all
}
