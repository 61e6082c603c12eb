package rule

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var (
	templates = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	valueForm = regexp.MustCompile(`^\{\{\s*\$value\s*\}\}$`)
	labelForm = regexp.MustCompile(`^\{\{\s*\$labels\.([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}$`)
)

// Expand replaces {{ $value }} and {{ $labels.NAME }} in the text of an annotation or
// a label. As in Prometheus labels are those of the series, not of the rule, and one
// that is not there is empty. Parse has refused all other templates.
func Expand(text string, value float64, labels map[string]string) string {
	return templates.ReplaceAllStringFunc(text, func(template string) string {
		if valueForm.MatchString(template) {
			return strconv.FormatFloat(value, 'g', -1, 64)
		}
		if m := labelForm.FindStringSubmatch(template); m != nil {
			return labels[m[1]]
		}
		return template
	})
}

// checkTemplates refuses what Expand does not replace.
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
