package output

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// writes keeps every Write apart.
type writes struct {
	texts []string
	err   error
}

func (w *writes) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.texts = append(w.texts, string(b))
	return len(b), nil
}

// stuck is an output that takes nothing until it is read.
type stuck struct {
	read chan struct{}
	writes
}

func (s *stuck) Write(b []byte) (int, error) { <-s.read; return s.writes.Write(b) }

var _ io.Writer = (*Source)(nil)

// What several sources print comes in order, as it was printed, and is counted apart.
func TestSourcesShareAnOutput(t *testing.T) {
	var out writes
	w := New(&out)
	a, b := w.Source(), w.Source()
	var want []string
	for i := range 100 {
		fmt.Fprintf(a, "a %d\n", i)
		fmt.Fprintf(b, "b %d\nand more\n", i)
		want = append(want, fmt.Sprintf("a %d\n", i), fmt.Sprintf("b %d\nand more\n", i))
	}
	w.Close()
	if strings.Join(out.texts, "|") != strings.Join(want, "|") {
		t.Errorf("written %q", out.texts)
	}
	if a.Counts() != (Counts{Written: 100}) || b.Counts() != (Counts{Written: 200}) || w.Counts() != (Counts{Written: 300}) {
		t.Errorf("counted %+v and %+v, in all %+v", a.Counts(), b.Counts(), w.Counts())
	}
	fmt.Fprintln(a, "late")
	if a.Counts() != (Counts{Written: 100, LeftOut: 1}) || len(out.texts) != len(want) {
		t.Errorf("after the end %+v", a.Counts())
	}
}

// What is printed is written at once, and not only when something else comes.
func TestLinesDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out writes
		s := New(&out).Source()
		for i := range 3 {
			fmt.Fprintln(s, i)
			synctest.Wait()
			if len(out.texts) != i+1 {
				t.Errorf("%d lines printed, written %q", i+1, out.texts)
			}
		}
	})
}

func TestRefusedLinesAreCounted(t *testing.T) {
	w := New(&writes{err: errors.New("broken pipe")})
	s := w.Source()
	fmt.Fprintln(s, "a")
	w.Close()
	if s.Counts() != (Counts{Failed: 1}) || w.Counts() != (Counts{Failed: 1}) {
		t.Errorf("counted %+v, in all %+v", s.Counts(), w.Counts())
	}
}

// An output that nobody reads holds nobody up. When it is read again there are the lines
// that there was room for, in order, and how many are missing where they are missing.
func TestUnreadOutputIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stuck{read: make(chan struct{})}
		w := New(out)
		s := w.Source()
		const n = 10_000 // of 1,001 bytes each
		for i := range n {
			fmt.Fprintf(s, "%01000d\n", i)
			synctest.Wait()
		}
		left := s.Counts().LeftOut
		if left < 1000 || left > 3000 {
			t.Errorf("%d lines left out", left)
		}
		close(out.read)
		synctest.Wait()
		fmt.Fprintf(s, "%01000d\n", n)
		w.Close()
		if got := uint64(len(out.texts)); got != n+2-left || s.Counts() != (Counts{Written: n + 1 - left, LeftOut: left}) || w.Counts() != s.Counts() {
			t.Errorf("%d lines, %+v", got, s.Counts())
		}
		for i, line := range out.texts {
			want := fmt.Sprintf("%01000d\n", i)
			switch i {
			case int(n - left):
				want = fmt.Sprintf("… %d lines left out\n", left)
			case int(n - left + 1):
				want = fmt.Sprintf("%01000d\n", n)
			}
			if line != want {
				t.Fatalf("line %d is %q, want %q", i, line, want)
			}
		}
	})
}

// Close does not wait for ever for somebody to read, and counts what he will not see.
func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stuck{read: make(chan struct{})}
		w := New(out)
		a, b := w.Source(), w.Source()
		fmt.Fprintln(a, "under way")
		synctest.Wait()
		fmt.Fprintln(b, "waits")
		begin := time.Now()
		w.Close()
		w.Close()
		fmt.Fprintln(b, "late")
		if took := time.Since(begin); took != flush || a.Counts() != (Counts{LeftOut: 1}) || b.Counts() != (Counts{LeftOut: 2}) || w.Counts() != (Counts{LeftOut: 3}) {
			t.Errorf("took %v, counted %+v and %+v, in all %+v", took, a.Counts(), b.Counts(), w.Counts())
		}
		close(out.read) // the line under way is written after all, and the goroutine ends
		synctest.Wait()
		if len(out.texts) != 1 || w.Counts() != (Counts{LeftOut: 3}) {
			t.Errorf("written: %q, counted %+v", out.texts, w.Counts())
		}
	})
}

// Close waits for a reader that is only slow.
func TestCloseWaitsForASlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stuck{read: make(chan struct{})}
		w := New(out)
		fmt.Fprintln(w.Source(), "a")
		time.AfterFunc(flush/2, func() { close(out.read) })
		begin := time.Now()
		w.Close()
		if took := time.Since(begin); took != flush/2 || len(out.texts) != 1 || w.Counts() != (Counts{Written: 1}) {
			t.Errorf("took %v, written %q, counted %+v", took, out.texts, w.Counts())
		}
	})
}
