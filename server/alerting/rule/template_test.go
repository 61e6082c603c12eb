package rule

import (
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"phase0/server/alerting"
)

// roomy is a text without limits that any test would reach.
var roomy = bounded{bytes: 1 << 30, json: 1 << 30}

func TestExpandIsBounded(t *testing.T) {
	labels := map[string]string{"h": "abcdef"}
	for _, tc := range []struct {
		text        string
		bytes, json int
		want        string
	}{
		{"abc", 3, 100, "abc"},
		{"abcd", 3, 100, "…"},
		{"abcdef", 5, 100, "ab…"},
		{"äöü", 5, 100, "ä…"}, // never half a rune
		{"<<", 100, 12, "<<"},
		{"<<<", 100, 12, "<…"},
		{"{{ $labels.h }}", 6, 100, "abcdef"},
		{"{{ $labels.h }}!", 6, 100, "abc…"},
		{"{{ $labels.h }}{{ $labels.h }} and more", 9, 100, "abcdef…"},
		{"", 100, 0, ""},
		{"{{ $labels.gone }}", 100, -1, ""},
		{"a", 100, -1, "…"},
	} {
		if got := expand(tc.text, 85.5, labels, bounded{bytes: tc.bytes, json: tc.json}); got != tc.want {
			t.Errorf("%q in %d bytes and %d of JSON: %q, want %q", tc.text, tc.bytes, tc.json, got, tc.want)
		}
	}
}

// A few bytes of a rule stand for many of a label, and all of them end up in each alert.
func TestExpandedTextsOfAnAlertAreBounded(t *testing.T) {
	long := strings.Repeat("ä", maxLabelBytes/2)
	bomb := strings.Repeat("{{$labels.h}}", 1200)
	r := Rule{
		Alert:       "A",
		Labels:      map[string]string{"a": "{{ $labels.h }}", "b": bomb, "c": "page"},
		Annotations: map[string]string{"a": "{{ $labels.h }}", "b": bomb, "c": "after"},
	}
	series := map[string]string{"h": long}
	labels, annotations := r.LabelsOf(series, 1), r.AnnotationsOf(series, 1)
	if labels["a"] != long || labels["c"] != "page" || annotations["a"] != long {
		t.Errorf("what fits was cut: %q, %q", labels["c"], annotations["a"])
	}
	for _, cut := range []string{labels["b"], annotations["b"], annotations["c"]} {
		if !strings.HasSuffix(cut, ellipsis) || !utf8.ValidString(cut) {
			t.Errorf("not cut as text is: %q", cut)
		}
	}
	if n := len(labels["b"]); n > maxLabelBytes || n < maxLabelBytes-8 {
		t.Errorf("a label of %d bytes", n)
	}
	// What comes behind the end is an ellipsis each.
	if n := alerting.TextsSize(annotations); n > maxExpanded+len(ellipsis) || n < maxExpanded-8 {
		t.Errorf("annotations of %d bytes", n)
	}
	for name := range 40 {
		r.Labels[strings.Repeat("z", name+1)] = bomb
	}
	labels = without(r.LabelsOf(series, 1), "h", "alertname")
	if n := alerting.TextsSize(labels); n > maxExpanded+len(labels)*len(ellipsis) || n < maxExpanded-8 {
		t.Errorf("labels of %d bytes", n)
	}
	if !maps.Equal(labels, without(r.LabelsOf(series, 1), "h", "alertname")) {
		t.Error("the same alert has other labels the next time")
	}
}

func without(texts map[string]string, names ...string) map[string]string {
	for _, name := range names {
		delete(texts, name)
	}
	return texts
}

func TestSummaryIsBounded(t *testing.T) {
	series := map[string]string{}
	for _, name := range []string{"a", "b", "c", "d"} {
		series[name] = strings.Repeat("\x00", maxLabelBytes)
	}
	r := Seed()[0]
	got := Summary(&r, series, 85)
	if !strings.HasPrefix(got, `cpu_usage{a="\x00`) || !strings.HasSuffix(got, "…} avg(60s) > 80.0 (current: 85.0)") || len(got) > maxSummaryLabels+64 {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}

// FuzzExpandWithin holds what is cut against the whole.
func FuzzExpandWithin(f *testing.F) {
	f.Add("on {{ $labels.host }}: {{ $value }}", "a\nä€<\x00", uint16(20), uint16(30))
	f.Add("{{ $labels.host }}{{$labels.host}}", "\u2028", uint16(3), uint16(12))
	f.Fuzz(func(t *testing.T, text, host string, bytes, json uint16) {
		if !utf8.ValidString(text) || !utf8.ValidString(host) {
			return // of which neither a file nor a sample is made: halves of runes might make a whole
		}
		labels := map[string]string{"host": host}
		whole := expand(text, 1, labels, roomy)
		got := expand(text, 1, labels, bounded{bytes: int(bytes), json: int(json)})
		if len(whole) <= int(bytes) && alerting.JSONSize(whole) <= int(json) {
			if got != whole {
				t.Fatalf("%q was cut to %q without need", whole, got)
			}
			return
		}
		begin, ok := strings.CutSuffix(got, ellipsis)
		if !ok || !strings.HasPrefix(whole, begin) || !utf8.ValidString(got) {
			t.Fatalf("%q was cut to %q", whole, got)
		}
		if len(got) > max(int(bytes), len(ellipsis)) || alerting.JSONSize(got) > max(int(json), len(ellipsis)) {
			t.Fatalf("%q is above %d bytes or %d of JSON", got, bytes, json)
		}
	})
}
