package trial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Alert describes a trial of alert detection: Probes rules, each breached once, at
// moments spread evenly over one evaluation interval. A breach is the first moment at
// which the rule's own predicate holds over the samples that were sent. Some rules more
// come close to it and must stay silent.
type Alert struct {
	Probes int
	// Interval is the server's -alert-interval, up to maxAlertInterval.
	Interval time.Duration
}

// The rules: an average over the window above the threshold. Each metric has one quiet
// sample before the trial begins, and one more at the moment of its breach that lifts
// the average of both above the threshold; of a decoy, onto it.
const (
	alertWindow    = time.Minute
	alertThreshold = 80
	quietValue     = 60
	breachValue    = 120
	decoyValue     = 100
	// decoysPer probes there is one decoy.
	decoysPer = 8
)

const (
	// alertSettle lets servers finish starting before the first breach.
	alertSettle = 500 * time.Millisecond
	// alertGrace is what evaluating and delivering may take beyond the interval in
	// which a breach must be seen.
	alertGrace  = 2 * time.Second
	alertStream = 0x616c6572
	// maxAlertInterval keeps a trial so short that no sample leaves the rules' window.
	maxAlertInterval = 25 * time.Second
)

// Estimate implements TogetherSpec.
func (a Alert) Estimate() time.Duration { return 2*alertSettle + 2*a.Interval + processOverhead }

func (a Alert) validate() error {
	if a.Probes < 1 || a.Interval <= 0 || a.Interval > maxAlertInterval {
		return fmt.Errorf("alert trial of %d probes at an interval of %v: want at least one, and up to %v", a.Probes, a.Interval, maxAlertInterval)
	}
	return nil
}

// probe is one rule with the second sample of its metric, and when it is sent, counted
// from the first moment.
type probe struct {
	name  string
	after time.Duration
	value float64
}

// probes returns all probes in time order: the interval is cut into as many stretches
// as there are rules to breach, and each breach falls at random into its own, as the
// test of polled delays wants it. Decoys fall anywhere. Which rule comes when is random
// too.
func (a Alert) probes(seed uint64) []probe {
	rng := rand.New(rand.NewPCG(seed, alertStream))
	all := make([]probe, 0, a.Probes+a.decoys())
	for i, rule := range rng.Perm(a.Probes) {
		phase := (float64(i) + rng.Float64()) / float64(a.Probes)
		all = append(all, probe{name: probeName(rule), after: time.Duration(phase * float64(a.Interval)), value: breachValue})
	}
	for i := range a.decoys() {
		phase := rng.Float64()
		all = append(all, probe{name: probeName(a.Probes + i), after: time.Duration(phase * float64(a.Interval)), value: decoyValue})
	}
	slices.SortStableFunc(all, func(x, y probe) int { return cmp.Compare(x.after, y.after) })
	return all
}

func (a Alert) decoys() int { return (a.Probes + decoysPer - 1) / decoysPer }

func probeName(i int) string { return fmt.Sprintf("alert_probe_%02d", i) }

// alertName is the rule's alert for a probe's metric.
func alertName(metric string) string { return "breach_" + metric }

// rules returns the rule file, in Prometheus' format.
func (a Alert) rules() string {
	var text strings.Builder
	text.WriteString("groups:\n  - name: probes\n    rules:\n")
	for i := range a.Probes + a.decoys() {
		metric := probeName(i)
		fmt.Fprintf(&text, "      - alert: %s\n        expr: avg_over_time(%s[%ds]) > %d\n", alertName(metric), metric, int(alertWindow.Seconds()), alertThreshold)
	}
	return text.String()
}

// sentSample is a sample and the moment at which it was due: that it was sent late,
// because the server had not answered the one before, is the server's delay, too.
type sentSample struct {
	at    time.Time
	value float64
}

// breachOf returns the first moment up to the end of a trial at which the rules'
// predicate holds over samples that are in time order, or the zero time. Samples count
// in (t − window, t], so the predicate changes when one comes and when one leaves.
func breachOf(samples []sentSample, end time.Time) time.Time {
	var moments []time.Time
	for _, s := range samples {
		moments = append(moments, s.at, s.at.Add(alertWindow))
	}
	slices.SortFunc(moments, time.Time.Compare)
	for _, t := range moments {
		if t.After(end) {
			break
		}
		sum, n := 0.0, 0
		for _, s := range samples {
			if !s.at.After(t) && s.at.After(t.Add(-alertWindow)) {
				sum += s.value
				n++
			}
		}
		if n > 0 && sum/float64(n) > alertThreshold {
			return t
		}
	}
	return time.Time{}
}

// alertServer is one arm's server with its receiver.
type alertServer struct {
	result   *Result
	probes   []probe
	server   *server
	receiver *receiver
	sent     map[string][]sentSample // by metric
	end      time.Time               // of the wait for notifications
	unsent   []error
}

// RunTogether implements TogetherSpec: all arms get the same breaches at the same
// moments.
func (a Alert) RunTogether(ctx context.Context, h *Harness, arms []Arm, seed uint64) ([]Result, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	results := make([]Result, len(arms))
	for i, arm := range arms {
		if arm.Foreign() {
			return nil, fmt.Errorf("arm %s: %w", arm.Name, ErrForeign) // of several
		}
		results[i] = newResult(arm, seed)
	}
	err := h.inDir(func(dir string) error { return h.alert(ctx, results, dir, arms, a) })
	for i := range results {
		results[i].Seconds = time.Since(results[i].Start).Seconds()
	}
	return results, err
}

