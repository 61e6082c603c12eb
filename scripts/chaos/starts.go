package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/rs/zerolog"

	"phase0/scripts/lab"
	"phase0/server/disk"
	"phase0/server/queue"
	"phase0/server/queue/bounded"
	"phase0/server/queue/wal"
	"phase0/server/sample"
)

const (
	startTries    = 3
	startRepeats  = 3 // of disturbed starts, for each log
	startPatience = 60 * time.Second
	startSeries   = 100
	// checkpointed is the most that a server leaves in the storage file beyond its cursor: so
	// many that a checkpoint is due, but for a sample; the batch that makes it so; and another
	// that was appended and not acknowledged.
	checkpointed = wal.CheckpointSamples + 2*1024
)

var readyLine = regexp.MustCompile(`^\[Ingestion\] Server started on port (\d+)`)

// logStarts are starts with a long log, and such without one that find the same storage file:
// what the latter take, the process and the index of queries, does not depend on the log.
type logStarts struct {
	Name    string     `json:"name"`
	Log     int64      `json:"log_bytes"`
	Stored  int64      `json:"stored_bytes"` // of the storage file
	With    []logStart `json:"with"`
	Without []logStart `json:"without"`
	Verdict string     `json:"verdict"`
	Why     string     `json:"why,omitempty"`
}

// logStart is a start of a server; the machine's load is until the process was gone.
type logStart struct {
	Ready   time.Duration `json:"ready_ns"`
	Machine lab.Load      `json:"machine"`
}

// measureStarts makes logs that nobody has consumed, with the code of the server, and starts
// the server on them.
func measureStarts(ctx context.Context, server, scratch string, longest int64) (all []*logStarts, err error) {
	for _, c := range []struct {
		name   string
		batch  int
		stored int // samples
	}{
		{"pushes of 1,000, nothing in the file", 1000, 0},
		{"pushes of 1,000, the first in the file and not synced", 1000, checkpointed},
		{"pushes of one, nothing in the file", 1, 0},
		{"pushes of one, the first in the file and not synced", 1, checkpointed},
	} {
		dir := filepath.Join(scratch, "start")
		s := &logStarts{Name: c.name}
		err := os.Mkdir(dir, 0o755)
		if err == nil {
			err = s.measure(ctx, server, filepath.Join(dir, "m.jsonl"), longest, c.batch, c.stored)
		}
		if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
			return all, fmt.Errorf("start with a long log, %s: %w", c.name, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func (s *logStarts) measure(ctx context.Context, server, data string, bytes int64, batch, stored int) error {
	if err := makeLog(ctx, data, bytes, batch, stored); err != nil {
		return err
	}
	if err := syncAll(segmentsOf(data)); err != nil {
		return err
	}
	info, err := os.Stat(data)
	if err != nil {
		return err
	}
	s.Stored = info.Size()
	segments := segmentsOf(data)
	for _, path := range segments[:len(segments)-1] { // the last one was just begun
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		s.Log += info.Size()
	}
	if s.With, err = startsOn(ctx, server, data, s.Stored); err != nil {
		return err
	}
	// A log of its own makes the file as one that a server has left.
	if err := errors.Join(os.RemoveAll(wal.Dir(data)), os.Truncate(data, s.Stored)); err != nil {
		return err
	}
	if err := makeLog(ctx, data, 0, batch, 0); err != nil {
		return err
	}
	s.Without, err = startsOn(ctx, server, data, s.Stored)
	return err
}

// makeLog makes a log of some size, unsynced, and appends so many of its samples to the storage file.
func makeLog(ctx context.Context, data string, bytes int64, batch, stored int) (err error) {
	q, err := wal.Open(wal.Config{
		FS: disk.OS{}, Data: data, Bytes: 2 * max(bytes, wal.MinBytes),
		Limit: bounded.Limit{Samples: 100_000, Bytes: 64 << 20}, Sync: wal.Policy{None: true}, Log: zerolog.Nop(),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.Release()) }()
	f, err := os.OpenFile(data, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	names := make([]string, startSeries)
	for i := range names {
		names[i] = fmt.Sprintf("cpu_usage_%d", i)
	}
	samples := make([]sample.Sample, batch)
	var lines []byte
	for n := 0; q.Counters().LogBytes < bytes && ctx.Err() == nil; n++ {
		lines = lines[:0]
		for i := range samples {
			samples[i] = sample.Sample{Name: names[(n+i)%startSeries], Value: float64(n) + float64(i)/8, Timestamp: 1_700_000_000_000 + int64(n)}
			if n*batch+i < stored {
				lines = sample.AppendLine(lines, samples[i])
			}
		}
		if err := q.Push(ctx, samples); err != nil {
			return err
		}
		for q.Stats().Depth > 0 { // out of memory, not out of the log
			if _, err := q.Pop(ctx, queue.Want{Samples: batch, Bytes: math.MaxInt}); err != nil {
				return err
			}
			q.Ack()
		}
		if _, err := f.Write(lines); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// syncAll brings files to the disk, where a server would have them that answers afterwards.
func syncAll(paths []string) error {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func segmentsOf(data string) []string {
	paths, _ := filepath.Glob(filepath.Join(wal.Dir(data), "*.wal")) // the pattern is sound
	return paths
}

// startsOn starts a server again and again on the same files, until enough starts were
// undisturbed, or too many were not.
func startsOn(ctx context.Context, server, data string, size int64) (all []logStart, err error) {
	keep := filepath.Join(filepath.Dir(data), "keep")
	if err := os.Mkdir(keep, 0o755); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(keep)) }()
	if err := lend(wal.Dir(data), keep); err != nil {
		return nil, err
	}
	for undisturbed := 0; undisturbed < startTries && len(all) < startTries+startRepeats; {
		dir := wal.Dir(data)
		if err := errors.Join(os.Truncate(data, size), os.RemoveAll(dir), os.Mkdir(dir, 0o755), lend(keep, dir)); err != nil {
			return all, err
		}
		before, began := lab.ReadMachine(), time.Now()
		p, err := lab.Start(ctx, lab.Command{
			Path: server, Args: []string{"-mode", "concurrent", "-queue", "wal", "-addr", "127.0.0.1:0", "-data", data},
			Ready: readyLine, Patience: startPatience,
		})
		if err != nil {
			return all, err
		}
		took := time.Since(began)
		p.Kill()
		all = append(all, logStart{Ready: took, Machine: lab.ReadMachine().Since(before)})
		if all[len(all)-1].Machine.Disturbed() == "" {
			undisturbed++
		}
	}
	return all, nil
}

// lend gives segments second names, and copies the cursor, which changes.
func lend(from, to string) error {
	paths, err := filepath.Glob(filepath.Join(from, "*.wal"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := os.Link(path, filepath.Join(to, filepath.Base(path))); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(filepath.Join(from, "cursor"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(to, "cursor"), text, 0o644)
}
