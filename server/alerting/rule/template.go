package rule

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"phase0/server/alerting"
	"phase0/server/sample"
)

// Limits of what a rule makes of its texts, since a few bytes of a template may stand for
// many of a label. With a series' own labels, which are limited like those of a sample, any
// notification of an alert fits into a record of the outbox.
const (
	// maxLabelBytes bounds a label.
	maxLabelBytes = sample.MaxLabelValueBytes
	// maxExpanded bounds all labels, and all annotations, that a rule adds, as JSON.
	maxExpanded = 32 << 10
	// maxSummaryLabels bounds the labels in a summary, which is for people.
	maxSummaryLabels = 2 << 10
)

// ellipsis stands for what is cut off.
const ellipsis = "…"

var (
	templates = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	valueForm = regexp.MustCompile(`^\{\{\s*\$value\s*\}\}$`)
	labelForm = regexp.MustCompile(`^\{\{\s*\$labels\.([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}$`)
)

// expandAll adds texts to those of an alert, expanded: of each so many bytes, and of all, with
// their names, maxExpanded. What comes first by its name comes first.
func expandAll(to, texts map[string]string, value float64, labels map[string]string, each int) {
	left := maxExpanded
	for name := range texts {
		left -= len(name) + alerting.PairBytes
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		to[name] = expand(texts[name], value, labels, bounded{bytes: each, json: left})
		left -= alerting.JSONSize(to[name])
	}
}

// expand replaces {{ $value }} and {{ $labels.NAME }} in the text of an annotation or
// a label. As in Prometheus labels are those of the series, not of the rule, and one
// that is not there is empty. Parse has refused all other templates.
func expand(text string, value float64, labels map[string]string, into bounded) string {
	whole := text
	for at := templates.FindStringIndex(text); at != nil && !into.full; at = templates.FindStringIndex(text) {
		into.add(text[:at[0]])
		into.add(replaced(text[at[0]:at[1]], value, labels))
		text = text[at[1]:]
	}
	into.add(text)
	if string(into.text) == whole {
		return whole // the rule holds it already
	}
	return string(into.text)
}

func replaced(template string, value float64, labels map[string]string) string {
	if valueForm.MatchString(template) {
		return strconv.FormatFloat(value, 'g', -1, 64)
	}
	if m := labelForm.FindStringSubmatch(template); m != nil {
		return labels[m[1]]
	}
	return template
}

// bounded is a text that grows within limits. When it would go beyond it is cut off between
// two runes, an ellipsis follows, and that is its end.
type bounded struct {
	text        []byte
	bytes, json int // that there is room for, as they are and as JSON
	keep        int // of text: as much as leaves room for an ellipsis
	full        bool
}

func (b *bounded) add(text string) {
	for len(text) > 0 && !b.full {
		r, size := utf8.DecodeRuneInString(text)
		b.bytes -= size
		b.json -= alerting.RuneSize(r, size)
		if b.bytes < 0 || b.json < 0 {
			b.text = append(b.text[:b.keep], ellipsis...)
			b.full = true
			return
		}
		b.text = append(b.text, text[:size]...)
		if min(b.bytes, b.json) >= len(ellipsis) {
			b.keep = len(b.text)
		}
		text = text[size:]
	}
}

// checkTemplates refuses what expand does not replace.
func checkTemplates(text string) error {
	for _, template := range templates.FindAllString(text, -1) {
		if !valueForm.MatchString(template) && !labelForm.MatchString(template) {
			return fmt.Errorf("template %s is not supported; supported are {{ $value }} and {{ $labels.NAME }}", shorten(template))
		}
	}
	if strings.Contains(templates.ReplaceAllString(text, ""), "{{") {
		return errors.New("template {{ is not closed by }}")
	}
	return nil
}
