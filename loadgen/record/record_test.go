package record

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const ms = int64(time.Millisecond)

// fill returns the result of what was recorded.
func fill(t *testing.T, r *Recorder, scheduled int64) Stream {
	t.Helper()
	var res Stream
	if err := r.Fill(&res, scheduled); err != nil {
		t.Fatal(err)
	}
	return res
}

func TestBooksBalance(t *testing.T) {
	r := New(10*time.Second, 3)
	f := Flight{Intended: 0, Actual: 1 * ms}
	for i := range 7 {
		r.Shard(i).Sent(f)
	}
	r.Shard(0).Answered(f, 5*ms, 202)
	r.Shard(1).Answered(f, 6*ms, 200)
	r.Shard(2).Answered(f, 7*ms, 503)
	r.Shard(3).TimedOut(f, 50*ms)
	r.Shard(4).Failed(f, 8*ms, Reset)
	r.Shard(5).Failed(f, 8*ms, EOF)
	r.Shard(6).Open(f, 60*ms)
	r.Shard(7).NeverSent(2*ms, 60*ms, NoConnection)
	r.Shard(8).NeverSent(2*ms, 3*ms, Refused)
	res := fill(t, r, 9)
	want := Accounting{
		Scheduled: 9, Sent: 7, NeverSent: 2,
		Answered: 3, TimedOut: 1, Failed: 2, Open: 1, Accepted: 2,
		NeverSentKinds: map[string]int64{"no_connection": 1, "refused": 1},
		FailedKinds:    map[string]int64{"reset": 1, "eof": 1},
		StatusClasses:  map[string]int64{"2xx": 2, "5xx": 1},
		StatusCodes:    map[string]int64{"202": 1, "200": 1, "503": 1},
	}
	if !reflect.DeepEqual(res.Accounting, want) {
		t.Errorf("accounting\n%+v, want\n%+v", res.Accounting, want)
	}
	if err := res.Accounting.Check(); err != nil {
		t.Error(err)
	}
	if got := res.ResponseTime; got.Count != 2 || got.Censored != 3 {
		t.Errorf("response time of %d, %d censored; want 2 and 3", got.Count, got.Censored)
	}
	if got := res.ServiceTime; got.Count != 2 || got.Censored != 2 {
		t.Errorf("service time of %d, %d censored; want 2 and 2", got.Count, got.Censored)
	}
	if r.LastSent() != time.Millisecond || r.LastAccepted() != 6*time.Millisecond {
		t.Errorf("last sent %v, last accepted %v", r.LastSent(), r.LastAccepted())
	}
}

func TestCheckNamesTheSumThatFails(t *testing.T) {
	whole := Accounting{
		Scheduled: 3, Sent: 2, NeverSent: 1, Answered: 1, Failed: 1, Accepted: 1,
		NeverSentKinds: map[string]int64{"refused": 1},
		FailedKinds:    map[string]int64{"eof": 1},
		StatusClasses:  map[string]int64{"2xx": 1},
		StatusCodes:    map[string]int64{"200": 1},
	}
	if err := whole.Check(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		want  string
		spoil func(*Accounting)
	}{
		{"scheduled =", func(a *Accounting) { a.Scheduled++ }},
		{"sent =", func(a *Accounting) { a.Open++ }},
		{"status codes", func(a *Accounting) { a.StatusCodes = nil }},
		{"class 2xx", func(a *Accounting) { a.Accepted = 0 }},
		{"failed kinds", func(a *Accounting) { a.FailedKinds = nil }},
		{"never sent kinds", func(a *Accounting) { a.NeverSentKinds = nil }},
	}
	for _, tt := range tests {
		a := whole
		tt.spoil(&a)
		if err := a.Check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want one about %q", err, tt.want)
		}
	}
}

// The oracle of a percentile is the sorted slice.
func TestPercentilesAgreeWithSorting(t *testing.T) {
	for _, n := range []int{6, 36, 100, 368, 1000, 41_000} {
		r := New(time.Minute, 2)
		rng := rand.New(rand.NewPCG(1, uint64(n)))
		var all []int64
		for i := range n {
			ns := int64(math.Exp(rng.NormFloat64()) * float64(ms))
			all = append(all, ns)
			r.Shard(i).Answered(Flight{}, ns, 202)
		}
		slices.Sort(all)
		d := fill(t, r, 0).ResponseTime
		for i, p := range d.Percentiles {
			l := levels()[i]
			if int64(n) < l.needs {
				if p.Unavailable == "" || p.NS != 0 {
					t.Errorf("n=%d: %s = %+v, want none", n, p.Name, p)
				}
				continue
			}
			want := all[l.rank(int64(n))-1]
			if math.Abs(float64(p.NS-want)) > 0.001*float64(want) {
				t.Errorf("n=%d: %s = %d, want %d", n, p.Name, p.NS, want)
			}
		}
		if want := all[n-1]; math.Abs(float64(d.Max.NS-want)) > 0.001*float64(want) || d.Max.AtLeast {
			t.Errorf("n=%d: max %+v, want %d", n, d.Max, want)
		}
	}
}

