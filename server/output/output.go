// Package output writes lines to an output that nobody may be reading, such as the pipe of a
// reader that hangs or a terminal after Ctrl-S: who prints never waits. Each part of a
// program that prints has a Source, so that its lines are counted apart; the lines of all
// sources come in the order in which they were printed. All methods are safe for concurrent
// use.
package output

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// waitingBytes bounds the lines that wait for somebody to read: some 100,000.
	waitingBytes = 8 << 20
	// flush is how long Close waits for them to be written.
	flush = 2 * time.Second
)

// Writer owns an output. Create it with New.
//
// What is printed is written in order, each Write of a source by one Write, by a goroutine
// that lives as long as there is any. What does not fit into 8 MiB meanwhile is left out,
// counted, and told in its place:
//
//	… 12 lines left out
type Writer struct {
	out io.Writer

	mu        sync.Mutex
	waiting   []text
	bytes     int           // of them
	under     text          // is being written
	writing   chan struct{} // closed when the goroutine ends, nil when there is none
	closed    bool
	abandoned bool // Close did not wait any longer
	counts    Counts
}

// text is what one Write brought, or how many lines are left out in its place.
type text struct {
	bytes []byte
	lines uint64
	from  *Source // nil where lines are left out
}

// Counts tells what became of lines.
type Counts struct {
	Written uint64
	Failed  uint64 // the output refused them
	LeftOut uint64 // nobody read the output
}

// New returns a writer to out, whose Write may block.
func New(out io.Writer) *Writer { return &Writer{out: out} }

// Source is an io.Writer for lines of one kind.
type Source struct {
	to     *Writer
	counts Counts // guarded by to.mu
}

// Source returns a source with counters of its own.
func (w *Writer) Source() *Source { return &Source{to: w} }

// Write implements io.Writer. It takes whole lines, copies them, and neither waits nor fails:
// the counters tell what became of them.
func (s *Source) Write(p []byte) (int, error) {
	w := s.to
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put(text{bytes: bytes.Clone(p), lines: uint64(bytes.Count(p, []byte{'\n'})), from: s})
	if w.writing == nil && len(w.waiting) > 0 {
		w.writing = make(chan struct{})
		go w.write(w.writing)
	}
	return len(p), nil
}

// Counts tells what became of the source's lines.
func (s *Source) Counts() Counts {
	s.to.mu.Lock()
	defer s.to.mu.Unlock()
	return s.counts
}

// Counts tells what became of the lines of all sources.
func (w *Writer) Counts() Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts
}

// put takes a text if there is room. It is called with mu held.
func (w *Writer) put(t text) {
	last := len(w.waiting) - 1
	switch {
	case w.closed:
		w.leaveOut(t)
	case w.bytes+len(t.bytes) <= waitingBytes:
		w.waiting, w.bytes = append(w.waiting, t), w.bytes+len(t.bytes)
	case last >= 0 && w.waiting[last].from == nil:
		w.leaveOut(t)
		w.waiting[last].lines += t.lines
	default:
		w.leaveOut(t)
		w.waiting = append(w.waiting, text{lines: t.lines})
	}
}

// leaveOut counts a text that is never written. It is called with mu held.
func (w *Writer) leaveOut(t text) {
	w.counts.LeftOut += t.lines
	t.from.counts.LeftOut += t.lines
}

// write is the goroutine; Close waits for it.
func (w *Writer) write(ended chan<- struct{}) {
	defer close(ended)
	for t, ok := w.next(); ok; t, ok = w.next() {
		if t.from == nil {
			_, _ = fmt.Fprintf(w.out, "… %d lines left out\n", t.lines) // they are counted, whether it is seen or not
			continue
		}
		_, err := w.out.Write(t.bytes)
		w.wrote(t, err)
	}
}

// next takes a text; without one the goroutine is to end.
func (w *Writer) next() (t text, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		w.waiting, w.writing = nil, nil
		return t, false
	}
	t, w.waiting[0] = w.waiting[0], text{}
	w.waiting = w.waiting[1:]
	w.bytes -= len(t.bytes)
	w.under = t
	return t, true
}

// wrote counts a text that was written or refused; what was given up is counted already.
func (w *Writer) wrote(t text, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.under = text{}
	switch {
	case w.abandoned:
	case err != nil:
		w.counts.Failed += t.lines
		t.from.counts.Failed += t.lines
	default:
		w.counts.Written += t.lines
		t.from.counts.Written += t.lines
	}
}

// Close waits for what is printed to be written, for two seconds at most; then what is left
// is counted, and the goroutine, which nothing can interrupt, stays with what it writes.
// Nothing is taken afterwards.
func (w *Writer) Close() {
	w.mu.Lock()
	w.closed = true
	writing := w.writing
	if w.abandoned {
		writing = nil
	}
	w.mu.Unlock()
	if writing == nil {
		return
	}
	timer := time.NewTimer(flush)
	defer timer.Stop()
	select {
	case <-writing:
	case <-timer.C:
		w.abandon()
	}
}

func (w *Writer) abandon() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.abandoned = true
	for _, t := range append([]text{w.under}, w.waiting...) {
		if t.from != nil {
			w.leaveOut(t)
		}
	}
	w.under, w.waiting, w.bytes = text{}, nil, 0
}
