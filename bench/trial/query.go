package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"phase0/bench/stat"
)

// Query describes a trial that reads a prepared file back, one query after another.
type Query struct {
	Points Points
	// Share of the file's time that is asked for, its newest part, 0–1; 0 means
	// DefaultShare. One series of PointSeries is in the answer.
	Share float64
	// Agg asks for one of Aggregates instead of rows. A server that does not know it is
	// asked for rows, and the result warns.
	Agg string
	// Queries are timed one after another, after Warmup that are not.
	Queries, Warmup int
}

// DefaultShare of the time is asked for where Query says nothing: with eight series, an
// answer holds about 1 % of the points.
const DefaultShare = 0.1

// MinuteShare is the share of the newest minute in a file of n points.
func MinuteShare(n int) float64 { return min(1, float64(PointsPerMinute)/float64(max(1, n))) }

// maxRows bounds the rows of an answer, so that writing and sending them does not hide
// the scan. Servers look through all that a query selects before they cut it.
const maxRows = 100_000

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
// the generator is idle meanwhile. The seed chooses the series.
func (q Query) Run(ctx context.Context, h *Harness, arm Arm, seed uint64) (Result, error) {
	if q.Agg != "" && aggregates[q.Agg] == nil {
		return newResult(arm, seed), fmt.Errorf("unknown aggregate %q; known are %v", q.Agg, Aggregates())
	}
	return h.runIn(arm, seed, func(r *Result, dir string) error { return h.query(ctx, r, dir, arm, q) })
}

func (h *Harness) query(ctx context.Context, r *Result, dir string, arm Arm, q Query) error {
	file, err := h.prepare(ctx, q.Points)
	if err != nil {
		return err
	}
	data := dataFile(dir)
	if err := file.lend(data); err != nil {
		return err
	}
	s, err := h.startServer(ctx, h.Placement.All, data, arm.ServerArgs...)
	if err != nil {
		return err
	}
	r.ServerArgs = s.args
	a := q.asker(file, r.Seed)
	before := h.sampleMachine()
	cpuBefore, _ := s.cpu() // 0, like the machine's load, where unknown
	err = a.ask(ctx, s, q)
	cpuAfter, _ := s.cpu()
	r.Machine = h.sampleMachine().loadSince(before, cpuAfter-cpuBefore)
	if ctx.Err() != nil {
		s.kill()
		return ctx.Err()
	}
	ended, stopErr := s.stop()
	r.LoadArgs = []string{"GET", a.path(q)}
	if err := errors.Join(err, stopErr, h.giveBack(q.Points, data)); err != nil {
		r.voidf("%v", err)
		return nil
	}
	r.judgeMachine(h.Limits)
	r.Stored = int64(q.Points.N)
	r.fillQuery(q, a, ended)
	return nil
}

// asker asks one question again and again and checks every answer.
type asker struct {
	question
	truth truth
	rows  bool // rows are asked for

	times   []int64 // ns
	scanned int64   // bytes of the file that the last answer took
	known   bool    // the server said so
}

func (q Query) asker(file *prepared, seed uint64) *asker {
	share := q.Share
	if share == 0 {
		share = DefaultShare
	}
	start, end := q.Points.Window(share)
	a := &asker{question: question{int(seed % PointSeries), start, end}, rows: q.Agg == "", scanned: file.size}
	a.truth = file.truth(q.Points, a.question)
	return a
}

func (a *asker) path(q Query) string {
	path := fmt.Sprintf("/query?name=%s&start=%d&end=%d", seriesName(a.series), a.start, a.end)
	switch {
	case !a.rows:
		return path + "&agg=" + q.Agg
	case a.truth.samples > maxRows:
		return path + "&limit=" + strconv.Itoa(maxRows)
	}
	return path
}

// ask times the queries.
func (a *asker) ask(ctx context.Context, s *server, q Query) error {
	client := newClient(true)
	defer client.CloseIdleConnections()
	if !a.rows {
		var err error
		if a.rows, err = refuses(ctx, client, s.url(a.path(q))); err != nil {
			return err
		}
	}
	url := s.url(a.path(q))
	for i := range q.Warmup + q.Queries {
		took, err := a.once(ctx, client, url, q.Agg)
		if err != nil {
			return err
		}
		if i >= q.Warmup {
			a.times = append(a.times, took.Nanoseconds())
		}
	}
	return nil
}

// refuses reports whether a server takes the question for a wrong one.
func refuses(ctx context.Context, client *http.Client, url string) (bool, error) {
	status, _, _, err := fetch(ctx, client, url)
	return status == http.StatusBadRequest, err
}

func (a *asker) once(ctx context.Context, client *http.Client, url, agg string) (time.Duration, error) {
	began := time.Now()
	status, header, body, err := fetch(ctx, client, url)
	took := time.Since(began)
	if err != nil {
		return 0, err
	}
	if status != http.StatusOK {
		return 0, fmt.Errorf("get %s: status %d: %.200s", url, status, body)
	}
	if n, err := strconv.ParseInt(header.Get("X-Phase0-Bytes-Scanned"), 10, 64); err == nil && n > 0 {
		a.scanned, a.known = n, true
	}
	if !a.rows {
		return took, checkAggregate(body, aggregates[agg](a.truth))
	}
	want := min(a.truth.samples, maxRows)
	if found := bytes.Count(body, []byte(`"timestamp":`)); found != want {
		return 0, fmt.Errorf("check answer: %d samples, want %d", found, want)
	}
	return took, nil
}

// checkAggregate returns an error unless one of the answer's numbers is the figure,
// whatever the shape of the answer.
func checkAggregate(body []byte, want float64) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("check answer: no figure in %.200q is %v", body, want)
		}
		if err != nil {
			return fmt.Errorf("check answer: %w", err)
		}
		if v, ok := token.(float64); ok && math.Abs(v-want) <= 1e-9*math.Abs(want) {
			return nil
		}
	}
}

func (r *Result) fillQuery(q Query, a *asker, ended exit) {
	if q.Agg != "" && a.rows {
		r.warnf("the server does not know agg=%s: rows were asked for", q.Agg)
	}
	slices.Sort(a.times)
	median := float64(stat.Quantile(a.times, stat.P50))
	r.Values[UnitScan] = median
	r.Values[UnitPeakMemory] = float64(ended.peak)
	if median > 0 {
		seconds := median / float64(time.Second)
		r.Values[UnitPoints] = float64(q.Points.N) / seconds
		r.Values[UnitScanBytes] = float64(a.scanned) / seconds
	}
	if !a.known {
		r.warnf("the server does not say how much it scanned: %s takes the whole file", UnitScanBytes)
	}
}
