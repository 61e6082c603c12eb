package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"phase0/server/alerting"
	"phase0/server/alerting/notify"
	"phase0/server/disk"
)

var (
	_ alerting.Notifier = (*Outbox)(nil)
	_ alerting.Memory   = (*Outbox)(nil)
)

// fake is a receiver that answers as it is told.
type fake struct {
	name   string
	answer func(ctx context.Context, b notify.Batch) error // nil: takes everything

	mu   sync.Mutex
	got  []alerting.Notification
	keys []string
}

func (f *fake) Name() string { return f.name }

func (f *fake) Deliver(ctx context.Context, b notify.Batch) error {
	if f.answer != nil {
		if err := f.answer(ctx, b); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, b.Notifications...)
	f.keys = append(f.keys, b.Key)
	return nil
}

func (f *fake) names() (names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.got {
		names = append(names, n.Alert.Labels["alertname"]+" "+string(n.Status)+" "+n.EndsAt.Format("5"))
	}
	return names
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// unsynced is the real file system without the wait for the disk, which has to survive
// nothing here.
type unsynced struct{ disk.OS }

func (u unsynced) OpenFile(name string, flag int, perm fs.FileMode) (disk.File, error) {
	file, err := u.OS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return unsyncedFile{file}, nil
}

type unsyncedFile struct{ disk.File }

func (unsyncedFile) Sync() error { return nil }

// rig is an outbox under test.
type rig struct {
	t     *testing.T
	dir   string
	fs    disk.FS
	bytes int64
	log   logBuffer
	to    []notify.Receiver
	live  func() []alerting.Alert
}

func newRig(t *testing.T, to ...notify.Receiver) *rig {
	return &rig{t: t, dir: t.TempDir(), fs: unsynced{}, bytes: MinBytes, to: to}
}

func (r *rig) open() *Outbox {
	r.t.Helper()
	o, err := Open(Config{FS: r.fs, Dir: r.dir, MaxBytes: r.bytes, Receivers: r.to, Active: r.live, Log: zerolog.New(&r.log)})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(o.Close)
	return o
}

func (r *rig) start() *Outbox {
	o := r.open()
	o.Start()
	return o
}

func (r *rig) files(suffix string) []string {
	found, err := filepath.Glob(filepath.Join(r.dir, "*"+suffix))
	if err != nil {
		r.t.Fatal(err)
	}
	return found
}

var epoch = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// fires and ends make transition i of an alert.
func fires(name string, i int) alerting.Notification {
	a := alerting.Alert{
		State: alerting.Firing, Labels: map[string]string{"alertname": name}, Annotations: map[string]string{"summary": "s"},
		Value: 85.5, Since: epoch.Add(time.Duration(i) * time.Second), Rule: "m > 1", Summary: "m",
	}
	a.Fingerprint = alerting.Fingerprint(a.Labels)
	return alerting.NewNotification(alerting.StatusFiring, a, a.Since)
}

func ends(name string, i int) alerting.Notification {
	return alerting.NewNotification(alerting.StatusResolved, fires(name, i).Alert, epoch.Add(time.Duration(i)*time.Second+500*time.Millisecond))
}

func list(n ...alerting.Notification) []alerting.Notification { return n }

func TestDeliversToAllInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &fake{name: "a"}, &fake{name: "b"}
		r := newRig(t, a, b)
		o := r.start()
		var want []alerting.Notification
		for i := range 1200 {
			want = append(want, fires(fmt.Sprint(i%7), i), ends(fmt.Sprint(i%7), i))
		}
		want[3].Alert.Value = math.Inf(1)
		o.Notify(want[:5])
		o.Notify(want[5:6])
		o.Notify(want[6:])
		synctest.Wait()
		o.Close()
		for _, f := range []*fake{a, b} {
			if !reflect.DeepEqual(f.got, want) {
				t.Errorf("%s got %d of %d, or others", f.name, len(f.got), len(want))
			}
		}
		if s := o.Stats(); s != (alerting.Deliveries{Sent: 4800}) {
			t.Errorf("stats %+v, log %s", s, &r.log)
		}
		o.Notify(want[:1])
		if s := o.Stats(); s.Dropped != 1 {
			t.Errorf("after Close: %+v", s)
		}
	})
}