func TestNeedsIsTheSmallestTwoSidedNumber(t *testing.T) {
	for _, l := range levels() {
		q := float64(l.per10k) / 10_000
		inside := func(n int64) bool { return 1-math.Pow(q, float64(n)) >= 0.975 }
		if !inside(l.needs) || inside(l.needs-1) {
			t.Errorf("%s needs %d, which is not the smallest number", l.name, l.needs)
		}
	}
}

func TestCensoredMakeLowerBounds(t *testing.T) {
	tests := []struct {
		name     string
		observed int   // 1 ms each
		censored int   // after
		after    int64 // ns
		p50, p99 string
	}{
		{"none", 1000, 0, 0, "1ms", "1ms"},
		{"beyond the percentile", 1000, 5, 5000 * ms, "1ms", "1ms"},
		{"reaching p99", 1000, 20, 5000 * ms, "1ms", "≥ 5s"},
		{"most", 400, 600, 5000 * ms, "≥ 5s", "≥ 5s"},
		// Given up early, they may have been quicker than all others or not.
		{"given up early", 1000, 5, ms / 2, "1ms", "1ms"},
		{"none observed", 0, 1000, 5000 * ms, "n/a", "n/a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := New(10*time.Second, 1)
			for range tt.observed {
				r.Shard(0).Answered(Flight{}, ms, 202)
			}
			for range tt.censored {
				r.Shard(0).TimedOut(Flight{}, tt.after)
			}
			d := fill(t, r, 0).ResponseTime
			p50, _ := d.At(0.5)
			p99, _ := d.At(0.99)
			if text(p50) != tt.p50 || text(p99) != tt.p99 {
				t.Errorf("p50 %s, p99 %s; want %s, %s", text(p50), text(p99), tt.p50, tt.p99)
			}
			if tt.censored > 0 && tt.observed > 0 && !d.Max.AtLeast {
				t.Error("the maximum is not a lower bound")
			}
		})
	}
}

func text(p Percentile) string {
	switch {
	case p.Unavailable != "":
		return "n/a"
	case p.AtLeast:
		return "≥ " + time.Duration(p.NS).Round(10*time.Millisecond).String()
	}
	return time.Duration(p.NS).Round(100 * time.Microsecond).String()
}

func TestOverflowIsCounted(t *testing.T) {
	r := New(time.Second, 1)
	r.Shard(0).Answered(Flight{}, int64(time.Minute), 202)
	d := fill(t, r, 1).ResponseTime
	if d.Count != 1 || d.Overflow != 1 {
		t.Errorf("count %d, overflow %d; want 1 and 1", d.Count, d.Overflow)
	}
}

func TestTimelineKeepsItsSumsAndItsBound(t *testing.T) {
	r := New(time.Second, 2)
	const seconds = 1000
	for i := range int64(seconds) {
		at := i * int64(time.Second)
		f := Flight{Intended: at, Actual: at}
		// One shard ends early, so that the two are of different width.
		shard := r.Shard(0)
		if i < 10 {
			shard = r.Shard(1)
		}
		shard.Sent(f)
		shard.Answered(f, at+ms, 202)
	}
	line := fill(t, r, seconds).Timeline
	if line.SliceSeconds != 16 || len(line.Slices) != 63 {
		t.Fatalf("%d slices of %v s, want 63 of 16 s", len(line.Slices), line.SliceSeconds)
	}
	for i, s := range line.Slices[:62] {
		if s.Sent != 16 || s.Accepted != 16 || s.P50NS < ms*98/100 || s.P50NS > ms*102/100 || s.P99NS != 0 {
			t.Errorf("slice %d is %+v", i, s)
		}
	}
}

func TestResultSurvivesJSON(t *testing.T) {
	r := New(time.Second, 1)
	for range 500 {
		r.Shard(0).Sent(Flight{})
		r.Shard(0).Answered(Flight{}, ms, 202)
	}
	res := Result{RunID: "abc", Stream: fill(t, r, 500)}
	data, err := json.Marshal(res)
	if err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(res, back) {
		t.Error("the result changed on its way through JSON")
	}
	h, err := back.ResponseTime.Histogram()
	if err != nil {
		t.Fatal(err)
	}
	if p99, _ := back.ResponseTime.At(0.99); h.TotalCount() != 500 || h.ValueAtQuantile(99) != p99.NS {
		t.Errorf("histogram of %d with p99 %d, want 500 with %d", h.TotalCount(), h.ValueAtQuantile(99), p99.NS)
	}
}

func TestRecordingDoesNotAllocate(t *testing.T) {
	s := New(time.Second, 1).Shard(0)
	f := Flight{}
	if n := testing.AllocsPerRun(1000, func() {
		s.Sent(f)
		s.Lag(f, 0)
		s.Answered(f, ms, 202)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRecorderIsSafeForConcurrentUse(t *testing.T) {
	r := New(time.Second, 4)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 1000 {
				r.Shard(i).Sent(Flight{})
				r.Shard(i+1).Answered(Flight{}, ms, 202)
			}
		})
	}
	for range 10 {
		r.Progress(time.Second)
	}
	wg.Wait()
	p := r.Progress(1500 * time.Millisecond)
	if p.Sent != 4000 || p.Accepted != 4000 || p.Open != 0 || p.Recent.Accepted != 4000 || p.Recent.P50NS == 0 {
		t.Errorf("progress %+v", p)
	}
}
