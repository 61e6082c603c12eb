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

	"phase0/server/alerting"
)

// scripts/outbox.sh sets them for the full proof.
var (
	outboxNotifications = flag.Int("outbox.notifications", 300, "notifications that must be recorded and delivered")
	outboxKills         = flag.Int("outbox.kills", 2, "times that the server is killed meanwhile")
	outboxAlerting      = flag.String("outbox.alerting", "stream,poll", "engines that find what is told, one run each")
	outboxReport        = flag.String("outbox.report", "", "file for what was seen, JSON; of the last engine")
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
	for engine := range strings.SplitSeq(*outboxAlerting, ",") {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			testOutboxSurvives(t, engine)
		})
	}
}

func testOutboxSurvives(t *testing.T, engine string) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := &drill{
		t: t, dir: t.TempDir(), engine: engine, seed: seed, hook: newHostile(t, seed),
		rules:  min(100, *outboxNotifications/6), // so that there are many payloads
		active: map[transition]int{}, recorded: map[string]bool{},
	}
	d.writeRules()
	d.begin()
	begun := time.Now()
	d.limit = begun.Add(3*time.Minute + time.Duration(*outboxNotifications)*20*time.Millisecond)
	for len(d.recorded) < *outboxNotifications || d.kills < *outboxKills {
		d.cycle()
	}
	d.hook.behave()
	for d.metric(`phase0_outbox_pending{receiver="webhook"}`) > 0 && time.Now().Before(d.limit) {
		time.Sleep(10 * time.Millisecond)
	}
	for _, name := range []string{"phase0_notifications_dropped_total", "phase0_notifications_failed_total", "phase0_outbox_damaged_bytes"} {
		if n := d.metric(name); n != 0 {
			t.Errorf("%s is %v", name, n)
		}
	}
	if code := d.server.stop(); code != 0 {
		t.Errorf("exit code %d: %s", code, &d.server.stderr)
	}
	d.judge(time.Since(begun))
}

// drill drives the servers and keeps the books.
type drill struct {
	t      *testing.T
	dir    string
	engine string
	seed   uint64
	rules  int
	hook   *hostile
	server *process
	kills  int
	killAt time.Time // of the next kill
	limit  time.Time // of all of it; a machine that is very slow may need minutes

	// active are the transitions to firing that GET /alerts shows, and how many
	// evaluations there were by then. A kill clears it: poll forgets.
	active map[transition]int
	// waiting are transitions that the outbox will have recorded after so many evaluations.
	waiting  []expected
	recorded map[string]bool // by key
	posted   int
	again    int // batches of these that were posted once more, since not every alert showed
}

type transition struct {
	alertname string
	since     time.Time
}

