package trial

import (
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

// Alert describes a trial of alert detection: Probes rules, each breached once by
// one sample, at moments spread evenly over one evaluation interval.
type Alert struct {
	Probes   int
	Interval time.Duration
}

const (
	// alertSettle lets servers finish starting before the first breach.
	alertSettle = 500 * time.Millisecond
	// alertGrace is what evaluating and delivering may take beyond the interval in
	// which a breach must be seen.
	alertGrace  = 2 * time.Second
	alertStream = 0x616c6572
)

// Estimate implements TogetherSpec.
func (a Alert) Estimate() time.Duration { return alertSettle + 2*a.Interval + processOverhead }

// probe is one rule and the moment of its breach, counted from the first moment.
type probe struct {
	name  string
	after time.Duration
}

// probes returns one probe per stratum of the interval, in time order: the
// interval is cut into as many stretches as there are probes, and each breach
// falls at random into its own. Which rule comes when is random too.
func (a Alert) probes(seed uint64) []probe {
	rng := rand.New(rand.NewPCG(seed, alertStream))
	all := make([]probe, a.Probes)
	for i, rule := range rng.Perm(a.Probes) {
		phase := (float64(i) + rng.Float64()) / float64(a.Probes)
		all[i] = probe{name: probeName(rule), after: time.Duration(phase * float64(a.Interval))}
	}
	return all
}

func probeName(i int) string { return fmt.Sprintf("alert_probe_%02d", i) }

// alertName is the rule's alert for a probe's metric.
func alertName(metric string) string { return "breach_" + metric }

// rules returns the rule file, in Prometheus' format.
func (a Alert) rules() string {
	var text strings.Builder
	text.WriteString("groups:\n  - name: probes\n    rules:\n")
	for i := range a.Probes {
		metric := probeName(i)
		fmt.Fprintf(&text, "      - alert: %s\n        expr: avg_over_time(%s[60s]) > 80\n", alertName(metric), metric)
	}
	return text.String()
}

// alertServer is one arm's server with its receiver.
type alertServer struct {
	result   *Result
	probes   []probe
	server   *server
	receiver *receiver
	unsent   []error
}

// RunTogether implements TogetherSpec: all arms get the same breaches at the same
// moments.
func (a Alert) RunTogether(ctx context.Context, h *Harness, arms []Arm, seed uint64) ([]Result, error) {
	results := make([]Result, len(arms))
	for i, arm := range arms {
		if arm.Foreign() {
			return nil, fmt.Errorf("arm %s: %w", arm.Name, ErrForeign)
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
	began := breach(ctx, running, a)
	if ctx.Err() != nil {
		killAll(running)
		return ctx.Err()
	}
	for _, s := range running {
		s.finish(a, began)
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
	args := append(slices.Clone(arm.ServerArgs), "-rules", rules, "-alert-interval", a.Interval.String(), "-webhook", receiver.url())
	server, err := h.startServer(ctx, h.Placement.Server, dataFile(dir), args...)
	if err != nil {
		receiver.close()
		return nil, err
	}
	return &alertServer{server: server, receiver: receiver}, nil
}

func killAll(running []*alertServer) {
	for _, s := range running {
		s.server.kill()
	}
}

// breach sends every probe to every server and waits until all have notified or
// the time to do so is over. It returns the moment that probes count from.
func breach(ctx context.Context, running []*alertServer, a Alert) time.Time {
	began := time.Now().Add(alertSettle)
	deadline, cancel := context.WithDeadline(ctx, began.Add(2*a.Interval+alertGrace))
	defer cancel()
	var arms sync.WaitGroup
	for _, s := range running {
		arms.Go(func() {
			client := newClient(false)
			for _, p := range s.probes {
				pause(deadline, time.Until(began.Add(p.after)))
				if err := sendBreach(deadline, client, s.server.url("/metrics"), p.name); err != nil {
					s.unsent = append(s.unsent, err)
				}
			}
			s.receiver.await(deadline, a.Probes)
		})
	}
	arms.Wait()
	return began
}

func sendBreach(ctx context.Context, client *http.Client, url, metric string) error {
	body := strings.NewReader(fmt.Sprintf(`{"name":%q,"value":100}`, metric))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		return fmt.Errorf("send breach: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("send breach: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("send breach: status %d", response.StatusCode)
	}
	return nil
}

// finish stops the server and turns arrivals into delays.
func (s *alertServer) finish(a Alert, began time.Time) {
	r := s.result
	ended, err := s.server.stop()
	if err := errors.Join(append(s.unsent, err)...); err != nil {
		r.voidf("%v", err)
		return
	}
	r.judgeBooks(books{accepted: int64(a.Probes)}, ended, s.server.data)
	first, bad := s.receiver.firsts()
	if bad > 0 {
		r.voidf("%d webhook calls could not be understood", bad)
	}
	r.fillAlert(s.probes, began, first)
}

// fillAlert matches the first notification of every rule with its breach.
// Notifications that match no breach, or come before it, are false.
func (r *Result) fillAlert(probes []probe, began time.Time, first map[string]time.Time) {
	matched, sum := 0, 0.0
	for _, p := range probes {
		at, ok := first[alertName(p.name)]
		delay := at.Sub(began.Add(p.after))
		if !ok || delay <= 0 {
			continue
		}
		matched++
		sum += float64(delay)
		r.DelaysNS = append(r.DelaysNS, delay.Nanoseconds())
	}
	r.Values[UnitMissed] = float64(len(probes) - matched)
	r.Values[UnitFalse] = float64(len(first) - matched)
	if matched > 0 {
		r.Values[UnitDetect] = sum / float64(matched)
	}
	if r.Values[UnitMissed] > 0 || r.Values[UnitFalse] > 0 {
		// A mean over those that did arrive would flatter an engine that misses the hard
		// ones, so there is no mean.
		r.voidf("%v alerts missed, %v false", r.Values[UnitMissed], r.Values[UnitFalse])
	}
}
