package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"phase0/bench/trial"
)

// hooked gives the server a receiver of notifications that is silent or gone while the
// fault lasts. One alert is raised meanwhile and one when it is over.
type hooked struct {
	trial.Calm
	gone bool // nobody listens; else calls are taken and not answered

	addr    string
	http    *http.Server
	serving sync.WaitGroup
	healed  chan struct{}

	mu    sync.Mutex
	calls int // that came while the fault lasted
	told  map[string]bool
}

const (
	alertOutage = "ChaosOutage"
	alertAfter  = "ChaosAfter"
	// toldBound is how long the alert after the fault may take: one delivery that runs
	// into its timeout of 5 s may be in front of it.
	toldBound = 12 * time.Second
	toldPause = 20 * time.Millisecond
	callBound = 64 << 10 // bytes of a call or an answer
	askBound  = 5 * time.Second
)

const chaosRules = `groups:
  - name: chaos
    rules:
      - alert: ` + alertOutage + `
        expr: avg_over_time(chaos_outage[10m]) > 0
      - alert: ` + alertAfter + `
        expr: avg_over_time(chaos_after[10m]) > 0
`

// Prepare implements trial.Fault.
func (f *hooked) Prepare(dir string) ([]string, error) {
	f.healed, f.told = make(chan struct{}), map[string]bool{}
	if err := f.listen("127.0.0.1:0"); err != nil {
		return nil, err
	}
	if f.gone { // the port is kept in mind only
		f.stop()
	}
	rules := filepath.Join(dir, "rules.yml")
	if err := os.WriteFile(rules, []byte(chaosRules), 0o600); err != nil {
		return nil, fmt.Errorf("write rules: %w", err)
	}
	return []string{"-rules", rules, "-alert-interval", "200ms", "-webhook", "http://" + f.addr + "/hook"}, nil
}

func (f *hooked) listen(addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("start receiver: %w", err)
	}
	f.addr = listener.Addr().String()
	f.http = &http.Server{Handler: http.HandlerFunc(f.receive), ReadTimeout: toldBound}
	f.serving.Go(func() { _ = f.http.Serve(listener) }) // its end is ours; its silence is found out
	return nil
}

func (f *hooked) stop() {
	if f.http != nil {
		_ = f.http.Close() // nobody waits for what is under way
		f.serving.Wait()
		f.http = nil
	}
}

// receive takes a call and answers it when the fault is over.
func (f *hooked) receive(w http.ResponseWriter, r *http.Request) {
	var call struct {
		Alerts []struct {
			Labels map[string]string `json:"labels"`
		} `json:"alerts"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, callBound)).Decode(&call); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case <-f.healed:
	default:
		f.mu.Lock()
		f.calls++
		f.mu.Unlock()
		select {
		case <-f.healed:
		case <-r.Context().Done():
			return // the server has given up on this call
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range call.Alerts {
		f.told[a.Labels["alertname"]] = true
	}
}

// Strike implements trial.Fault.
func (f *hooked) Strike(ctx context.Context, v trial.Victim) error {
	return push(ctx, v, "chaos_outage")
}

// Heal implements trial.Fault.
func (f *hooked) Heal(ctx context.Context, v trial.Victim) error {
	close(f.healed)
	if f.gone {
		if err := f.listen(f.addr); err != nil {
			return err
		}
	}
	return push(ctx, v, "chaos_after")
}

// Seen implements trial.Fault. It asks the server what became of the deliveries, so
// that it has to be ready.
func (f *hooked) Seen(ctx context.Context, v trial.Victim) (string, []string, error) {
	after := f.awaitTold(ctx, alertAfter)
	failed, err := givenUp(ctx, v)
	if err != nil {
		return "", nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var broken []string
	if !after {
		broken = append(broken, fmt.Sprintf("an alert that was raised when the receiver was back was not told within %v", toldBound))
	}
	if !f.told[alertOutage] && failed == 0 {
		broken = append(broken, "the alert of the outage was neither told nor counted as given up")
	}
	if f.calls == 0 && failed == 0 && !f.told[alertOutage] {
		return "", broken, errors.New("the server did not try to tell an alert")
	}
	fate := "alert given up and counted"
	if f.told[alertOutage] {
		fate = "alert told late"
	}
	return fate, broken, nil
}

// awaitTold reports whether an alert is told in time.
func (f *hooked) awaitTold(ctx context.Context, name string) bool {
	for deadline := time.Now().Add(toldBound); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(toldPause) {
		f.mu.Lock()
		told := f.told[name]
		f.mu.Unlock()
		if told {
			return true
		}
	}
	return false
}

// Close implements trial.Fault.
func (f *hooked) Close() error {
	f.stop()
	return nil
}

// push sends one sample of value 1.
func push(ctx context.Context, v trial.Victim, name string) error {
	body := strings.NewReader(`{"name":"` + name + `","value":1}`)
	_, err := ask(ctx, http.MethodPost, "http://"+v.Addr+"/metrics", body, http.StatusAccepted)
	if err != nil {
		return fmt.Errorf("push %s: %w", name, err)
	}
	return nil
}

var givenUpLine = regexp.MustCompile(`(?m)^phase0_notifications_(?:failed|dropped)_total (\d{1,15})$`)

// givenUp returns how many notifications the server counts as failed or dropped.
func givenUp(ctx context.Context, v trial.Victim) (int, error) {
	text, err := ask(ctx, http.MethodGet, "http://"+v.Addr+"/metrics", nil, http.StatusOK)
	if err != nil {
		return 0, fmt.Errorf("ask for given-up notifications: %w", err)
	}
	lines := givenUpLine.FindAllSubmatch(text, -1)
	if len(lines) == 0 {
		return 0, errors.New("ask for given-up notifications: the server has no such metrics")
	}
	sum := 0
	for _, m := range lines {
		n, _ := strconv.Atoi(string(m[1])) // the pattern has bounded it
		sum += n
	}
	return sum, nil
}

// ask makes a request on a connection of its own and returns the answer's body.
func ask(ctx context.Context, method, url string, body io.Reader, status int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askBound)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	request.Close = true // a kept connection would hold a single accept loop
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, callBound))
	if err == nil && response.StatusCode != status {
		err = fmt.Errorf("status %d: %.100s", response.StatusCode, text)
	}
	return text, err
}
