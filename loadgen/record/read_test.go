package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// whole returns a result of n requests with all that Read looks at.
func whole(t testing.TB, n int) Result {
	t.Helper()
	r := New(4*time.Second, 1)
	all := happenings(rand.New(rand.NewPCG(1, 2)), n)
	for _, h := range all {
		h(r.Shard(0))
	}
	start := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	res := Result{
		Schema: SchemaVersion, RunID: "ab12cd34", Model: "open", Engine: "epoll",
		Start: start, End: start.Add(time.Minute), ElapsedSeconds: 60,
		Generator: Generator{CPUs: 2, CPUSeconds: 1},
		Verdict:   Verdict{Level: Valid, Reasons: []string{}},
	}
	if err := r.Fill(&res.Stream, int64(len(all))); err != nil {
		t.Fatal(err)
	}
	res.WindowSeconds, res.OfferedRPS = 50, 10
	res.AchievedRPS = float64(res.Accounting.Sent) / 50
	res.AcceptedRPS = float64(res.Accounting.Accepted) / 51
	return res
}

func encoded(t testing.TB, r Result) []byte {
	t.Helper()
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

func TestReadReturnsWhatWasWritten(t *testing.T) {
	want := whole(t, 500)
	got, err := Read(bytes.NewReader(encoded(t, want)))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	extended := bytes.Replace(encoded(t, want), []byte("{"), []byte(`{"added_later": 1,`), 1)
	if _, err := Read(bytes.NewReader(extended)); err != nil {
		t.Errorf("a field of a later version: %v", err)
	}
}

// Each edit changes one thing; the error must name it.
func TestReadNamesTheFieldThatWasEdited(t *testing.T) {
	tests := []struct {
		want string
		edit func(*Result)
	}{
		{"run_id is", func(r *Result) { r.RunID = "" }},
		{"model is", func(r *Result) { r.Model = "ajar" }},
		{"start is", func(r *Result) { r.Start = time.Time{} }},
		{"end is", func(r *Result) { r.End = r.Start.Add(-1) }},
		{"elapsed_seconds is", func(r *Result) { r.ElapsedSeconds = -1 }},
		{"generator.cpu_seconds is", func(r *Result) { r.Generator.CPUSeconds = -1 }},
		{"generator.cpus is", func(r *Result) { r.Generator.CPUs = -1 }},
		{"verdict.level is", func(r *Result) { r.Verdict.Level = "GREAT" }},
		{"merged_from is", func(r *Result) { r.MergedFrom = []string{"a", "a"} }},
		{"window_seconds is", func(r *Result) { r.WindowSeconds = -1 }},
		{"achieved_rps is", func(r *Result) { r.WindowSeconds = 0 }},
		{"achieved_rps is", func(r *Result) { r.AchievedRPS *= 1.01 }},
		{"accepted_rps is", func(r *Result) { r.AcceptedRPS *= 1.1 }},
		{"offered_rps is", func(r *Result) { r.OfferedRPS = -1 }},
		{"connections.dials is", func(r *Result) { r.Connections.Dials = -1 }},
		{"scheduled = sent + never sent", func(r *Result) { r.Accounting.Scheduled++ }},
		{"accounting.open is -1", func(r *Result) { r.Accounting.Open = -1 }},
		{"accounting.failed_kinds.eof is -1", func(r *Result) { r.Accounting.FailedKinds["eof"] = -1 }},
		{"accounting.status_classes is", func(r *Result) { r.Accounting.StatusClasses["4xx"] = 1 }},
		{`accounting.status_codes: ""`, func(r *Result) { r.Accounting.StatusCodes[""] = 0 }},
		{`accounting.status_codes: "+20"`, func(r *Result) { r.Accounting.StatusCodes["+20"] = 0 }},
		{"timeline.slice_seconds is 3", func(r *Result) { r.Timeline.SliceSeconds = 3 }},
		{"timeline.slice_seconds is 0", func(r *Result) { r.Timeline.SliceSeconds = 0 }},
		{"timeline.slices is 65", func(r *Result) { r.Timeline.Slices = make([]Slice, 65) }},
		{"timeline.slices[0] has -5", func(r *Result) { r.Timeline.Slices[0].P50NS = -5 }},
		{"timeline.slices[0].p50_ns is", func(r *Result) { r.Timeline.Slices[0].P50NS++ }},
		{"timeline.slices[0].accepted is", func(r *Result) { r.Timeline.Slices[0].Accepted-- }},
		{"timeline.slices[0].hdr: ", func(r *Result) { r.Timeline.Slices[0].HDR = r.ResponseTime.HDR }},
		{"timeline.slices.sent is", func(r *Result) { r.Timeline.Slices[0].Sent++ }},
		{"timeline.slices.errors is", func(r *Result) { r.Timeline.Slices[0].Errors++ }},
		{"response_time.count is", func(r *Result) { r.ResponseTime.Count++ }},
		{"response_time.censored is", func(r *Result) { r.ResponseTime.CensoredHDR = "" }},
		{"response_time.overflow is", func(r *Result) { r.ResponseTime.Overflow = -1 }},
		{"service_time.min_ns is", func(r *Result) { r.ServiceTime.MinNS-- }},
		{"service_time.mean_ns is", func(r *Result) { r.ServiceTime.MeanNS *= 0.999 }},
		{"service_time.max is", func(r *Result) { r.ServiceTime.Max.NS-- }},
		{"response_time.percentiles[3] is", func(r *Result) { r.ResponseTime.Percentiles[3].NS-- }},
		{"response_time.percentiles[0] is", func(r *Result) { r.ResponseTime.Percentiles[0].AtLeast = !r.ResponseTime.Percentiles[0].AtLeast }},
		{"response_time.percentiles[4] is", func(r *Result) { r.ResponseTime.Percentiles[4].Unavailable = "" }},
		{"response_time.percentiles is 5", func(r *Result) { r.ResponseTime.Percentiles = r.ResponseTime.Percentiles[:5] }},
		{"send_lag.hdr: ", func(r *Result) { r.SendLag.HDR = r.SendLag.HDR[:40] }},
		{"send_lag.hdr: ", func(r *Result) { r.SendLag.HDR = "" }},
		{"response_time.censored_hdr: reaches", func(r *Result) { r.ResponseTime.CensoredHDR = whollyCensored(t) }},
		// Consistent in themselves, but not those of this run.
		{"response_time.count is", func(r *Result) { r.ResponseTime = r.SendLag }},
		{"response_time.count is", func(r *Result) { r.ResponseTime.HDR = r.SendLag.HDR }},
		{"own_lateness.count is", func(r *Result) { r.OwnLateness = r.ResponseTime }},
	}
	text := encoded(t, whole(t, 500))
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			var r Result
			if err := json.Unmarshal(text, &r); err != nil {
				t.Fatal(err)
			}
			tt.edit(&r)
			_, err := Read(bytes.NewReader(encoded(t, r)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// whollyCensored returns the lower bounds of a shorter run.
func whollyCensored(t *testing.T) string {
	r := New(time.Second, 1)
	r.Shard(0).TimedOut(Flight{}, ms)
	return fill(t, r, 1).ResponseTime.CensoredHDR
}

func TestReadRefusesWhatIsNoResult(t *testing.T) {
	good := string(encoded(t, whole(t, 500)))
	tests := []struct{ name, text, want string }{
		{"empty", "", "not JSON at byte 0 of 0"},
		{"truncated", good[:len(good)/2], "not JSON at byte"},
		{"two results", good + good, "after top-level value"},
		{"another document", `{"name": "x"}`, "schema is 0, want 1"},
		{"an array", "[]", "cannot unmarshal array"},
		{"null", "null", "schema is 0, want 1"},
		{"a later schema", strings.Replace(good, `"schema": 1`, `"schema": 2`, 1), "schema is 2, want 1"},
		{"a wrong type", strings.Replace(good, `"model": "open"`, `"model": 5`, 1), "model"},
		{"a fraction of a request", strings.Replace(good, `"sent": `, `"sent": 0.5`, 1), "sent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Read(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	broken := errors.New("broken")
	if _, err := Read(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

func TestReadIsBounded(t *testing.T) {
	for _, length := range []int{0, 9, 10, 11, 1000} {
		in := strings.NewReader(strings.Repeat(" ", length))
		data, err := readAll(in, 10)
		if length <= 10 && (err != nil || len(data) != length) {
			t.Errorf("%d of %d bytes, error %v", len(data), length, err)
		}
		if length > 10 && (err == nil || !strings.Contains(err.Error(), "longer than 10 bytes") || in.Len() != length-11) {
			t.Errorf("error %v for %d bytes, %d not taken", err, length, in.Len())
		}
	}
}

// What Read accepts it accepts again.
func FuzzRead(f *testing.F) {
	f.Add(encoded(f, whole(f, 20)))
	f.Add([]byte(`{"schema":1,"run_id":"a","model":"closed"}`))
	f.Add([]byte(`{"schema":1,"response_time":{"hdr":"HISTFAAAAAh42gMAAAAAAQ=="}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		if _, err := Read(bytes.NewReader(encoded(t, r))); err != nil {
			t.Fatalf("read once, but not twice: %v", err)
		}
	})
}
