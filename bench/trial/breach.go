package trial

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"phase0/bench/pulse"
	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

// alertTrial is one server with its receivers, and what is sent to it.
type alertTrial struct {
	Alert
	arm      Arm
	server   *server
	console  *console
	receiver *receiver

	// Valid after breach.
	quiet    time.Time // when the quiet samples were sent
	due      []time.Time
	accepted []bool
	breaches record.Stream
	books    books
	end      time.Time // of the wait for notifications
	slow     pulse.Slowness
}

func (h *Harness) alert(ctx context.Context, r *Result, dir string, arm Arm, a Alert) error {
	t, err := h.startAlert(ctx, dir, arm, a)
	if err != nil {
		return err
	}
	defer t.receiver.close()
	load := a.load(arm)
	r.ServerArgs = t.server.args
	if a.Rate > 0 {
		r.LoadArgs = append(load.args(load.Window, arm, r.Seed), "-body", a.loadBody())
	}
	var w window
	var took time.Duration
	err = t.introduce(ctx)
	if err == nil {
		began, taken := time.Now(), pulse.Start()
		err = h.measure(ctx, r, t.server, &w, func() error { return t.breach(ctx, h, r, dir, &w) })
		took, t.slow = time.Since(began), taken.End()
		r.Machine.Slow = t.slow.Share()
	}
	if ctx.Err() != nil {
		t.server.kill()
		return ctx.Err()
	}
	ended, stopErr := t.server.stop()
	if err := errors.Join(err, stopErr); err != nil {
		r.voidf("%v", err)
		return nil
	}
	t.books.add(w.generated.Accounting, 1)
	r.judgeBooks(t.books, ended, t.server.data)
	if w.coreBusy > 0 {
		r.Values[UnitServerBusy] = min(1, w.coreBusy.Seconds()/took.Seconds())
	}
	if a.Rate > 0 {
		r.judgeLoad(h.Limits, load, w)
	} else {
		r.judgeMachine(h.Limits)
	}
	t.fill(r)
	return nil
}

func (h *Harness) startAlert(ctx context.Context, dir string, arm Arm, a Alert) (*alertTrial, error) {
	rules := filepath.Join(dir, "rules.yml")
	if err := os.WriteFile(rules, []byte(a.rules()), 0o644); err != nil {
		return nil, fmt.Errorf("write rules: %w", err)
	}
	receiver, err := listenWebhook()
	if err != nil {
		return nil, err
	}
	t := &alertTrial{Alert: a, arm: arm, console: newConsole(), receiver: receiver}
	args := append([]string{"-rules", rules, "-webhook", receiver.url()}, arm.ServerArgs...)
	if t.server, err = h.startHeard(ctx, h.Placement.Server, anyPort, dataFile(dir), t.console.hear, args...); err != nil {
		receiver.close()
		return nil, err
	}
	return t, nil
}

// introduce sends what makes the series known.
func (t *alertTrial) introduce(ctx context.Context) error {
	client := newClient(false)
	bodies, samples := t.prelude()
	t.quiet = time.Now()
	for _, body := range bodies {
		if err := post(ctx, client, t.server.url(defaultPath), body); err != nil {
			return fmt.Errorf("introduce series: %w", err)
		}
	}
	t.books.accepted += int64(samples)
	return nil
}

func post(ctx context.Context, client *http.Client, url, body string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("send samples: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("send samples: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		return fmt.Errorf("send samples: status %d", response.StatusCode)
	}
	return nil
}

// breach offers the load, if there is one, and the breaches beside it.
func (t *alertTrial) breach(ctx context.Context, h *Harness, r *Result, dir string, w *window) error {
	if t.Rate == 0 {
		return t.strike(ctx, t.server, r.Seed)
	}
	beside := func(ctx context.Context, s target) error { return t.strike(ctx, s, r.Seed) }
	return accompany(ctx, t.server, beside, func(ctx context.Context) (err error) {
		w.generated, err = h.generate(ctx, dir, append(r.LoadArgs[:len(r.LoadArgs):len(r.LoadArgs)], t.server.endpoint().String())...)
		return err
	})
}

// strike sends all breaches when they are due and waits until they were told or the time
// to do so is over.
func (t *alertTrial) strike(ctx context.Context, s target, seed uint64) error {
	pause(ctx, alertSettle)
	moments := t.phases(t.arm.Name, seed)
	deadline, cancel := context.WithTimeout(ctx, moments[len(moments)-1]+t.Paces[t.arm.Name]+alertGrace)
	defer cancel()
	rec := record.New(moments[len(moments)-1]+2*ledgerTimeout, 1)
	answers := &answers{accepted: make([]bool, len(moments))}
	rec.Observe(answers)
	send := sender{url: s.endpoint().String(), client: breachClient(), clock: engine.StartClock(), shard: rec.Shard(0)}
	send.all(deadline, moments, t.breachBody)
	// First of all: bench is to read what is told, not to work, while the last one is.
	t.console.await(deadline, t.Probes)
	t.receiver.await(deadline, t.Probes)
	t.end = time.Now()
	if err := rec.Fill(&t.breaches, moments.Len()); err != nil {
		return fmt.Errorf("send breaches: %w", err)
	}
	t.books.add(t.breaches.Accounting, 1)
	for _, after := range moments {
		t.due = append(t.due, send.clock.Start().Add(after))
	}
	t.accepted = answers.accepted
	return ctx.Err()
}

// answers remembers which breaches were accepted.
type answers struct {
	mu       sync.Mutex
	accepted []bool
}

// Answered implements record.Witness.
func (a *answers) Answered(index int64, status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.accepted[index] = status/100 == 2
}

// Unclear implements record.Witness.
func (a *answers) Unclear(int64) {}
