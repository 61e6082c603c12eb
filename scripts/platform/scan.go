package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"phase0/bench/stat"
	"phase0/bench/trial"
	"phase0/scripts/lab"
)

// repetition is how often a query is timed, after some times that are not: a server
// that has just started is slower. The median counts.
type repetition struct{ before, timed int }

func few() repetition  { return repetition{1, 3} }
func many() repetition { return repetition{30, 101} }

// scan measures queries on a prepared file. The server has all cores.
func (r *rig) scan(ctx context.Context, out *run) error {
	f, err := r.file(out.Case)
	if err != nil {
		return err
	}
	if out.Arm == armGrep {
		return r.grep(ctx, out, f)
	}
	s, err := r.startServer(ctx, out, r.placement.All, f.path, "-mode", "concurrent", "-query", out.Arm)
	if err != nil {
		return err
	}
	err = r.queries(ctx, out, s, f)
	_, stopErr := s.stop()
	return errors.Join(err, stopErr)
}

// queries times what a case asks.
func (r *rig) queries(ctx context.Context, out *run, s *subject, f file) error {
	q := questioner{client: &http.Client{Timeout: requestTimeout}, url: s.url("/query?name=" + trial.Points{}.Name())}
	defer q.client.CloseIdleConnections()
	newest := many()
	if out.Arm == armScan && out.Case == caseFull {
		newest = few() // each reads the whole file
	}
	if out.Case == casePercent {
		took, err := q.time(ctx, few(), "&agg=p99", func(body []byte, _ http.Header) error { return f.checkPercentile(body) })
		out.Values[unitPercentile] = took.Seconds() * 1e9
		return err
	}
	if out.Case == caseFull {
		took, err := q.time(ctx, few(), "&agg=avg", func(_ []byte, h http.Header) error { return f.checkFull(h) })
		if err != nil {
			return err
		}
		out.Values[unitScanned] = float64(f.bytes) / took.Seconds() / float64(r.cores())
	}
	since := "&start=" + strconv.FormatInt(f.last-newestMinute+1, 10)
	took, err := q.time(ctx, newest, since, func(body []byte, _ http.Header) error { return f.checkRows(body) })
	out.Values[unitNewest] = took.Seconds() * 1e9
	return err
}

// cores is how many the server may use.
func (r *rig) cores() int { return max(1, len(r.placement.All)) }

// questioner asks one after the other on one connection.
type questioner struct {
	client *http.Client
	url    string
}

// time asks repeatedly, checks every answer, and returns the median time.
func (q questioner) time(ctx context.Context, n repetition, more string, check func([]byte, http.Header) error) (time.Duration, error) {
	var times []int64
	for i := range n.before + n.timed {
		began := time.Now()
		body, header, err := get(ctx, q.client, q.url+more)
		took := time.Since(began)
		if err != nil {
			return 0, err
		}
		if err := check(body, header); err != nil {
			return 0, fmt.Errorf("query %s: %w", more, err)
		}
		if i >= n.before {
			times = append(times, took.Nanoseconds())
		}
	}
	slices.Sort(times)
	return time.Duration(stat.Quantile(times, stat.P50)), nil
}

var errAnswer = errors.New("wrong answer")

// checkFull makes sure that all was read, and not answered from an index.
func (f file) checkFull(h http.Header) error {
	scanned, err := strconv.ParseInt(h.Get("X-Phase0-Bytes-Scanned"), 10, 64)
	if err != nil || scanned < f.bytes {
		return fmt.Errorf("%w: %q bytes scanned of %d", errAnswer, h.Get("X-Phase0-Bytes-Scanned"), f.bytes)
	}
	return nil
}

func (f file) checkRows(body []byte) error {
	if got := bytes.Count(body, []byte(`"timestamp":`)); got != f.rows {
		return fmt.Errorf("%w: %d samples, want %d", errAnswer, got, f.rows)
	}
	return nil
}

// checkPercentile looks for the true value among the numbers of an answer.
func (f file) checkPercentile(body []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.Token()
		if err != nil {
			return fmt.Errorf("%w: no %v in %.200s", errAnswer, f.p99, body)
		}
		if v, ok := token.(float64); ok && v == f.p99 {
			return nil
		}
	}
}

// grep counts the lines of the queried series with the tool of that name, as a
// yardstick: it knows nothing of the format and uses one core.
func (r *rig) grep(ctx context.Context, out *run, f file) error {
	path, err := exec.LookPath("grep")
	if err != nil {
		return fmt.Errorf("find grep: %w", err)
	}
	args := []string{"LC_ALL=C", path, "-c", `"name":"` + trial.Points{}.Name() + `"`, f.path}
	out.Commands = append(out.Commands, strings.Join(args, " "))
	program, args := lab.OnCores(r.placement, r.placement.Server, "env", args)
	var times []int64
	for range few().timed {
		began := time.Now()
		text, _, err := lab.Run(ctx, program, args)
		took := time.Since(began)
		if err != nil {
			return err
		}
		if got := strings.TrimSpace(string(text)); got != strconv.Itoa(f.values) {
			return fmt.Errorf("grep: %w: %s lines, want %d", errAnswer, got, f.values)
		}
		times = append(times, took.Nanoseconds())
	}
	slices.Sort(times)
	out.Values[unitScanned] = float64(f.bytes) / time.Duration(stat.Quantile(times, stat.P50)).Seconds()
	return nil
}
