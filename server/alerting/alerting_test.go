package alerting

import (
	"regexp"
	"testing"
	"time"
)

func TestFingerprint(t *testing.T) {
	// Of FNV-1a over "alertname\xffA\xffhost\xffa\xff", so that what was told before an
	// upgrade is known after it.
	labels := map[string]string{"host": "a", "alertname": "A"}
	if got := Fingerprint(labels); got != "3b2d6f15eb7b4a0a" {
		t.Errorf("fingerprint %s", got)
	}
	seen := map[string]map[string]string{}
	for _, labels := range []map[string]string{nil, {"a": "b"}, {"a": "c"}, {"ab": ""}, {"a": "b\xffc"}, {"a": "b", "c": "d"}, {"a": "b", "c": "e"}} {
		f := Fingerprint(labels)
		if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(f) {
			t.Errorf("%v: %q", labels, f)
		}
		if other, ok := seen[f]; ok {
			t.Errorf("%v and %v have the same fingerprint", labels, other)
		}
		seen[f] = labels
	}
}

func TestKeysTellTransitionsApart(t *testing.T) {
	start := time.Unix(1, 5)
	a := Alert{Fingerprint: "f", Since: start}
	firing := NewNotification(StatusFiring, a, start)
	if again := NewNotification(StatusFiring, a, start.Add(time.Hour)); again.Key != firing.Key || !again.EndsAt.IsZero() {
		t.Errorf("repeat: %+v", again)
	}
	resolved := NewNotification(StatusResolved, a, start.Add(time.Hour))
	if resolved.Key == firing.Key || !resolved.EndsAt.Equal(start.Add(time.Hour)) {
		t.Errorf("resolved: %+v", resolved)
	}
	a.Since = start.Add(1)
	if next := NewNotification(StatusFiring, a, start.Add(1)); next.Key == firing.Key {
		t.Errorf("the next time has the key of the first: %s", next.Key)
	}
}
