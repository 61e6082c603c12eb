package trial

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Alert describes a trial of alert detection: Probes breaches, each of a series of its own
// that one of the rules reads, at moments spread evenly over whole intervals between
// evaluations. A breach is the first moment at which the rule's own predicate holds over
// the samples that were sent. Some series more come close to it and must stay silent.
type Alert struct {
	// Rules is a power of ten, up to MaxAlertRules. Breaches go round them.
	Rules int
	// Rate is that of the load beside the breaches, open loop, in samples per second, one
	// a request; 0 is none. Its samples go round series that the rules read, and keep them
	// false.
	Rate        int
	Connections int
	Probes      int
	// Paces says, by arm, how often a server that polls evaluates, up to maxAlertPace. Arms
	// that are not in it evaluate samples as they come in.
	Paces map[string]time.Duration
}

// MaxAlertRules is the most rules that a trial can have.
const MaxAlertRules = 10_000

// The rules: an average over the window above the threshold. A series that will breach has
// one quiet sample before the trial begins, and one more at the moment of its breach that
// lifts the average of both above the threshold; of a decoy, onto it.
const (
	alertWindow    = time.Minute
	alertThreshold = 80
	quietValue     = 60
	breachValue    = 120
	decoyValue     = 100
	// decoysPer probes there is one decoy.
	decoysPer = 8
	// hosts is over how many values of a label the load goes round.
	hosts = 1000
)

const (
	// alertSettle lets servers finish starting, and a load begin, before the first breach.
	alertSettle = 500 * time.Millisecond
	// alertSpread is over how long breaches are spread, about: 100 a second, so that one
	// does not wait for the delivery of another.
	alertSpread = 4 * time.Second
	// alertGrace is what evaluating and delivering may take beyond the interval in which a
	// breach must be seen.
	alertGrace  = 3 * time.Second
	alertStream = 0x616c6572
	// maxAlertPace keeps a trial so short that no sample leaves the rules' window.
	maxAlertPace = 15 * time.Second
	// maxAlertProbes is what the digits of their label have room for.
	maxAlertProbes = 10_000
	probeDigits    = 4
)

// Estimate implements Spec: the mean over the arms that poll and one that does not.
func (a Alert) Estimate() time.Duration {
	sum := a.EstimateOf(Arm{})
	for arm := range a.Paces {
		sum += a.EstimateOf(Arm{Name: arm})
	}
	return sum / time.Duration(1+len(a.Paces))
}

// EstimateOf is Estimate for one arm: those that poll take longer.
func (a Alert) EstimateOf(arm Arm) time.Duration {
	_, span := a.spread(arm.Name)
	return 2*alertSettle + span + a.Paces[arm.Name] + 2*processOverhead
}

func (a Alert) validate(arm Arm) error {
	if a.Probes < 1 || a.Probes > maxAlertProbes {
		return fmt.Errorf("alert trial of %d probes: want 1 to %d", a.Probes, maxAlertProbes)
	}
	if pace := a.Paces[arm.Name]; pace < 0 || pace > maxAlertPace {
		return fmt.Errorf("alert trial at an interval of %v: want up to %v", pace, maxAlertPace)
	}
	if digits := strings.TrimLeft(strconv.Itoa(a.Rules), "0"); a.Rules > MaxAlertRules || strings.TrimRight(digits, "0") != "1" {
		return fmt.Errorf("alert trial of %d rules: want a power of ten up to %d", a.Rules, MaxAlertRules)
	}
	return nil
}

// spread returns over how many intervals an arm's breaches are spread, and how long that
// is. Each interval gets as many.
func (a Alert) spread(arm string) (cycles int, span time.Duration) {
	pace := a.Paces[arm]
	if pace <= 0 {
		return 1, alertSpread
	}
	for cycles = max(1, int(alertSpread/pace)); a.Probes%cycles != 0; cycles-- {
	}
	return cycles, time.Duration(cycles) * pace
}

// Strata returns the interval between an arm's evaluations and the number of equal parts
// of it into each of which one breach falls, over and over.
func (a Alert) Strata(arm string) (pace time.Duration, parts int) {
	cycles, _ := a.spread(arm)
	return a.Paces[arm], a.Probes / cycles
}

// phases are the moments of breaches, as loadgen's schedules have them.
type phases []time.Duration

