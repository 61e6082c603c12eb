package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"phase0/scripts/lab"
)

const (
	requestTimeout = 20 * time.Second
	maxAnswer      = 64 << 20
)

// client is used by one goroutine at a time.
var client = &http.Client{Timeout: requestTimeout}

var errBusy = errors.New("the server is busy")

// ask returns the body of a 2xx answer, errBusy for 503.
func ask(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", url, err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", url, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask %s: %w", url, err)
	case answer.StatusCode == http.StatusServiceUnavailable:
		return nil, fmt.Errorf("ask %s: %w", url, errBusy)
	case answer.StatusCode/100 != 2:
		return nil, fmt.Errorf("ask %s: status %d: %.200s", url, answer.StatusCode, text)
	}
	return text, nil
}

// fill posts samples of the past as if they had come at the rate, until it has caught up,
// and returns how many.
func (s *subject) fill(ctx context.Context, o options) (int64, error) {
	step := time.Duration(float64(count) / float64(o.rate) * float64(time.Second))
	random := rand.New(rand.NewPCG(o.seed, 1))
	deadline := time.Now().Add(patience)
	var accepted int64
	var body []byte
	for at := time.Now().Add(-window * time.Second); at.Before(time.Now()); at = at.Add(step) {
		body = append(body[:0], `{"metrics":[`...)
		for i := range count {
			if i > 0 {
				body = append(body, ',')
			}
			when := at.Add(step * time.Duration(i) / count)
			body = append(append(append(body, `{"name":"`...), seriesName(i)...), `","value":`...)
			body = strconv.AppendInt(body, 1000+random.Int64N(1000), 10)
			body = append(strconv.AppendInt(append(body, `,"timestamp":`...), when.UnixMilli(), 10), '}')
		}
		if err := s.push(ctx, append(body, "]}"...), deadline); err != nil {
			return accepted, err
		}
		accepted += count
	}
	return accepted, nil
}

// push posts a batch, again when the queue is full.
func (s *subject) push(ctx context.Context, body []byte, deadline time.Time) error {
	for {
		_, err := ask(ctx, http.MethodPost, s.base+"/metrics", body)
		if !errors.Is(err, errBusy) || ctx.Err() != nil || time.Now().After(deadline) {
			return err
		}
		pause(ctx, settleEvery)
	}
}

// reading is what the server says of itself at one instant.
type reading struct {
	at                                  time.Time
	stored, evaluations, depth, waiting float64
	refused, dropped, refills, heap     float64
	cpu                                 time.Duration
}

// read asks for the counters. The engine's are those of the answer's time: asking waits for
// an evaluation under way.
func (s *subject) read(ctx context.Context) (reading, error) {
	var x reading
	text, err := ask(ctx, http.MethodGet, s.base+"/metrics", nil)
	if err != nil {
		return x, err
	}
	x.at = time.Now()
	if x.cpu, err = lab.ProcessCPU(s.process.PID()); err != nil {
		return x, err
	}
	return x, x.parse(text)
}

// parse takes what is of interest from Prometheus' text format.
func (x *reading) parse(text []byte) error {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("parse metrics: %w", err)
	}
	for name, into := range map[string]*float64{
		"phase0_samples_stored_total": &x.stored, "phase0_alert_evaluations_total": &x.evaluations, "phase0_queue_depth": &x.depth,
		"phase0_alert_samples_waiting": &x.waiting, "phase0_alert_samples_refused_total": &x.refused, "phase0_alert_samples_dropped_total": &x.dropped,
		"phase0_alert_refills_total": &x.refills, "go_memstats_heap_alloc_bytes": &x.heap,
	} {
		m := families[name].GetMetric()
		if len(m) != 1 {
			return fmt.Errorf("parse metrics: %d of %s", len(m), name)
		}
		*into = m[0].GetCounter().GetValue() + m[0].GetGauge().GetValue()
	}
	return nil
}

