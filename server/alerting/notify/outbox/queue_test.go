package outbox

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/alerting"
	"phase0/server/alerting/notify"
	"phase0/server/disk"
)

// slowFS takes its time for each write of a segment, or fails it, and sees how large the
// directory gets.
type slowFS struct {
	unsynced
	dir     string
	delay   atomic.Int64
	fails   atomic.Bool
	hang    chan struct{} // nil, or writes wait until it is closed
	largest atomic.Int64
}

func (f *slowFS) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	file, err := f.unsynced.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &slowFile{file, f, strings.HasSuffix(name, segmentSuffix)}, nil
}

type slowFile struct {
	disk.File
	fs      *slowFS
	segment bool
}

func (f *slowFile) Write(p []byte) (int, error) {
	if f.segment {
		if f.fs.hang != nil {
			<-f.fs.hang
		}
		time.Sleep(time.Duration(f.fs.delay.Load()))
		if f.fs.fails.Load() {
			return 0, syscall.ENOSPC
		}
	}
	n, err := f.File.Write(p)
	f.fs.weigh()
	return n, err
}

// weigh remembers what segments and snapshots take at most, finished or not.
func (f *slowFS) weigh() {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return
	}
	var sum int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil && !strings.Contains(e.Name(), cursorSuffix) {
			sum += info.Size()
		}
	}
	f.largest.Store(max(f.largest.Load(), sum))
}

// startQueue starts an outbox whose queue is short.
func (r *rig) startQueue(queue int) *Outbox {
	r.t.Helper()
	l := defaults()
	l.queue = queue
	o, err := open(Config{FS: r.fs, Dir: r.dir, MaxBytes: r.bytes, Receivers: r.to, Log: zerolog.New(&r.log)}, l)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(o.Close)
	o.Start()
	return o
}

func many(n int) (all []alerting.Notification) {
	for i := range n {
		all = append(all, fires(fmt.Sprint(i), i))
	}
	return all
}

// What one evaluation tells, and the queue cannot hold, is told all the same as long as the
// disk takes some of it now and then.
func TestNotifyWaitsForASlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "a"}
		r := newRig(t, f)
		r.bytes = 64 << 20
		slow := &slowFS{dir: r.dir}
		slow.delay.Store(int64(4 * time.Second))
		r.fs = slow
		o := r.startQueue(500)
		begin := time.Now()
		const n = 5000
		o.Notify(many(n))
		if took := time.Since(begin); took < 2*defaults().patience {
			t.Errorf("Notify took %v, the disk takes longer", took)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(f.got) != n || o.Stats() != (alerting.Deliveries{Sent: n}) || r.log.String() != "" {
			t.Errorf("%d arrived, %+v, %s", len(f.got), o.Stats(), &r.log)
		}
		for i, n := range f.got {
			if n.Alert.Labels["alertname"] != fmt.Sprint(i) {
				t.Fatalf("%s is in place %d", n.Alert.Labels["alertname"], i)
			}
		}
	})
}

// A disk that fails, or hangs, holds evaluation up for ten seconds. What is dropped then is
// counted and said once, with the reason, until the disk works again.
func TestNotifyGivesADeadDiskUp(t *testing.T) {
	for reason, set := range map[string]func(*slowFS) (mend func()){
		diskFails: func(f *slowFS) func() { f.fails.Store(true); return func() { f.fails.Store(false) } },
		diskHangs: func(f *slowFS) func() { f.hang = make(chan struct{}); return func() { close(f.hang) } },
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{name: "a"}
			r := newRig(t, f)
			slow := &slowFS{dir: r.dir}
			mend := set(slow)
			r.fs = slow
			o := r.startQueue(10)
			begin := time.Now()
			o.Notify(many(15))
			if took := time.Since(begin); took != defaults().patience {
				t.Errorf("%s: waited for %v", reason, took)
			}
			o.Notify(many(2)) // nobody waits again
			if took := time.Since(begin); took != defaults().patience {
				t.Errorf("%s: waited for %v in the end", reason, took)
			}
			if u := o.Usage(); u.Lost[reason] != 7 || o.Stats().Dropped != 7 || u.Queued != 10 {
				t.Errorf("%s: %+v", reason, u)
			}
			if text := r.log.String(); strings.Count(text, `"reason":"`+reason+`"`) != 1 || strings.Count(text, `"reason"`) != 1 {
				t.Errorf("%s: %s", reason, text)
			}
			mend()
			time.Sleep(time.Minute)
			synctest.Wait()
			o.Notify(many(3))
			synctest.Wait()
			if len(f.got) != 13 || !strings.Contains(r.log.String(), "can be written again") {
				t.Errorf("%s: %d arrived, %s", reason, len(f.got), &r.log)
			}
		})
	}
}