// A receiver that fails is tried again, with pauses that grow to a bound; it delays no
// other one, and gets everything in order once it works.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begin := time.Now()
		keys := map[string]bool{} // of the first batch
		bad := &fake{name: "bad", answer: func(_ context.Context, b notify.Batch) error {
			at = append(at, time.Since(begin))
			if time.Since(begin) < 10*time.Minute {
				keys[b.Key] = true
				return errors.New("answered 500")
			}
			return nil
		}}
		good := &fake{name: "good"}
		r := newRig(t, bad, good)
		o := r.start()
		for i := range 3 {
			o.Notify(list(fires("A", i), ends("A", i)))
			synctest.Wait()
		}
		if n := len(good.got); n != 6 || time.Since(begin) != 0 {
			t.Errorf("the good one has %d after %v", n, time.Since(begin))
		}
		if d := o.Deliveries(); d[0].Pending != 6 || d[1].Pending != 0 {
			t.Errorf("%+v", d)
		}
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		if !slices.Equal(bad.names(), good.names()) {
			t.Errorf("got %v", bad.names())
		}
		var longest time.Duration
		for i := 1; i < len(at); i++ {
			longest = max(longest, at[i]-at[i-1])
		}
		// 600 s at 15 s on average, after some short ones.
		if len(at) < 30 || len(at) > 90 || longest > 30*time.Second || longest < 15*time.Second {
			t.Errorf("%d attempts, at most %v apart", len(at), longest)
		}
		if len(keys) != 1 {
			t.Errorf("repeats have %d keys", len(keys))
		}
		if n := strings.Count(r.log.String(), "delivery failed"); n != 1 || !strings.Contains(r.log.String(), "works again") {
			t.Errorf("%d lines: %s", n, &r.log)
		}
	})
}

func TestRetryAfterIsHonouredAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for asked, least := range map[time.Duration]time.Duration{20 * time.Second: 20 * time.Second, 24 * time.Hour: 5 * time.Minute} {
			begin := time.Now()
			var tries atomic.Int32
			f := &fake{name: "a", answer: func(context.Context, notify.Batch) error {
				if tries.Add(1) == 1 {
					return fmt.Errorf("post: %w", &notify.RetryError{After: asked, Err: errors.New("503")})
				}
				return nil
			}}
			o := newRig(t, f).start()
			o.Notify(list(fires("A", 0)))
			time.Sleep(least - time.Millisecond)
			synctest.Wait()
			if tries.Load() != 1 {
				t.Errorf("asked for %v, tried after %v", asked, time.Since(begin))
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if tries.Load() != 2 {
				t.Errorf("asked for %v, %d tries after %v", asked, tries.Load(), time.Since(begin))
			}
			o.Close()
		}
	})
}

// Of a batch that is refused, only what cannot be taken is given up.
func TestRefusedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "a", answer: func(_ context.Context, b notify.Batch) error {
			if slices.ContainsFunc(b.Notifications, func(n alerting.Notification) bool { return n.Alert.Labels["alertname"] == "poison" }) {
				return fmt.Errorf("answered 400: %w", notify.ErrRefused)
			}
			return nil
		}}
		r := newRig(t, f)
		o := r.start()
		o.Notify(list(fires("A", 0), fires("poison", 1), fires("B", 2)))
		o.Notify(list(fires("C", 3)))
		synctest.Wait()
		o.Close()
		if got := strings.Join(f.names(), ","); got != "A firing 0,B firing 0,C firing 0" {
			t.Errorf("got %s", got)
		}
		if s := o.Stats(); s != (alerting.Deliveries{Sent: 3, Failed: 1}) || !strings.Contains(r.log.String(), fires("poison", 1).Key) {
			t.Errorf("%+v, %s", s, &r.log)
		}
	})
}

// What was not delivered is delivered after the next start, in order, and what was is not
// delivered again.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := true
		f := &fake{name: "a", answer: func(_ context.Context, b notify.Batch) error {
			if dead && b.Notifications[0].Alert.Labels["alertname"] != "A" {
				return errors.New("dead")
			}
			return nil
		}}
		r := newRig(t, f)
		o := r.start()
		o.Notify(list(fires("A", 0)))
		synctest.Wait()
		o.Notify(list(fires("B", 1), fires("C", 2)))
		o.Notify(list(ends("B", 1)))
		synctest.Wait()
		begin := time.Now()
		o.Close()
		if took := time.Since(begin); took > 0 {
			t.Errorf("a receiver that fails delays the end by %v", took)
		}
		if !strings.Contains(r.log.String(), `"notifications":3,"message":"not delivered yet`) {
			t.Errorf("log %s", &r.log)
		}
		dead = false
		o = r.start()
		synctest.Wait()
		o.Close()
		if got := strings.Join(f.names(), ","); got != "A firing 0,B firing 0,C firing 0,B resolved 1" {
			t.Errorf("got %s", got)
		}
		told := r.open().Told()
		if a, c := fires("A", 0), fires("C", 2); !reflect.DeepEqual(told, map[string]alerting.Notification{alerting.Identity(a.Alert.Labels): a, alerting.Identity(c.Alert.Labels): c}) {
			t.Errorf("told %+v", told)
		}
	})
}

// Close waits for deliveries that go on, for a bounded time, and ends one that hangs.
func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := &fake{name: "hangs", answer: func(ctx context.Context, _ notify.Batch) error { <-ctx.Done(); return ctx.Err() }}
		slow := &fake{name: "slow", answer: func(context.Context, notify.Batch) error { time.Sleep(time.Second); return nil }}
		o := newRig(t, hangs, slow).start()
		for i := range 20 {
			o.Notify(list(fires("A", i)))
			synctest.Wait() // a record each
		}
		begin := time.Now()
		o.Close()
		o.Close()
		if took := time.Since(begin); took < 4*time.Second || took > 7*time.Second || len(slow.got) < 4 {
			t.Errorf("took %v, %d were delivered", took, len(slow.got))
		}
	})
}