func (h *Harness) alert(ctx context.Context, results []Result, dir string, arms []Arm, a Alert) error {
	rules := filepath.Join(dir, "rules.yml")
	if err := os.WriteFile(rules, []byte(a.rules()), 0o644); err != nil {
		return fmt.Errorf("write rules: %w", err)
	}
	var running []*alertServer
	defer func() {
		for _, s := range running {
			s.receiver.close()
		}
	}()
	for i, arm := range arms {
		s, err := h.startAlertServer(ctx, filepath.Join(dir, fmt.Sprintf("arm-%d", i)), rules, arm, a)
		if err != nil {
			killAll(running)
			return err
		}
		s.result, s.probes = &results[i], a.probes(results[i].Seed)
		s.result.ServerArgs = s.server.args
		running = append(running, s)
	}
	breach(ctx, running, a)
	if ctx.Err() != nil {
		killAll(running)
		return ctx.Err()
	}
	for _, s := range running {
		s.finish()
	}
	return nil
}

func (h *Harness) startAlertServer(ctx context.Context, dir, rules string, arm Arm, a Alert) (*alertServer, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create data directory: %w", err)
	}
	receiver, err := listenWebhook()
	if err != nil {
		return nil, err
	}
	// What the arm says of the interval stands last and counts.
	args := append([]string{"-rules", rules, "-alert-interval", a.Interval.String(), "-webhook", receiver.url()}, arm.ServerArgs...)
	server, err := h.startServer(ctx, h.Placement.Server, dataFile(dir), args...)
	if err != nil {
		receiver.close()
		return nil, err
	}
	return &alertServer{server: server, receiver: receiver, sent: map[string][]sentSample{}}, nil
}

func killAll(running []*alertServer) {
	for _, s := range running {
		s.server.kill()
	}
}

// breach sends every probe to every server and waits until all breaches were notified
// or the time to do so is over.
func breach(ctx context.Context, running []*alertServer, a Alert) {
	began := time.Now().Add(alertSettle)
	deadline, cancel := context.WithDeadline(ctx, began.Add(2*a.Interval+alertGrace))
	defer cancel()
	var arms sync.WaitGroup
	for _, s := range running {
		arms.Go(func() {
			client := newClient(false)
			for _, p := range s.probes {
				s.send(deadline, client, p.name, quietValue, time.Now())
			}
			for _, p := range s.probes {
				due := began.Add(p.after)
				pause(deadline, time.Until(due))
				s.send(deadline, client, p.name, p.value, due)
			}
			s.receiver.await(deadline, a.Probes)
			// An evaluation more, in which decoys must stay silent.
			last := began.Add(s.probes[len(s.probes)-1].after)
			pause(deadline, time.Until(last.Add(a.Interval+alertSettle)))
			s.end = time.Now()
		})
	}
	arms.Wait()
}

// send sends one sample and keeps it with the moment at which it was due.
func (s *alertServer) send(ctx context.Context, client *http.Client, metric string, value float64, due time.Time) {
	if err := sendSample(ctx, client, s.server.url(defaultPath), metric, value); err != nil {
		s.unsent = append(s.unsent, err)
		return
	}
	s.sent[metric] = append(s.sent[metric], sentSample{due, value})
}

func sendSample(ctx context.Context, client *http.Client, url, metric string, value float64) error {
	body := strings.NewReader(fmt.Sprintf(`{"name":%q,"value":%v}`, metric, value))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return fmt.Errorf("send sample: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("send sample: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("send sample: status %d", response.StatusCode)
	}
	return nil
}

// finish stops the server and turns arrivals into delays.
func (s *alertServer) finish() {
	r := s.result
	ended, err := s.server.stop()
	if err := errors.Join(append(s.unsent, err)...); err != nil {
		r.voidf("%v", err)
		return
	}
	r.judgeBooks(books{accepted: int64(2 * len(s.probes))}, ended, s.server.data)
	first, bad := s.receiver.firsts()
	if bad > 0 {
		r.voidf("%d webhook calls could not be understood", bad)
	}
	breaches := make([]breached, 0, len(s.probes))
	for _, p := range s.probes {
		breaches = append(breaches, breached{alertName(p.name), breachOf(s.sent[p.name], s.end)})
	}
	r.fillAlert(breaches, first)
}

// breached is a rule and when its predicate first held; the zero time is never.
type breached struct {
	alert string
	at    time.Time
}

// fillAlert matches the first notification of every rule with its breach.
// Notifications that match no breach, or come before it, are false.
func (r *Result) fillAlert(rules []breached, first map[string]arrival) {
	breaches, matched := 0, 0
	var detect, notify float64
	for _, b := range rules {
		if b.at.IsZero() {
			continue
		}
		breaches++
		seen, ok := first[b.alert]
		delay := seen.at.Sub(b.at)
		if !ok || delay <= 0 {
			continue
		}
		matched++
		detect += float64(delay)
		notify += float64(max(0, seen.at.Sub(seen.startsAt)))
		r.DelaysNS = append(r.DelaysNS, delay.Nanoseconds())
	}
	r.Values[UnitMissed] = float64(breaches - matched)
	r.Values[UnitFalse] = float64(len(first) - matched)
	if matched > 0 {
		r.Values[UnitDetect] = detect / float64(matched)
		r.Values[UnitNotify] = notify / float64(matched)
	}
	if r.Values[UnitMissed] > 0 || r.Values[UnitFalse] > 0 {
		// A mean over those that did arrive would flatter an engine that misses the hard
		// ones, so there is no mean.
		r.voidf("%v alerts missed, %v false", r.Values[UnitMissed], r.Values[UnitFalse])
	}
}
