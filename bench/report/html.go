package report

import (
	_ "embed" // the page's style sheet
	"fmt"
	"html"
	"io"
	"regexp"
	"strings"

	"phase0/bench/plot"
)

//go:embed page.css
var pageStyle string

// policy lets the page load nothing at all: a request would be an error in the
// browser's console.
const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

// WriteHTML writes the document as one file that needs no other.
func (d *Document) WriteHTML(w io.Writer) error {
	var page strings.Builder
	fmt.Fprintf(&page, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="%s">
<meta name="color-scheme" content="light dark">
<title>%s</title>
<link rel="icon" href="data:,">
<style>%s%s</style>
</head>
<body>
`, html.EscapeString(policy), html.EscapeString(d.Title), plot.Style(), pageStyle)
	d.writeHead(&page)
	page.WriteString("<main>\n")
	for i, s := range d.Sections {
		if err := writeSection(&page, i, s); err != nil {
			return fmt.Errorf("write page: %w", err)
		}
	}
	page.WriteString("</main>\n</body>\n</html>\n")
	if _, err := io.WriteString(w, page.String()); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// writeHead writes what is read first: stamps and verdict, and the way to the rest.
func (d *Document) writeHead(page *strings.Builder) {
	fmt.Fprintf(page, "<header>\n<p class=\"eyebrow\">%s</p>\n", inline(d.Title))
	for _, stamp := range d.Stamps {
		fmt.Fprintf(page, "<p class=\"stamp\" role=\"alert\">%s</p>\n", inline(stamp))
	}
	for i, sentence := range d.Verdict {
		switch i {
		case 0:
			fmt.Fprintf(page, "<h1>%s</h1>\n", inline(sentence))
			continue
		case 1:
			page.WriteString("<ul class=\"verdict\">\n")
		}
		fmt.Fprintf(page, "<li>%s</li>\n", inline(sentence))
	}
	if len(d.Verdict) > 1 {
		page.WriteString("</ul>\n")
	}
	fmt.Fprintf(page, "<p class=\"byline\">%s</p>\n", inline(d.Byline))
	page.WriteString("<nav aria-label=\"Sections\">\n")
	for i, s := range d.Sections {
		fmt.Fprintf(page, "<a href=\"#s%d\">%s</a>\n", i+1, inline(s.Title))
	}
	page.WriteString("</nav>\n</header>\n")
}

// writeSection writes a section. Figures that follow each other share a grid.
func writeSection(page *strings.Builder, i int, s Section) error {
	fmt.Fprintf(page, "<section aria-labelledby=\"s%d\">\n<h2 id=\"s%d\">%s</h2>\n", i+1, i+1, inline(s.Title))
	grid := false
	for _, b := range s.Blocks {
		if _, figure := b.(Figure); figure != grid {
			page.WriteString(map[bool]string{true: "<div class=\"figures\">\n", false: "</div>\n"}[figure])
			grid = figure
		}
		if err := writeBlock(page, b); err != nil {
			return err
		}
	}
	if grid {
		page.WriteString("</div>\n")
	}
	page.WriteString("</section>\n")
	return nil
}

func writeBlock(page *strings.Builder, b Block) error {
	switch b := b.(type) {
	case Prose:
		fmt.Fprintf(page, "<p>%s</p>\n", inline(string(b)))
	case List:
		page.WriteString("<ul>\n")
		for _, item := range b {
			fmt.Fprintf(page, "<li>%s</li>\n", inline(item))
		}
		page.WriteString("</ul>\n")
	case Code:
		fmt.Fprintf(page, "<pre tabindex=\"0\"><code>%s</code></pre>\n", html.EscapeString(strings.TrimRight(b.Text, "\n")))
	case Table:
		writeTable(page, b)
	case Figure:
		page.WriteString("<figure>\n")
		if err := b.Plot.WriteInline(page, b.Alt); err != nil {
			return err
		}
		fmt.Fprintf(page, "<figcaption>%s</figcaption>\n</figure>\n", inline(b.Caption))
	}
	return nil
}

// writeTable puts a table in a box of its own, which scrolls where the table is wider
// than the page and takes the keyboard's focus for that.
func writeTable(page *strings.Builder, t Table) {
	fmt.Fprintf(page, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"%s\">\n<table>\n<thead><tr>", html.EscapeString(t.Label))
	for _, c := range t.Columns {
		fmt.Fprintf(page, "<th scope=\"col\"%s>%s</th>", classAttribute(c, Cell{}), inline(c.Title))
	}
	page.WriteString("</tr></thead>\n<tbody>\n")
	for _, row := range t.Rows {
		page.WriteString("<tr>")
		for i, cell := range row {
			tag := "td"
			if i == 0 {
				tag = `th scope="row"`
			}
			fmt.Fprintf(page, "<%s%s>%s</%s>", tag, classAttribute(t.Columns[i], cell), inline(cell.Text), tag[:2])
		}
		page.WriteString("</tr>\n")
	}
	page.WriteString("</tbody>\n</table>\n</div>\n")
}

func classAttribute(c Column, cell Cell) string {
	var names []string
	if c.Number {
		names = append(names, "n")
	}
	if tone := map[Tone]string{Good: "good", Bad: "bad", Doubt: "doubt"}[cell.Tone]; tone != "" {
		names = append(names, tone)
	}
	if cell.Arm > 0 {
		names = append(names, fmt.Sprintf("arm a%d", (cell.Arm-1)%plot.Colors))
	}
	if len(names) == 0 {
		return ""
	}
	return ` class="` + strings.Join(names, " ") + `"`
}

func inline(text string) string {
	var b strings.Builder
	for _, s := range spans(text) {
		if s.code {
			b.WriteString("<code>" + html.EscapeString(s.text) + "</code>")
			continue
		}
		b.WriteString(together(html.EscapeString(s.text)))
	}
	return b.String()
}

var (
	rangeDash = regexp.MustCompile(`(\d)–(\d)`)
	unit      = regexp.MustCompile(`(\d) (%|ns|µs|ms|s|rps)`)
)

// together keeps a line from ending within a range or before a unit.
func together(text string) string {
	return unit.ReplaceAllString(rangeDash.ReplaceAllString(text, "$1–\u2060$2"), "$1\u00a0$2")
}
