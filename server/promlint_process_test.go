package main

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// GET /metrics is as Prometheus' own linter wants it, which is what promtool check metrics
// runs.
func TestMetricsAreLinted(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		p.post(good)
		p.post("{")
		status, text := p.get("/metrics")
		if status != 200 || !strings.Contains(text, "phase0_samples_accepted_total") {
			t.Fatalf("%d %.200s", status, text)
		}
		problems, err := promlint.New(strings.NewReader(text)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%v, %v", problems, err)
		}
		unknown := "# TYPE a counter\na 1\n" // the linter finds something where there is something
		if problems, err := promlint.New(strings.NewReader(unknown)).Lint(); err != nil || len(problems) == 0 {
			t.Errorf("nothing found in %q: %v", unknown, err)
		}
	})
}
