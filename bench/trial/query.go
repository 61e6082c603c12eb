package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"phase0/bench/stat"
)

// Query describes a trial that reads a prepared file back.
type Query struct {
	Points Points
	// Queries are timed one after another, after Warmup that are not.
	Queries, Warmup int
}

// What a query of a full scan takes on an ordinary machine.
const (
	queryFixed    = 300 * time.Microsecond
	queryPerPoint = 220 * time.Nanosecond
)

// Estimate implements Spec.
func (q Query) Estimate() time.Duration {
	one := queryFixed + time.Duration(q.Points.N)*queryPerPoint
	return processOverhead + time.Duration(q.Queries+q.Warmup)*one
}

// Run implements Spec. The server has all cores, so that a mechanism may use them;
// the generator is idle meanwhile. The seed is that of the file.
func (q Query) Run(ctx context.Context, h *Harness, arm Arm, seed uint64) (Result, error) {
	q.Points.Seed = seed
	return h.runIn(arm, seed, func(r *Result, dir string) error { return h.query(ctx, r, dir, arm, q) })
}

func (h *Harness) query(ctx context.Context, r *Result, dir string, arm Arm, q Query) error {
	data := dataFile(dir)
	expected, err := q.Points.create(data)
	if err != nil {
		return err
	}
	s, err := h.startServer(ctx, h.Placement.All, data, arm.ServerArgs...)
	if err != nil {
		return err
	}
	r.ServerArgs = s.args
	before := h.sampleMachine()
	cpuBefore, _ := processCPU(s.pid()) // 0, like the machine's load, where unknown
	times, err := h.ask(ctx, s, q, expected)
	cpuAfter, _ := processCPU(s.pid())
	r.Machine = h.sampleMachine().loadSince(before, cpuAfter-cpuBefore)
	if ctx.Err() != nil {
		s.kill()
		return ctx.Err()
	}
	ended, stopErr := s.stop()
	if err := errors.Join(err, stopErr); err != nil {
		r.voidf("%v", err)
		return nil
	}
	r.judgeMachine(h.Limits)
	r.judgePrepared(q.Points, data)
	r.fillQuery(q, times, ended)
	return nil
}

// ask times the queries and checks every answer.
func (h *Harness) ask(ctx context.Context, s *server, q Query, expected int) ([]int64, error) {
	client := newClient(true)
	defer client.CloseIdleConnections()
	start, end := q.Points.Window()
	url := fmt.Sprintf("%s?name=%s&start=%d&end=%d", s.url("/query"), q.Points.Name(), start, end)
	var times []int64
	for i := range q.Warmup + q.Queries {
		took, err := askOnce(ctx, client, url, expected)
		if err != nil {
			return nil, err
		}
		if i >= q.Warmup {
			times = append(times, took.Nanoseconds())
		}
	}
	return times, nil
}

func askOnce(ctx context.Context, client *http.Client, url string, expected int) (time.Duration, error) {
	began := time.Now()
	body, err := get(ctx, client, url)
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	if found := bytes.Count(body, []byte(`"timestamp":`)); found != expected {
		return 0, fmt.Errorf("check answer: %d samples, want %d", found, expected)
	}
	return took, nil
}

// judgePrepared voids a trial after which the file is not what was written.
func (r *Result) judgePrepared(p Points, data string) {
	lines, err := countLines(data)
	if err != nil {
		r.voidf("%v", err)
		return
	}
	r.Stored = lines
	if lines != int64(p.N) {
		r.voidf("the file has %d lines after %d were prepared", lines, p.N)
	}
}

func (r *Result) fillQuery(q Query, times []int64, ended exit) {
	slices.Sort(times)
	median := stat.Quantile(times, stat.P50)
	r.Values[UnitScan] = float64(median)
	r.Values[UnitPeakMemory] = float64(ended.peak)
	if median > 0 {
		r.Values[UnitPoints] = float64(q.Points.N) / (float64(median) / float64(time.Second))
	}
}