// watch reads the counters for a while.
func (s *subject) watch(ctx context.Context, length time.Duration) (phase, error) {
	first, err := s.read(ctx)
	if err != nil {
		return phase{}, err
	}
	all := []reading{first}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for time.Since(first.at) < length {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return phase{}, ctx.Err()
		}
		now, err := s.read(ctx)
		if err != nil {
			return phase{}, err
		}
		all = append(all, now)
	}
	return between(all), nil
}

// settle waits until nothing is queued and nothing waits for evaluation.
func (s *subject) settle(ctx context.Context) (reading, error) {
	deadline := time.Now().Add(settleTime)
	for {
		now, err := s.read(ctx)
		if err != nil || now.depth+now.waiting == 0 {
			return now, err
		}
		if time.Now().After(deadline) {
			return now, fmt.Errorf("%.0f samples are queued and %.0f not evaluated after %v", now.depth, now.waiting, settleTime)
		}
		pause(ctx, settleEvery)
	}
}

// memory returns what is resident, and then what of the heap is in use after a collection.
func (s *subject) memory(ctx context.Context) (m memory, err error) {
	if m.Resident, _, err = lab.ProcessMemory(s.process.PID()); err != nil {
		return m, err
	}
	if _, err := ask(ctx, http.MethodGet, s.pprof+"/debug/pprof/heap?gc=1", nil); err != nil {
		return m, err
	}
	now, err := s.read(ctx)
	m.Heap = int64(now.heap)
	return m, err
}

// audit compares what rules have counted with what is stored.
func (s *subject) audit(ctx context.Context, out *outcome) error {
	now, err := s.settle(ctx)
	if err != nil {
		return err
	}
	out.Books.LeftOut, out.Books.Refills = int64(now.refused+now.dropped), int64(now.refills)
	stored := map[string]float64{}
	for _, i := range out.seen() {
		name := fmt.Sprint("R", i)
		if stored[name], err = s.countStored(ctx, i); err != nil {
			return err
		}
		out.Books.Counted += int64(stored[name])
	}
	// What does not wait any more may still be under evaluation.
	for deadline := time.Now().Add(time.Second); ; pause(ctx, settleEvery) {
		seen, err := s.countSeen(ctx)
		out.Books.Differ = 0
		for name, n := range stored {
			if seen[name] != n {
				out.Books.Differ++
			}
		}
		if err != nil || out.Books.Differ == 0 || time.Now().After(deadline) {
			return err
		}
	}
}

func (s *subject) countStored(ctx context.Context, i int) (float64, error) {
	text, err := ask(ctx, http.MethodGet, s.base+"/query?agg=count&name="+seriesName(i), nil)
	if err != nil {
		return 0, err
	}
	var rows []struct{ Count *float64 }
	if err := json.Unmarshal(text, &rows); err != nil || len(rows) != 1 || rows[0].Count == nil {
		return 0, fmt.Errorf("count samples: %.100s: %w", text, errors.Join(err, errors.New("not one count")))
	}
	return *rows[0].Count, nil
}

// countSeen returns the values of all alerts that fire by the names of their rules.
func (s *subject) countSeen(ctx context.Context) (map[string]float64, error) {
	text, err := ask(ctx, http.MethodGet, s.base+"/alerts", nil)
	if err != nil {
		return nil, err
	}
	var alerts []struct {
		Labels map[string]string
		Value  float64
	}
	if err := json.Unmarshal(text, &alerts); err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	values := map[string]float64{}
	for _, a := range alerts {
		values[a.Labels["alertname"]] = a.Value
	}
	return values, nil
}

// countLines counts the samples in the storage file.
func countLines(path string) (n int64, err error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return 0, fmt.Errorf("count lines: %w", err)
	}
	defer file.Close()
	buffer := make([]byte, 1<<20)
	for {
		read, err := file.Read(buffer)
		n += int64(bytes.Count(buffer[:read], []byte{'\n'}))
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("count lines: %w", err)
		}
	}
}
