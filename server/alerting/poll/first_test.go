package poll

import (
	"testing"

	"phase0/server/alerting"
	"phase0/server/alerting/rule"
	"phase0/server/sample"
)

// The first alerts are those of the first rules, as many as fit; all are counted.
func TestFirstAlerts(t *testing.T) {
	e := &Engine{cfg: Config{Rules: rule.Seed()[:2]}, states: []states{{}, {}}}
	for i, s := range e.states {
		for _, host := range []string{"c", "a", "b"} {
			labels, err := sample.NewLabels(map[string]string{"host": host})
			if err != nil {
				t.Fatal(err)
			}
			s[labels] = &state{alert: alerting.Alert{State: alerting.Firing, Summary: host, Rule: e.cfg.Rules[i].Expr}}
		}
	}
	for _, tc := range []struct {
		most alerting.Bound
		want string
	}{
		{alerting.Bound{Alerts: 4, Bytes: 1 << 20}, "abca"}, {alerting.Bound{Alerts: 9, Bytes: 1 << 20}, "abcabc"},
		{alerting.Bound{Alerts: 9, Bytes: 1200}, "ab"}, {alerting.Bound{Alerts: 9}, ""},
	} {
		first, total := e.FirstAlerts(tc.most)
		hosts, raised := "", ""
		for _, a := range first {
			hosts += a.Summary
		}
		for _, r := range e.Rules(tc.most) {
			if r.Firing != 3 {
				t.Errorf("%+v: %d fire", tc.most, r.Firing)
			}
			for _, a := range r.Alerts {
				raised += a.Summary
			}
		}
		if hosts != tc.want || raised != tc.want || total != 6 {
			t.Errorf("%+v: %q of %d, of rules %q; want %q", tc.most, hosts, total, raised, tc.want)
		}
	}
}
