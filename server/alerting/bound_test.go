package alerting

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// What is counted of a text is what JSON makes of it, and never less.
func TestJSONSize(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "plain": 5, "ä€": 5, "a\"\\\n\r\t": 11, "\x00\x1f": 12, "<>&": 18, "\u2028\u2029": 12, "\xff\xfe": 12, "\ufffd": 3, "\x7f": 1,
	} {
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := JSONSize(text); got != want || got != len(encoded)-2 {
			t.Errorf("%q: %d, want %d; JSON has %s", text, got, want, encoded)
		}
	}
}

func TestAlertsAreNotLargerThanTheyCount(t *testing.T) {
	long := map[string]string{strings.Repeat("n", 100): strings.Repeat("<\x00", 1000), "a": "\xff", "b": ""}
	for _, texts := range []map[string]string{nil, {}, long} {
		a := Alert{
			State: Pending, Labels: texts, Annotations: texts, Value: -math.SmallestNonzeroFloat64,
			Since: time.Date(2026, 11, 26, 12, 0, 0, 123456789, time.FixedZone("", 3600)), Fingerprint: "0123456789abcdef", Rule: "\x01<",
		}
		encoded, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if size := a.size(); size < len(encoded) || size > len(encoded)+alertBytes {
			t.Errorf("%d counted of %d bytes", size, len(encoded))
		}
	}
}

func TestBound(t *testing.T) {
	small, large := Alert{}, Alert{Rule: strings.Repeat("x", 1000)}
	b := Bound{Alerts: 3, Bytes: 3 * small.size()}
	if !b.Take(&small) || b.Alerts != 2 || b.Bytes != 2*small.size() {
		t.Errorf("after one: %+v", b)
	}
	if b.Take(&large) {
		t.Error("the large one fits")
	}
	if b.Take(&small) {
		t.Error("one behind an alert that did not fit was taken")
	}
	b = Bound{Alerts: 1, Bytes: math.MaxInt}
	if !b.Take(&large) || b.Take(&small) {
		t.Error("not one was taken")
	}
}
