package alerting

import "unicode/utf8"

// Bound is how many alerts an answer may still hold, and how many bytes of them.
type Bound struct{ Alerts, Bytes int }

// Take reports whether there is room for a, and takes it. When there is none, there is none
// for what comes afterwards either: answers hold the first alerts.
func (b *Bound) Take(a *Alert) bool {
	size := a.size()
	if b.Alerts < 1 || size > b.Bytes {
		*b = Bound{}
		return false
	}
	b.Alerts--
	b.Bytes -= size
	return true
}

const (
	// alertBytes is more than an alert takes as JSON beyond its texts.
	alertBytes = 512
	// PairBytes is what a name and a text take in a JSON object beyond themselves: four quotes,
	// a colon and a comma.
	PairBytes = 6
)

// size is at least what a takes as JSON, and counts the summary, which is kept beside it.
func (a *Alert) size() int {
	return alertBytes + len(a.Summary) + JSONSize(a.Rule) + TextsSize(a.Labels) + TextsSize(a.Annotations)
}

// TextsSize returns how many bytes labels or annotations take as JSON at most.
func TextsSize(texts map[string]string) (bytes int) {
	for name, text := range texts {
		bytes += JSONSize(name) + JSONSize(text) + PairBytes
	}
	return bytes
}

// JSONSize returns how many bytes a text takes in JSON at most, without its quotes.
func JSONSize(text string) (bytes int) {
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		bytes += RuneSize(r, size)
		text = text[size:]
	}
	return bytes
}

// RuneSize returns how many bytes a rune, of which UTF-8 takes size, takes in JSON at most,
// as encoding/json writes it where HTML is escaped as well.
func RuneSize(r rune, size int) int {
	switch {
	case r == '"' || r == '\\' || r == '\n' || r == '\r' || r == '\t':
		return 2
	case r < ' ' || r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029' || r == utf8.RuneError && size == 1:
		return 6
	default:
		return size
	}
}