// A full outbox costs only the receiver that is behind, and says what.
func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead atomic.Bool
		dead.Store(true)
		bad := &fake{name: "bad", answer: func(context.Context, notify.Batch) error {
			if dead.Load() {
				return errors.New("dead")
			}
			return nil
		}}
		good := &fake{name: "good"}
		r := newRig(t, bad, good)
		o := r.start()
		const n = 20_000 // about 8 MB
		for i := range n {
			o.Notify(list(fires("A", i)))
			if i%50 == 0 {
				synctest.Wait()
			}
			if u := o.Usage(); u.Bytes > MinBytes {
				t.Fatalf("%d bytes after %d notifications", u.Bytes, i)
			}
		}
		synctest.Wait()
		if got := len(good.got); got != n {
			t.Errorf("the good one has %d", got)
		}
		missed := o.Deliveries()[0].Missed
		if missed == 0 || o.Stats().Dropped != missed || !strings.Contains(r.log.String(), "outbox is full") {
			t.Errorf("missed %d, stats %+v, log %.300s", missed, o.Stats(), &r.log)
		}
		dead.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		missed = o.Deliveries()[0].Missed // less what was under way and arrived after all
		if got := uint64(len(bad.got)); got+missed != n || bad.got[len(bad.got)-1].Key != fires("A", n-1).Key {
			t.Errorf("the bad one has %d, missed %d", got, missed)
		}
		for i, b := 1, bad.got; i < len(b); i++ {
			if !b[i].Alert.Since.After(b[i-1].Alert.Since) {
				t.Fatal("out of order")
			}
		}
		o.Close()
		if segments := len(r.files(segmentSuffix)); segments > 2 {
			t.Errorf("%d segments are kept that nobody needs", segments)
		}
		if told := r.files(toldSuffix); len(told) != 1 {
			t.Errorf("told: %v", told)
		}
	})
}

// A notification that no record can hold costs itself only.
func TestTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{name: "a"}
		o := newRig(t, f).start()
		huge := fires("huge", 1)
		huge.Alert.Annotations = map[string]string{"a": strings.Repeat("x", maxRecord)}
		large := fires("large", 2)
		large.Alert.Annotations = map[string]string{"a": strings.Repeat("x", maxRecord*2/3)}
		o.Notify(list(fires("A", 0), huge, large, large, fires("B", 3)))
		synctest.Wait()
		o.Close()
		if got := len(f.got); got != 4 || o.Stats().Dropped != 1 {
			t.Errorf("%d, %+v", got, o.Stats())
		}
	})
}

// refreshed is a receiver that forgets.
type refreshed struct {
	fake
	again [][]alerting.Notification
}

func (*refreshed) Interval() time.Duration { return time.Minute }

func (f *refreshed) Refresh(_ context.Context, firing []alerting.Notification) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.again = append(f.again, firing)
	return nil
}

// What fires is repeated each minute as long as the engine says that it is true.
func TestRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &refreshed{fake: fake{name: "a"}}
		r := newRig(t, f)
		var mu sync.Mutex
		var live []alerting.Alert
		set := func(l ...alerting.Alert) { mu.Lock(); live = l; mu.Unlock() }
		r.live = func() []alerting.Alert { mu.Lock(); defer mu.Unlock(); return slices.Clone(live) }
		o := r.start()
		a, b := fires("A", 0), fires("B", 1)
		set(a.Alert, fires("never told", 2).Alert)
		o.Notify(list(a, b))
		time.Sleep(90 * time.Second)
		synctest.Wait()
		if len(f.again) != 1 || len(f.again[0]) != 1 || f.again[0][0].Key != a.Key {
			t.Errorf("after 90 s: %+v", f.again)
		}
		o.Notify(list(ends("A", 0)))
		set()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if len(f.again) != 1 {
			t.Errorf("what is over is repeated: %+v", f.again[1:])
		}
	})
}

// A receiver that is new gets what comes from now on, one that is gone is forgotten.
func TestReceiversComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &fake{name: "a"}, &fake{name: "b"}
		r := newRig(t, a)
		for i, to := range [][]notify.Receiver{{a}, {b}, {a, b}} {
			r.to = to
			o := r.start()
			o.Notify(list(fires("A", i)))
			synctest.Wait()
			o.Close()
		}
		if len(a.got) != 2 || len(b.got) != 2 || len(r.files(cursorSuffix)) != 2 {
			t.Errorf("a has %v, b has %v", a.names(), b.names())
		}
	})
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	r := newRig(t)
	path := filepath.Join(r.dir, "0000000000000001"+segmentSuffix)
	if err := os.WriteFile(path, []byte("P0OUTBX9 of another version"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Config{FS: r.fs, Dir: r.dir, MaxBytes: MinBytes, Log: zerolog.Nop()})
	if !errors.Is(err, errForeign) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open: %v", err)
	}
	if text, _ := os.ReadFile(path); string(text) != "P0OUTBX9 of another version" {
		t.Errorf("it holds %q now", text)
	}
}
