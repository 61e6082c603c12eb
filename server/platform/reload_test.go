package platform

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"phase0/server/alerting"
	"phase0/server/alerting/rule"
)

// slowRules is an engine that takes the first rules only when it is let.
type slowRules struct {
	ruleEngine
	let   chan struct{}
	calls int
	names []string // of the rules at work
}

func (s *slowRules) SetRules(_ context.Context, rules []rule.Rule) error {
	if s.calls++; s.calls == 1 {
		<-s.let
	}
	s.names = nil
	for _, r := range rules {
		s.names = append(s.names, r.Alert)
	}
	return nil
}

// Two reloads at once leave the rules of the file as it was last, and one that waits for
// another can be called off.
func TestReloadsTakeTurns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.yml")
	write := func(name string) {
		text := "groups:\n- name: g\n  rules:\n  - {alert: " + name + ", expr: 'max_over_time(cpu[60s]) > 80'}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		engine := &slowRules{let: make(chan struct{})}
		p := &Platform{cfg: Config{RulesFile: path}, stdout: io.Discard, alerting: engine, complete: make(chan struct{}), reloading: make(chan struct{}, 1)}
		close(p.complete)
		var old, called, fresh error
		write("Old")
		go func() { old = p.Reload(t.Context()) }()
		synctest.Wait() // it has read the file
		write("New")
		ctx, cancel := context.WithCancel(t.Context())
		go func() { called = p.Reload(ctx) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(called, context.Canceled) {
			t.Errorf("called off: %v", called)
		}
		go func() { fresh = p.Reload(t.Context()) }()
		synctest.Wait()
		close(engine.let)
		synctest.Wait()
		if old != nil || fresh != nil || engine.calls != 2 || strings.Join(engine.names, " ") != "New" {
			t.Errorf("%v, %v: %v at work after %d calls", old, fresh, engine.names, engine.calls)
		}
	})
}

// unread is an output that nobody reads until it is let go.
type unread struct{ let chan struct{} }

func (u unread) Write(b []byte) (int, error) { <-u.let; return len(b), nil }

// A reload that says so does not keep the next one waiting, whoever reads that.
func TestReloadLetsGoBeforeItPrints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := &slowRules{let: make(chan struct{})}
		close(engine.let)
		stdout := unread{make(chan struct{})}
		p := &Platform{stdout: stdout, alerting: engine, complete: make(chan struct{}), reloading: make(chan struct{}, 1)}
		close(p.complete)
		for n := range 2 {
			go func() { _ = p.Reload(t.Context()) }() // is blocked by its output
			synctest.Wait()
			if engine.calls != n+1 {
				t.Errorf("%d of %d reloads had their turn", engine.calls, n+1)
			}
		}
		close(stdout.let)
	})
}

func TestReloadTellsFileFromContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules.yml")
	p := &Platform{cfg: Config{RulesFile: path}, complete: make(chan struct{}), reloading: make(chan struct{}, 1)}
	close(p.complete)
	if err := p.Reload(t.Context()); !errors.Is(err, alerting.ErrUnreadable) || errors.Is(err, alerting.ErrRules) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("groups: ["), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Reload(t.Context()); !errors.Is(err, alerting.ErrRules) || errors.Is(err, alerting.ErrUnreadable) {
		t.Errorf("no rules: %v", err)
	}
}
