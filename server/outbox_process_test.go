package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// scripts/outbox.sh sets them for the full proof.
var (
	outboxNotifications = flag.Int("outbox.notifications", 300, "notifications that must be recorded and delivered")
	outboxKills         = flag.Int("outbox.kills", 2, "times that the server is killed meanwhile")
	outboxReport        = flag.String("outbox.report", "", "file for what was seen")
)

// Real servers on one outbox, killed again and again, and a receiver that fails in every
// way: what the outbox recorded arrives, in order, and repeats have the same key.
//
// The notifications come about as they do in life: samples are posted until GET /alerts
// shows every alert, and end when they have left their windows. A notification counts as
// recorded when the evaluation that found it has ended and nothing waits to be written;
// what a kill takes before is not expected, but allowed.
func TestOutboxSurvives(t *testing.T) {
	t.Parallel()
	rules := min(100, *outboxNotifications/6) // so that there are many payloads
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := &drill{
		t: t, dir: t.TempDir(), rules: rules, hook: newHostile(t, seed),
		active: map[transition]int{}, recorded: map[string]bool{},
	}
	d.writeRules()
	d.begin()
	limit := time.Now().Add(time.Minute + time.Duration(*outboxNotifications)*20*time.Millisecond)
	for len(d.recorded) < *outboxNotifications || d.kills < *outboxKills {
		if time.Now().After(limit) {
			t.Fatalf("%d recorded and %d kills in the time for %d and %d", len(d.recorded), d.kills, *outboxNotifications, *outboxKills)
		}
		d.cycle()
	}
	d.hook.behave()
	d.await(func() bool { return d.metric(`phase0_outbox_pending{receiver="webhook"}`) == 0 })
	for _, name := range []string{"phase0_notifications_dropped_total", "phase0_notifications_failed_total", "phase0_outbox_damaged_bytes"} {
		if n := d.metric(name); n != 0 {
			t.Errorf("%s is %v", name, n)
		}
	}
	if code := d.server.stop(); code != 0 {
		t.Errorf("exit code %d: %s", code, &d.server.stderr)
	}
	d.judge()
}

// drill drives the servers and keeps the books.
type drill struct {
	t      *testing.T
	dir    string
	rules  int
	hook   *hostile
	server *process
	kills  int
	killAt time.Time // of the next kill

	// active are the transitions to firing that GET /alerts shows, and how many
	// evaluations there were by then. A kill clears it: poll forgets.
	active map[transition]int
	// waiting are transitions that the outbox will have recorded after so many evaluations.
	waiting  []expected
	recorded map[string]bool // by key
	posted   int
}

type transition struct {
	fingerprint string
	since       time.Time
}

func (x transition) key(status string) string {
	return fmt.Sprintf("%s-%d-%s", x.fingerprint, x.since.UnixNano(), status)
}

type expected struct {
	key         string
	evaluations int
}