func (x transition) key(status alerting.Status) string {
	alert := alerting.Alert{Labels: map[string]string{"alertname": x.alertname}, Since: x.since}
	return alerting.NewNotification(status, alert, x.since).Key
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
	b.WriteString("  - {alert: Pulse, expr: 'avg_over_time(pulse[500ms]) > 1'}\n")
	if err := os.WriteFile(filepath.Join(d.dir, "rules.yml"), []byte(b.String()), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// begin starts a server on the same files.
func (d *drill) begin() {
	d.server = startIn(d.t, d.dir, "-mode", "concurrent", "-alerting", d.engine, "-alert-interval", "100ms",
		"-rules", "rules.yml", "-webhook", d.hook.url(), "-outbox-bytes", "1000000000")
	d.active, d.waiting = map[transition]int{}, nil
	// Spread over the time that the notifications take, which come by the 350 a second.
	span := time.Duration(*outboxNotifications/max(1, *outboxKills)) * 5 * time.Millisecond
	d.killAt = time.Now().Add(500*time.Millisecond + rand.N(span))
}

// cycle makes every alert fire and lets it end.
func (d *drill) cycle() {
	kills := d.kills
	for first := true; len(d.active) < d.rules; first = false {
		d.inject() // again when a kill took the samples or the alerts
		if !first {
			d.again++
		}
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
	if time.Now().After(d.limit) {
		d.t.Fatalf("%d recorded and %d kills in the time for %d and %d", len(d.recorded), d.kills, *outboxNotifications, *outboxKills)
	}
	_, listed := d.server.get("/alerts")
	var alerts []struct {
		Labels struct{ Alertname string }
		Since  time.Time
	}
	if err := json.Unmarshal([]byte(listed), &alerts); err != nil {
		d.t.Fatalf("GET /alerts: %s", listed)
	}
	now := int(d.metric("phase0_alert_evaluations_total"))
	seen := make(map[transition]int, len(alerts))
	for _, a := range alerts {
		x := transition{a.Labels.Alertname, a.Since}
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

// confirm moves what is on disk by now.
func (d *drill) confirm(now int) {
	if len(d.waiting) == 0 {
		return
	}
	d.pulse()
	if !d.over(d.waiting[0], now) || d.metric("phase0_outbox_queued") != 0 {
		return
	}
	rest := d.waiting[:0]
	for _, e := range d.waiting {
		if d.over(e, now) {
			d.recorded[e.key] = true
		} else {
			rest = append(rest, e)
		}
	}
	d.waiting = rest
}

// over tells whether the evaluation that found a transition has told it. A later step of
// stream begins only then. A round of poll tells each rule's in turn: when all rules were
// evaluated once more, and one of the next round, it has.
func (d *drill) over(e expected, evaluations int) bool {
	if d.engine == "stream" {
		return evaluations > e.evaluations
	}
	return evaluations > e.evaluations+d.rules+1
}

// pulse is a sample that raises nothing, so that something is evaluated also when nothing
// else happens.
func (d *drill) pulse() {
	if status, answer := d.server.post(`{"name":"pulse","value":0}`); status != 202 {
		d.t.Fatalf("POST /metrics: %d %s", status, answer)
	}
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

// proof is what was seen of a drill. Its fields are those of the file.
type proof struct {
	Engine        string         `json:"engine"`
	Seed          uint64         `json:"seed"`
	Seconds       float64        `json:"seconds"`
	Recorded      int            `json:"recorded"` // notifications, as seen from outside
	Delivered     int            `json:"delivered"`
	Missing       int            `json:"missing"`
	Keys          int            `json:"keys"`           // distinct ones delivered
	Told          int            `json:"told"`           // alerts in payloads, without payloads that came again
	PayloadsAgain int            `json:"payloads_again"` // with the same key and body
	Disorder      int            `json:"disorder"`       // within an alert
	Abused        int            `json:"abused"`         // keys of two different things, or things with two keys
	Kills         int            `json:"kills"`
	Posted        int            `json:"posted"` // batches
	PostedAgain   int            `json:"posted_again"`
	Rules         int            `json:"rules"`
	Receiver      map[string]int `json:"receiver"` // what it did to how many payloads
}

// judge compares what was recorded with what arrived.
func (d *drill) judge(took time.Duration) {
	h := d.hook
	h.mu.Lock()
	defer h.mu.Unlock()
	p := proof{
		Engine: d.engine, Seed: d.seed, Seconds: took.Seconds(), Recorded: len(d.recorded), Keys: len(h.delivered), PayloadsAgain: h.again,
		Disorder: h.disorder, Abused: h.abused, Kills: d.kills, Posted: d.posted, PostedAgain: d.again, Rules: d.rules, Receiver: h.count,
	}
	for key := range d.recorded {
		if h.delivered[key] == 0 {
			p.Missing++
		}
	}
	p.Delivered = p.Recorded - p.Missing
	for _, n := range h.delivered {
		p.Told += n
	}
	text, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Logf("\n%s", text)
	if p.Missing > 0 || p.Disorder > 0 || p.Abused > 0 {
		d.t.Error("the outbox did not keep its word")
	}
	for fault, n := range h.count {
		if n == 0 && *outboxNotifications >= 10_000 { // a short run may miss one
			d.t.Errorf("the receiver never did this: %s", fault)
		}
	}
	if *outboxReport != "" {
		if err := os.WriteFile(*outboxReport, append(text, '\n'), 0o600); err != nil {
			d.t.Error(err)
		}
	}
}
