package query

import (
	"regexp"
	"strings"
	"testing"

	"phase0/server/sample"
)

func TestMatcher(t *testing.T) {
	series := map[string]sample.Labels{"none": "", "a": `{"host":"a"}`, "ab": `{"host":"ab","zone":"eu"}`, "line": `{"host":"a\u000ab"}`, "quote": `{"host":"\""}`}
	for text, want := range map[string]string{
		`host="a"`: "a", `host=a`: "a", `host!="a"`: "none ab line quote", `host=`: "none", `host=""`: "none", `host!=`: "a ab line quote",
		`host=~"a.*"`: "a ab line", `host=~a.+`: "ab line", `host=~a`: "a", `host=~"a|ab"`: "a ab", `host=~`: "none", `host!~"a.*"`: "none quote", `host=~".*"`: "none a ab line quote",
		`zone="eu"`: "ab", `zone!=eu`: "none a line quote", `_x1=`: "none a ab line quote", `host="a\nb"`: "line", `host="\""`: "quote", `host=a"`: "", `host=~"(?i)A"`: "a", `host==a`: "",
	} {
		m, err := ParseMatcher(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var got []string
		for _, name := range []string{"none", "a", "ab", "line", "quote"} {
			if m.Matches(series[name]) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s matches %v, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "host", "=a", `host="a`, `host="a"b`, `host=~"("`, `host=~a)|(b`, "1x=a", "ho-st=a", "h st=a", "host~a", "é=a", "host=\xff", `host="\xff"`, `host=~"a{1001}"`} {
		if m, err := ParseMatcher(text); err == nil {
			t.Errorf("%q is taken: %+v", text, m)
		}
	}
}

func FuzzParseMatcher(f *testing.F) {
	for _, text := range []string{`host="a"`, `host!=a`, `host=~"a.*|b"`, `host!~(`, `a="\u0061"`, `a=~(?s:x)`} {
		f.Add(text, "a")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		m, err := ParseMatcher(text)
		if err != nil {
			return
		}
		if m.pattern != nil && regexp.MustCompile(m.value).MatchString(value) == false && m.pattern.MatchString(value) {
			t.Errorf("%q: the whole of %q matches, but no part of it", text, value)
		}
		labels, err := sample.NewLabels(map[string]string{m.label: value})
		if err != nil {
			return
		}
		kept, _ := labels.Get(m.label)
		if got := m.Matches(labels); m.pattern == nil && got != ((kept == m.value) != m.negated) {
			t.Errorf("%q on %q: %v", text, kept, got)
		}
	})
}
