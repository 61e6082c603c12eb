package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"phase0/scripts/lab"
)

// subject is a running server under test.
type subject struct {
	process  *lab.Process
	base     string // http://host:port
	target   string // path that samples are posted to
	protocol protocol
	data     string // the storage file, of ours only

	// position is where the count of samples taken stands; between turns two
	// positions into samples.
	position func(ctx context.Context) (float64, error)
	between  func(a, b float64) (float64, error)
	// allocated is how many bytes the program has ever allocated, by its own count.
	allocated func(ctx context.Context) (float64, error)
}

func (s *subject) url(path string) string { return s.base + path }

// stop ends the server and returns what it said.
func (s *subject) stop() (string, error) {
	output, _, err := s.process.Stop()
	return string(output), err
}

// launch starts a program on cores and notes its command line.
func (r *rig) launch(ctx context.Context, out *run, cores []int, program string, args []string, ready *regexp.Regexp) (*lab.Process, error) {
	out.Commands = append(out.Commands, strings.Join(append([]string{filepath.Base(program)}, args...), " "))
	path, args := lab.OnCores(r.placement, cores, program, args)
	return lab.Start(ctx, lab.Command{Path: path, Args: args, Dir: r.dir, Ready: ready, Patience: patience})
}

var (
	serverReady = regexp.MustCompile(`^\[Ingestion\] Server started on port (\d+)`)
	bareReady   = regexp.MustCompile(`^listening on (\S+)`)
)

// startServer starts the platform on the given cores, its data in a file.
func (r *rig) startServer(ctx context.Context, out *run, cores []int, data string, args ...string) (*subject, error) {
	all := append([]string{"-addr", "127.0.0.1:0", "-data", data}, args...)
	p, err := r.launch(ctx, out, cores, r.absolute("server"), all, serverReady)
	if err != nil {
		return nil, err
	}
	s := &subject{process: p, base: "http://127.0.0.1:" + p.Said, target: "/metrics", data: data}
	s.position = func(context.Context) (float64, error) { return size(data) }
	s.between = func(a, b float64) (float64, error) { return linesBetween(data, int64(a), int64(b)) }
	s.allocated = s.metric("go_memstats_alloc_bytes_total")
	return s, nil
}

// absolute is for programs that run in another directory.
func (r *rig) absolute(program string) string {
	if path, err := filepath.Abs(r.path(program)); err == nil {
		return path
	}
	return r.path(program)
}

func (r *rig) startBare(ctx context.Context, out *run) (*subject, error) {
	p, err := r.launch(ctx, out, r.placement.Server, r.absolute("bareserver"), nil, bareReady)
	if err != nil {
		return nil, err
	}
	s := &subject{process: p, base: "http://" + p.Said, target: "/metrics", between: difference}
	s.position = func(ctx context.Context) (float64, error) {
		text, _, err := get(ctx, client(), s.url("/"))
		if err != nil {
			return 0, err
		}
		return strconv.ParseFloat(string(text), 64)
	}
	return s, nil
}

func difference(a, b float64) (float64, error) { return b - a, nil }

// start starts the server of an ingest run.
func (r *rig) start(ctx context.Context, out *run, dir string) (*subject, error) {
	if d, other := r.others[out.Arm]; other {
		return d.start(ctx, r, out, dir)
	}
	if out.Arm == armBare {
		return r.startBare(ctx, out)
	}
	s, err := r.startServer(ctx, out, r.placement.Server, filepath.Join(dir, "phase0_metrics.jsonl"), "-mode", "concurrent")
	if err == nil && out.Arm == armGenerated {
		s.protocol = generated
	}
	return s, err
}

// metric returns a reader of one family of GET /metrics.
func (s *subject) metric(name string) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		text, _, err := get(ctx, client(), s.url("/metrics"))
		if err != nil {
			return 0, err
		}
		return family(text, name)
	}
}

var errMissing = errors.New("not there")

// family adds up the samples of a counter or gauge in Prometheus' text format.
func family(text []byte, name string) (float64, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return 0, fmt.Errorf("parse metrics: %w", err)
	}
	f, ok := families[name]
	if !ok {
		return 0, fmt.Errorf("parse metrics: %s: %w", name, errMissing)
	}
	sum := 0.0
	for _, m := range f.GetMetric() {
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
	}
	return sum, nil
}

// influxVars reads from InfluxDB's /debug/vars how many points its shards took and
// how many bytes it has allocated.
func influxVars(text []byte) (points, allocated float64, err error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return 0, 0, fmt.Errorf("parse /debug/vars: %w", err)
	}
	var memory struct{ TotalAlloc *float64 }
	if err := json.Unmarshal(all["memstats"], &memory); err != nil || memory.TotalAlloc == nil {
		return 0, 0, fmt.Errorf("parse /debug/vars: memstats: %w", errors.Join(err, errMissing))
	}
	for key, value := range all {
		if !strings.HasPrefix(key, "shard:") {
			continue
		}
		var shard struct {
			Values struct{ WritePointsOk *float64 }
		}
		if err := json.Unmarshal(value, &shard); err != nil || shard.Values.WritePointsOk == nil {
			return 0, 0, fmt.Errorf("parse /debug/vars: %.40s: %w", key, errors.Join(err, errMissing))
		}
		points += *shard.Values.WritePointsOk
	}
	return points, *memory.TotalAlloc, nil
}

// size is that of a file, 0 before it exists.
func size(path string) (float64, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("look at data: %w", err)
	}
	return float64(info.Size()), nil
}

// linesBetween counts the line ends in a stretch of a file.
func linesBetween(path string, from, to int64) (float64, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return 0, fmt.Errorf("count lines: %w", err)
	}
	defer file.Close()
	stretch := io.NewSectionReader(file, from, to-from)
	buffer := make([]byte, 1<<20)
	lines := 0
	for {
		n, err := stretch.Read(buffer)
		lines += bytes.Count(buffer[:n], []byte("\n"))
		if errors.Is(err, io.EOF) {
			return float64(lines), nil
		}
		if err != nil {
			return 0, fmt.Errorf("count lines: %w", err)
		}
	}
}

// answers waits until a server that does not say so answers on a path.
func (s *subject) answers(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		_, _, err := get(ctx, client(), s.url(path))
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("wait for %s: %w: it said %q", path, err, s.process.Complaint())
		}
		pause(ctx, 50*time.Millisecond)
	}
}