// Due implements schedule.Schedule.
func (p phases) Due(i int64) time.Duration { return p[min(i, p.Len()-1)] }

// Len implements schedule.Schedule.
func (p phases) Len() int64 { return int64(len(p)) }

// phases cuts the span into as many stretches as there are breaches, and each falls at
// random into its own, as the test of polled delays wants it. Arms with the same seed have
// the same moments but for the length of the span.
func (a Alert) phases(arm string, seed uint64) phases {
	rng := rand.New(rand.NewPCG(seed, alertStream))
	_, span := a.spread(arm)
	all := make(phases, a.Probes)
	for i := range all {
		all[i] = time.Duration((float64(i) + rng.Float64()) / float64(a.Probes) * float64(span))
	}
	return all
}

func (a Alert) decoys() int { return (a.Probes + decoysPer - 1) / decoysPer }

// ruleDigits is the number of digits that tell rules apart.
func (a Alert) ruleDigits() int { return len(strconv.Itoa(a.Rules)) - 1 }

// metric is what rule i mod Rules reads.
func (a Alert) metric(i int) string {
	if a.Rules == 1 {
		return "alert_rule_0"
	}
	return fmt.Sprintf("alert_rule_%0*d", a.ruleDigits(), i%a.Rules)
}

// metricSlot is the same of the request's own number, for the load generator.
func (a Alert) metricSlot() string {
	if a.Rules == 1 {
		return "alert_rule_0"
	}
	return fmt.Sprintf("alert_rule_{{seq:%d}}", a.ruleDigits())
}

// rules returns the rule file, in Prometheus' format.
func (a Alert) rules() string {
	var text strings.Builder
	text.WriteString("groups:\n  - name: probes\n    rules:\n")
	for i := range a.Rules {
		fmt.Fprintf(&text, "      - alert: breach_%s\n        expr: avg_over_time(%[1]s[%ds]) > %d\n", a.metric(i), int(alertWindow.Seconds()), alertThreshold)
	}
	return text.String()
}

// breachBody is that of the request that breaches.
func (a Alert) breachBody(i int) string {
	return fmt.Sprintf(`{"name":%q,"value":%d,"labels":{"probe":%q}}`, a.metric(i), breachValue, probeLabel(i))
}

// loadBody is that of the load.
func (a Alert) loadBody() string {
	return fmt.Sprintf(`{"name":"%s","value":4{{rand:1}},"labels":{"host":"{{seq:3}}"}}`, a.metricSlot())
}

// prelude returns the bodies of requests that make every series known: one sample for each
// that the load will go round, so that no rule is without, the quiet ones of probes, and
// all of the decoys'.
func (a Alert) prelude() (bodies []string, samples int) {
	var all []string
	add := func(i, value int, label, text string) {
		all = append(all, fmt.Sprintf(`{"name":%q,"value":%d,"labels":{%q:%q}}`, a.metric(i), value, label, text))
	}
	for i := range max(a.Rules, hosts) {
		add(i, quietValue, "host", fmt.Sprintf("%03d", i%hosts))
	}
	for i := range a.Probes {
		add(i, quietValue, "probe", probeLabel(i))
	}
	for i := range a.decoys() {
		add(i, quietValue, "decoy", probeLabel(i))
		add(i, decoyValue, "decoy", probeLabel(i))
	}
	const batch = 2000 // well below what one request may hold
	for part := range slices.Chunk(all, batch) {
		bodies = append(bodies, `{"metrics":[`+strings.Join(part, ",")+"]}")
	}
	return bodies, len(all)
}

func probeLabel(i int) string { return fmt.Sprintf("%0*d", probeDigits, i) }

// load is what the load generator is told; it goes on until the last breach must have been
// seen.
func (a Alert) load(arm Arm) Load {
	_, span := a.spread(arm.Name)
	return Load{Rate: a.Rate, Connections: a.Connections, Window: 2*alertSettle + span + a.Paces[arm.Name]}
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

// Run implements Spec. Every arm gets its breaches alone: a server that evaluates ten
// thousand rules would make another's delays longer.
func (a Alert) Run(ctx context.Context, h *Harness, arm Arm, seed uint64) (Result, error) {
	if err := a.validate(arm); err != nil {
		return newResult(arm, seed), err
	}
	return h.runIn(arm, seed, func(r *Result, dir string) error { return h.alert(ctx, r, dir, arm, a) })
}