func (d *drill) writeRules() {
	var b strings.Builder
	b.WriteString("groups:\n- name: g\n  rules:\n")
	for i := range d.rules {
		fmt.Fprintf(&b, "  - {alert: A%d, expr: 'avg_over_time(m%d[500ms]) > 0'}\n", i, i)
	}
	if err := os.WriteFile(filepath.Join(d.dir, "rules.yml"), []byte(b.String()), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// begin starts a server on the same files.
func (d *drill) begin() {
	d.server = startIn(d.t, d.dir, "-mode", "concurrent", "-alerting", "poll", "-alert-interval", "100ms",
		"-rules", "rules.yml", "-webhook", d.hook.url(), "-outbox-bytes", "1000000000")
	d.active, d.waiting = map[transition]int{}, nil
	// Spread over the time that the notifications take, which come by the 200 a second.
	span := time.Duration(*outboxNotifications/max(1, *outboxKills)) * 8 * time.Millisecond
	d.killAt = time.Now().Add(500*time.Millisecond + rand.N(span))
}

// cycle makes every alert fire and lets it end.
func (d *drill) cycle() {
	kills := d.kills
	for len(d.active) < d.rules {
		d.inject() // again when a kill took the samples or the alerts
		d.look()
	}
	for kills == d.kills && (len(d.active) > 0 || len(d.waiting) > 0) {
		time.Sleep(20 * time.Millisecond)
		d.look()
	}
}

func (d *drill) inject() {
	var b strings.Builder
	b.WriteString(`{"metrics":[`)
	for i := range d.rules {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"m%d","value":1}`, i)
	}
	if status, answer := d.server.post(b.String() + "]}"); status != 202 {
		d.t.Fatalf("POST /metrics: %d %s", status, answer)
	}
	d.posted++
	d.await(func() bool { return len(d.active) == d.rules })
}

// await looks until done or for 400 ms, less than it takes the samples to leave the
// windows twice.
func (d *drill) await(done func() bool) {
	for deadline := time.Now().Add(400 * time.Millisecond); !done() && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		d.look()
	}
}

// look compares what GET /alerts shows with what it showed before, and kills the server
// when it is time.
func (d *drill) look() {
	_, listed := d.server.get("/alerts")
	var alerts []struct {
		Fingerprint string
		Since       time.Time
	}
	if err := json.Unmarshal([]byte(listed), &alerts); err != nil {
		d.t.Fatalf("GET /alerts: %s", listed)
	}
	now := int(d.metric("phase0_alert_evaluations_total"))
	seen := make(map[transition]int, len(alerts))
	for _, a := range alerts {
		x := transition{a.Fingerprint, a.Since}
		if seen[x] = now; !d.has(x) {
			d.waiting = append(d.waiting, expected{x.key("firing"), now})
		}
	}
	for x := range d.active {
		if _, still := seen[x]; !still {
			d.waiting = append(d.waiting, expected{x.key("resolved"), now})
		}
	}
	d.active = seen
	d.confirm(now)
	if d.kills < *outboxKills && d.worst() {
		d.kill()
	}
}

// worst tells whether this is a moment at which much can be lost: all that was seen is
// recorded, not all is delivered, and the receiver fails. Such a moment is not waited for for ever.
func (d *drill) worst() bool {
	late := time.Since(d.killAt)
	return late > 0 && (late > 5*time.Second || len(d.waiting) == 0 && d.hook.fails() && d.metric(`phase0_outbox_pending{receiver="webhook"}`) > 0)
}

func (d *drill) has(x transition) bool { _, ok := d.active[x]; return ok }

// confirm moves what is on disk by now. When all rules were evaluated once more, and one
// of the next round, the round that found a transition has told it.
func (d *drill) confirm(now int) {
	if len(d.waiting) == 0 || now <= d.waiting[0].evaluations+d.rules || d.metric("phase0_outbox_queued") != 0 {
		return
	}
	rest := d.waiting[:0]
	for _, e := range d.waiting {
		if now > e.evaluations+d.rules {
			d.recorded[e.key] = true
		} else {
			rest = append(rest, e)
		}
	}
	d.waiting = rest
}

// kill ends the server without a warning and starts another.
func (d *drill) kill() {
	d.kills++
	if err := d.server.cmd.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	<-d.server.exited
	d.begin()
}

// metric reads one number from GET /metrics.
func (d *drill) metric(name string) float64 {
	d.t.Helper()
	_, text := d.server.get("/metrics")
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		d.t.Fatalf("no %s in GET /metrics", name)
	}
	value, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		d.t.Fatal(err)
	}
	return value
}

// judge compares what was recorded with what arrived.
func (d *drill) judge() {
	h := d.hook
	h.mu.Lock()
	defer h.mu.Unlock()
	missing := 0
	for key := range d.recorded {
		if h.delivered[key] == 0 {
			missing++
		}
	}
	total := 0
	for _, n := range h.delivered {
		total += n
	}
	report := fmt.Sprintf(`notifications recorded, as seen from outside   %d
of them delivered                              %d
missing                                        %d
distinct keys delivered                        %d
alerts in payloads, without those again        %d
payloads that came again                       %d, all with the same key and body
broken order within an alert                   %d
keys used for two different things             %d
server killed (kill -9)                        %d times
samples posted in                              %d batches of %d
the receiver                                   %s
`, len(d.recorded), len(d.recorded)-missing, missing, len(h.delivered), total, h.again, h.disorder, h.abused, d.kills, d.posted, d.rules, h.faults())
	d.t.Log("\n" + report)
	if missing > 0 || h.disorder > 0 || h.abused > 0 {
		d.t.Error("the outbox did not keep its word")
	}
	for fault, n := range h.count {
		if n == 0 && *outboxNotifications >= 10_000 { // a short run may miss one
			d.t.Errorf("the receiver never did this: %s", fault)
		}
	}
	if *outboxReport != "" {
		if err := os.WriteFile(*outboxReport, []byte(report), 0o644); err != nil {
			d.t.Error(err)
		}
	}
}
