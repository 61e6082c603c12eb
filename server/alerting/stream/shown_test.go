package stream

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"phase0/server/alerting"
)

// Alerts that an answer has no room for are not made either: their annotations may be long.
func TestAlertsThatDoNotFitAreNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count, room = 300, 1 << 20
		r := start(t, "  - {alert: A, expr: 'max_over_time(cpu[60s]) > 80', for: 1h, annotations: {a: '"+strings.Repeat("{{ $labels.host }}", 40)+"'}}\n", nil)
		for i := range count {
			r.push(fmt.Sprintf("%03d%s", i, strings.Repeat("x", 1000)), 85)
		}
		most := alerting.Bound{Alerts: math.MaxInt, Bytes: room}
		var first []alerting.Alert
		var total int
		var states []alerting.RuleState
		for what, show := range map[string]func(){
			"alerts": func() { first, total = r.FirstAlerts(most) }, "rules": func() { states = r.Rules(most) },
		} {
			// An annotation of 32 KiB passes through some 200 KiB while it grows.
			if made := allocated(show); made > 16*room {
				t.Errorf("%s in %d bytes took %d", what, room, made)
			}
		}
		if n := len(first); n < 20 || n > 32 || total != count {
			t.Errorf("%d of %d alerts", n, total)
		}
		if n := len(states[0].Alerts); n != len(first) || states[0].Pending != count {
			t.Errorf("%d of %d alerts of the rule", n, states[0].Pending)
		}
	})
}

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