// Close ends whoever waits for room, and does not wait for ever for a disk that hangs.
func TestCloseEndsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, &fake{name: "a"})
		slow := &slowFS{dir: r.dir, hang: make(chan struct{})}
		r.fs = slow
		o := r.startQueue(10)
		begin := time.Now()
		told := make(chan time.Duration)
		go func() { o.Notify(many(15)); told <- time.Since(begin) }()
		time.Sleep(time.Second)
		closed := make(chan time.Duration)
		go func() { o.Close(); closed <- time.Since(begin) }()
		if took := <-told; took != time.Second {
			t.Errorf("Notify returned after %v", took)
		}
		if took := <-closed; took != time.Second+2*defaults().closing {
			t.Errorf("Close returned after %v", took)
		}
		if u := o.Usage(); u.Lost[ended] != 5 || u.Lost[diskHangs] != 10 || !strings.Contains(r.log.String(), "was not closed") {
			t.Errorf("%+v, %s", u, &r.log)
		}
		close(slow.hang)
		synctest.Wait() // the goroutines left behind end
	})
}

// Large notifications fill the queue as many do.
func TestQueueIsBoundedInBytes(t *testing.T) {
	large := fires("A", 0)
	large.Alert.Annotations = map[string]string{"text": strings.Repeat("x", 1000)}
	l := defaults()
	l.queueBytes = 10 * weight(&large)
	var q queue
	rest := q.add([]alerting.Notification{large, large, large, large, large, large, large, large, large, large, large, large}, l)
	if len(rest) != 2 || q.count != 10 || q.bytes != l.queueBytes {
		t.Errorf("%d left, %d queued, %d bytes", len(rest), q.count, q.bytes)
	}
	q.gone(q.waiting)
	if q.count != 0 || q.bytes != 0 {
		t.Errorf("%d queued, %d bytes", q.count, q.bytes)
	}
	l.queueBytes = 1
	if rest := q.add([]alerting.Notification{large, large}, l); len(rest) != 1 {
		t.Errorf("%d left", len(rest))
	}
}

// What was told as firing counts among the bytes of the outbox, whatever there is of it.
func TestBytesAreBoundedWithWhatWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := &fake{name: "a", answer: func(ctx context.Context, _ notify.Batch) error { <-ctx.Done(); return ctx.Err() }}
		r := newRig(t, dead)
		slow := &slowFS{dir: r.dir}
		r.fs = slow
		o := r.startQueue(50_000)
		for range 3 {
			o.Notify(many(4000)) // 1.6 MB, all of which go on firing
			synctest.Wait()
		}
		if largest := slow.largest.Load(); largest > MinBytes || largest < MinBytes/2 {
			t.Errorf("%d bytes at most, of %d", largest, MinBytes)
		}
		if u := o.Usage(); u.Bytes > MinBytes || u.Told != 4000 {
			t.Errorf("%+v", u)
		}
		if !strings.Contains(r.log.String(), "more than a quarter") {
			t.Errorf("log %.1000s", &r.log)
		}
		o.Close()
		again := r.open()
		if o, n := o.Usage(), again.Usage(); n.Bytes != o.Bytes || n.Told == 0 || n.Told >= 4000 {
			t.Errorf("after a restart %+v, before %+v", n, o)
		}
	})
}

// Two alerts whose fingerprints collide are two.
func TestFingerprintsMayCollide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := fires("A", 0), fires("B", 0)
		a.Alert.Fingerprint, b.Alert.Fingerprint = "00000000deadbeef", "00000000deadbeef"
		f := &refreshed{fake: fake{name: "a"}}
		r := newRig(t, f)
		r.live = func() []alerting.Alert { return []alerting.Alert{a.Alert, b.Alert} }
		o := r.start()
		o.Notify(list(a, b))
		synctest.Wait()
		if told := o.Told(); len(told) != 2 {
			t.Errorf("told %v", told)
		}
		o.Notify(list(alerting.NewNotification(alerting.StatusResolved, a.Alert, epoch.Add(time.Second))))
		time.Sleep(90 * time.Second)
		synctest.Wait()
		o.Close()
		if len(f.again) != 1 || len(f.again[0]) != 1 || f.again[0][0].Key != b.Key {
			t.Errorf("repeated: %+v", f.again)
		}
		if told := r.open().Told(); len(told) != 1 {
			t.Errorf("told after a restart: %v", told)
		}
	})
}
