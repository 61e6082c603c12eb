package report

import (
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the document for a repository page. Its figures are files
// beside it.
func (d *Document) WriteMarkdown(w io.Writer) error {
	var page strings.Builder
	fmt.Fprintf(&page, "# %s\n\n", markdown(d.Title))
	for _, stamp := range d.Stamps {
		fmt.Fprintf(&page, "> **%s**\n\n", markdown(stamp))
	}
	for i, sentence := range d.Verdict {
		if i == 0 {
			fmt.Fprintf(&page, "**%s**\n\n", markdown(sentence))
			continue
		}
		fmt.Fprintf(&page, "- %s\n", markdown(sentence))
	}
	if len(d.Verdict) > 1 {
		page.WriteString("\n")
	}
	fmt.Fprintf(&page, "%s\n", markdown(d.Byline))
	for _, s := range d.Sections {
		fmt.Fprintf(&page, "\n## %s\n", markdown(s.Title))
		for _, b := range s.Blocks {
			page.WriteString("\n")
			writeMarkdownBlock(&page, b)
		}
	}
	if _, err := io.WriteString(w, page.String()); err != nil {
		return fmt.Errorf("write markdown: %w", err)
	}
	return nil
}

func writeMarkdownBlock(page *strings.Builder, b Block) {
	switch b := b.(type) {
	case Prose:
		fmt.Fprintf(page, "%s\n", markdown(string(b)))
	case List:
		for _, item := range b {
			fmt.Fprintf(page, "- %s\n", markdown(item))
		}
	case Figure:
		fmt.Fprintf(page, "![%s](%s)\n\n%s\n", markdown(b.Alt), b.File, markdown(b.Caption))
	case Code:
		fmt.Fprintf(page, "```%s\n%s\n```\n", b.Language, strings.TrimRight(b.Text, "\n"))
	case Table:
		writeMarkdownTable(page, b)
	}
}

func writeMarkdownTable(page *strings.Builder, t Table) {
	var head, rule strings.Builder
	for _, c := range t.Columns {
		head.WriteString("| " + markdown(c.Title) + " ")
		rule.WriteString("|---")
		if c.Number {
			rule.WriteString(":")
		}
	}
	fmt.Fprintf(page, "%s|\n%s|\n", head.String(), rule.String())
	for _, row := range t.Rows {
		for _, c := range row {
			page.WriteString("| " + markdown(c.Text) + " ")
		}
		page.WriteString("|\n")
	}
}

// markdown keeps text from becoming markup, or breaking a table, other than by its
// backquotes. Inside code only a table's bar is special.
func markdown(text string) string {
	plain := strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", "&", "&amp;", "*", "\\*", "](", "]\\(", "`", "\\`")
	var b strings.Builder
	for _, s := range spans(strings.Join(strings.Fields(text), " ")) {
		if s.code {
			b.WriteString("`" + strings.ReplaceAll(s.text, "|", "\\|") + "`")
			continue
		}
		b.WriteString(plain.Replace(s.text))
	}
	return b.String()
}
