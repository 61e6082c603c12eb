package query

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"phase0/server/sample"
)

// Matcher is a condition on one label, as in Prometheus: a label that a sample does not
// have is empty, and a regular expression must match the whole value.
type Matcher struct {
	label, value string
	pattern      *regexp.Regexp // nil to compare with value
	negated      bool
}

var matcherForm = regexp.MustCompile(`(?s)^([a-zA-Z_][a-zA-Z0-9_]*)(=~|!~|!=|=)(.*)$`)

// ParseMatcher parses host="a", host!="a", host=~"a.*" or host!~"a.*". The quotes, in
// which Go's escapes are known, may be left out: host=a is the same.
func ParseMatcher(text string) (Matcher, error) {
	parts := matcherForm.FindStringSubmatch(text)
	if parts == nil {
		return Matcher{}, errors.New(`is not of the form host="a", host!="a", host=~"a.*" or host!~"a.*"`)
	}
	m := Matcher{label: parts[1], value: parts[3], negated: parts[2][0] == '!'}
	if strings.HasPrefix(m.value, `"`) {
		unquoted, err := strconv.Unquote(m.value)
		if err != nil {
			return Matcher{}, fmt.Errorf("value %s is not well quoted", parts[3])
		}
		m.value = unquoted
	}
	if !utf8.ValidString(m.value) {
		return Matcher{}, errors.New("value is not UTF-8")
	}
	if parts[2][1:] != "~" {
		return m, nil
	}
	// Alone first: what is only valid between the brackets below is not meant.
	if _, err := regexp.Compile(m.value); err != nil {
		return Matcher{}, fmt.Errorf("regular expression: %w", err)
	}
	pattern, err := regexp.Compile("^(?s:" + m.value + ")$")
	if err != nil {
		return Matcher{}, fmt.Errorf("regular expression: %w", err)
	}
	m.pattern = pattern
	return m, nil
}

// Matches reports whether labels fulfil the condition.
func (m *Matcher) Matches(labels sample.Labels) bool {
	value, _ := labels.Get(m.label)
	if m.pattern != nil {
		return m.pattern.MatchString(value) != m.negated
	}
	return (value == m.value) != m.negated
}
