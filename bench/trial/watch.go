package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// depthLog holds queue depths and when they were asked for.
type depthLog struct {
	at    []time.Time
	depth []int64
	err   error
}

// watchDepth asks for the queue's depth again and again. The log may be read once the
// returned function, which ends that, has returned.
func watchDepth(ctx context.Context, s *server) (log *depthLog, stop func()) {
	log = &depthLog{}
	watching, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		client := newClient(false)
		for watching.Err() == nil {
			depth, err := healthDepth(watching, client, s)
			if err != nil && watching.Err() == nil {
				log.err = err
				return
			}
			log.at, log.depth = append(log.at, time.Now()), append(log.depth, depth)
			pause(watching, watchPause)
		}
	})
	return log, func() { cancel(); watch.Wait() }
}

// neverEmpty returns an error unless the queue was seen to hold something all the time.
func (l *depthLog) neverEmpty(from, to time.Time) error {
	seen := 0
	for i, at := range l.at {
		if at.Before(from) || at.After(to) {
			continue
		}
		seen++
		if l.depth[i] == 0 {
			return fmt.Errorf("the queue was empty after %v: more than what was offered could be stored", at.Sub(from).Round(time.Millisecond))
		}
	}
	if l.err == nil && seen == 0 {
		return errors.New("the queue's depth was never seen")
	}
	return l.err
}

// awaitEmpty waits until the server's queue is empty and returns how long that took
// since an instant. It gives up after a bound: took is 0 then, and left what the
// queue holds.
func awaitEmpty(ctx context.Context, s *server, since time.Time, bound time.Duration) (took time.Duration, left int64, err error) {
	client := newClient(false)
	for {
		left, err := healthDepth(ctx, client, s)
		took := max(time.Since(since), 1)
		switch {
		case err != nil:
			return 0, left, err
		case left == 0:
			return took, 0, nil
		case took > bound:
			return 0, left, nil
		}
		pause(ctx, recoverPause)
	}
}

// fileLog holds how many lines a file had when.
type fileLog struct {
	at    []time.Time
	lines []int64
}

// watchFile counts a file's lines again and again while f runs. It reads what was
// appended since the last time and asks nothing of the server.
func watchFile(ctx context.Context, path string, f func() error) (*fileLog, error) {
	log := &fileLog{}
	watching, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	var watchErr error
	watch.Go(func() { watchErr = log.watch(watching, path) })
	err := f()
	cancel()
	watch.Wait()
	return log, errors.Join(err, watchErr)
}

func (l *fileLog) watch(ctx context.Context, path string) error {
	var file *os.File
	defer func() {
		if file != nil {
			_ = file.Close() // it was only read
		}
	}()
	buffer := make([]byte, 64<<10)
	var lines int64
	for {
		if file == nil {
			var err error
			if file, err = os.Open(filepath.Clean(path)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("watch stored lines: %w", err)
			}
		}
		if file != nil {
			n, err := countMore(file, buffer)
			if err != nil {
				return err
			}
			lines += n
		}
		l.at, l.lines = append(l.at, time.Now()), append(l.lines, lines)
		if ctx.Err() != nil {
			return nil
		}
		pause(ctx, watchPause)
	}
}

// rate returns the lines per second between two instants, by straight lines between
// what was seen around them.
func (l *fileLog) rate(from, to time.Time) float64 {
	if seconds := to.Sub(from).Seconds(); seconds > 0 {
		return (l.linesAt(to) - l.linesAt(from)) / seconds
	}
	return 0
}

func (l *fileLog) linesAt(t time.Time) float64 {
	for i, at := range l.at {
		if at.Before(t) {
			continue
		}
		if i == 0 {
			return float64(l.lines[0])
		}
		share := t.Sub(l.at[i-1]).Seconds() / at.Sub(l.at[i-1]).Seconds()
		return float64(l.lines[i-1]) + share*float64(l.lines[i]-l.lines[i-1])
	}
	if len(l.lines) == 0 {
		return 0
	}
	return float64(l.lines[len(l.lines)-1])
}
