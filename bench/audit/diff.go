package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tree decodes JSON without touching its numbers, so that they compare as written.
func tree(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	err := decoder.Decode(&v)
	return v, err
}

// compareTrees notes every place at which two JSON values differ.
func (f *Findings) compareTrees(path string, stored, recomputed any) {
	switch want := recomputed.(type) {
	case map[string]any:
		if have, ok := stored.(map[string]any); ok {
			f.compareObjects(path, have, want)
			return
		}
	case []any:
		if have, ok := stored.([]any); ok {
			f.compareLists(path, have, want)
			return
		}
	default:
		f.Values++
		if stored == recomputed {
			return
		}
	}
	f.add(RunFile, path, brief(stored), brief(recomputed))
}

func (f *Findings) compareObjects(path string, have, want map[string]any) {
	keys := map[string]bool{}
	for _, object := range []map[string]any{have, want} {
		for key := range object {
			keys[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		at := strings.TrimPrefix(path+"."+key, ".")
		stored, isStored := have[key]
		recomputed, isWanted := want[key]
		switch {
		case !isWanted:
			f.add(RunFile, at, brief(stored), "nothing")
		case !isStored:
			f.add(RunFile, at, "nothing", brief(recomputed))
		default:
			f.compareTrees(at, stored, recomputed)
		}
	}
}

func (f *Findings) compareLists(path string, have, want []any) {
	for i := range min(len(have), len(want)) {
		f.compareTrees(fmt.Sprintf("%s[%d]", path, i), have[i], want[i])
	}
	if len(have) != len(want) {
		f.add(RunFile, path, fmt.Sprintf("%d elements", len(have)), fmt.Sprintf("%d elements", len(want)))
	}
}

// maxBrief bounds what is shown of a value.
const maxBrief = 80

// brief prints a JSON value, shortened.
func brief(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return shorten(string(text))
}

func shorten(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if runes := []rune(s); len(runes) > maxBrief {
		return string(runes[:maxBrief-1]) + "…"
	}
	return s
}

// compareText notes the first line at which a file differs from what it should be.
func (f *Findings) compareText(name string, stored, rendered []byte) {
	have, want := strings.SplitAfter(string(stored), "\n"), strings.SplitAfter(string(rendered), "\n")
	f.Values += len(want)
	for i := range max(len(have), len(want)) {
		a, b := lineAt(have, i), lineAt(want, i)
		if a != b {
			a, b = around(a, b)
			f.add(name, fmt.Sprintf("line %d", i+1), a, b)
			return
		}
	}
}

func lineAt(lines []string, i int) string {
	if i >= len(lines) {
		return ""
	}
	return lines[i]
}

// around cuts two different lines down to what surrounds their first difference.
func around(a, b string) (string, string) {
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	from := max(0, same-maxBrief/2)
	cut := func(s string) string {
		if s == "" {
			return "nothing"
		}
		return shorten(fmt.Sprintf("%q", s[min(from, len(s)):]))
	}
	return cut(a), cut(b)
}
