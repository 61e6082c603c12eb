package slo

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"phase0/loadgen/record"
)

func TestParse(t *testing.T) {
	tests := []struct{ in, canonical string }{
		{"p99<20ms,err<0.1%", "p99<20ms,err<0.1%"},
		{" p99 < 20ms , err < 0.001 ", "p99<20ms,err<0.1%"},
		{"p50<=1500us", "p50<=1.5ms"},
		{"p90<1s", "p90<1s"},
		{"p95<90s", "p95<1m30s"},
		{"p99.9<0.5s", "p99.9<500ms"},
		{"p99.99<1ns", "p99.99<1ns"},
		{"max<=24h", "max<=24h0m0s"},
		{"err<=0", "err<=0%"},
		{"err<100%", "err<100%"},
		{"err<0.0001%", "err<0.0001%"},
		{"err<0.000003", "err<0.0003%"},
		{"err< 7 %", "err<7%"},
		{"rate>99.5%", "rate>99.5%"},
		{"rate>=1", "rate>=100%"},
		{"rate>=0.57", "rate>=57%"},
	}
	for _, tt := range tests {
		o, err := Parse(tt.in)
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		if got := Format(o); got != tt.canonical {
			t.Errorf("%q: canonical form %q, want %q", tt.in, got, tt.canonical)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", `part 1, "": no operator; an objective is like p99<20ms`},
		{"p99<20ms,", `part 2, "": no operator`},
		{"p99", `part 1, "p99": no operator`},
		{"<20ms", `metric ""; there are p50, p90, p95, p99, p99.9, p99.99, max, err, rate`},
		{"p98<20ms", `metric "p98"; there are p50`},
		{"P99<20ms", `metric "P99"`},
		{"p99=20ms", `operator "="; p99 takes < or <=`},
		{"p99==20ms", `operator "=="`},
		{"p99>20ms", `operator ">"; p99 takes < or <=`},
		{"rate<99%", `operator "<"; rate takes > or >=`},
		{"p99<20", `limit "20"; it must be a duration above 0 up to 24h0m0s, such as 20ms`},
		{"p99<", `limit ""`},
		{"p99<<20ms", `limit "<20ms"`},
		{"p99<0s", `limit "0s"`},
		{"p99<-1ms", `limit "-1ms"`},
		{"p99<25h", `limit "25h"`},
		{"err<0.1%%", `limit "0.1%%"; it must be a share from 0 to 1, such as 0.001, or a percentage`},
		{"err<5", `limit "5"`},
		{"err<101%", `limit "101%"`},
		{"err<-1%", `limit "-1%"`},
		{"err<nan", `limit "nan"`},
		{"err<1ms", `limit "1ms"`},
		{"err<0.00005%", `limit "0.00005%" is finer than 0.0001%`},
		{"err<0%", `nothing can be < 0%; use <=`},
		{"rate>100%", `nothing can be > 100%; use >=`},
		{"p99<20ms,p99<=30ms", `part 2, "p99<=30ms": p99 has an objective already`},
		{strings.Repeat("p99<1s,", 16) + "p99<1s", `more than 16`},
		{strings.Repeat("x", 100), `"` + strings.Repeat("x", 40) + `":`},
	}
	for _, tt := range tests {
		o, err := Parse(tt.in)
		if err == nil {
			t.Errorf("%q: got %v, want an error", tt.in, o)
		} else if !strings.HasPrefix(err.Error(), "parse objectives: ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: error %q does not contain %q", tt.in, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"p99<20ms,err<0.1%", "p50<=1ms,p90<2ms,p95<3ms,p99.9<1s,p99.99<2s,max<1m,rate>=99.5%",
		"err<=0x1p-4", "err<1e-3", "rate>.5", "p99<=1h2m3.000000004s", "p99=>1ms", ",,",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := Parse(s)
		if err != nil {
			return
		}
		if len(o) == 0 || len(o) > maxObjectives {
			t.Fatalf("%d objectives", len(o))
		}
		again, err := Parse(Format(o))
		if err != nil {
			t.Fatalf("canonical form: %v", err)
		}
		for i := range o {
			if again[i] != o[i] {
				t.Errorf("%v is read back as %v", o[i], again[i])
			}
		}
	})
}

// result is a run of 1000 requests at 100 rps, 3 of them not accepted.
func result() record.Result {
	return record.Result{Stream: record.Stream{
		OfferedRPS: 100, AchievedRPS: 99.8,
		Accounting: record.Accounting{Scheduled: 1000, Accepted: 997},
		ResponseTime: record.Distribution{
			Percentiles: []record.Percentile{
				{Name: "p50", Quantile: 0.5, NS: 1_234_567},
				{Name: "p99", Quantile: 0.99, NS: int64(20 * time.Millisecond)},
				{Name: "p99.9", Quantile: 0.999, Needs: 3688, Unavailable: "needs 3688 observations, has 997"},
			},
			Max: record.Percentile{Name: "max", Quantile: 1, NS: int64(time.Second), AtLeast: true},
		},
	}}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		objectives string
		want       State
		seen       string
	}{
		{"p50<2ms", Met, "1.23ms"},
		{"p50<1ms", Missed, "1.23ms"},
		{"p99<20ms", Missed, "20ms"},
		{"p99<=20ms", Met, "20ms"},
		{"p99<=19999999ns", Missed, "20ms"},
		{"p99.9<1h", Unknown, "n/a"},
		{"p90<1h", Unknown, "n/a"},
		{"max<2s", Unknown, "≥ 1s"},
		{"max<=1s", Unknown, "≥ 1s"},
		{"max<1s", Missed, "≥ 1s"},
		{"max<999ms", Missed, "≥ 1s"},
		{"err<0.3%", Missed, "0.3%"},
		{"err<=0.3%", Met, "0.3%"},
		{"err<=0.2999%", Missed, "0.3%"},
		{"rate>99.8%", Missed, "99.8%"},
		{"rate>=99.8%", Met, "99.8%"},
	}
	for _, tt := range tests {
		o, err := Parse(tt.objectives)
		if err != nil {
			t.Fatal(err)
		}
		out := Check(o, result())
		if out.State != tt.want || out.Rows[0].State != tt.want || out.Rows[0].Seen() != tt.seen {
			t.Errorf("%s: %s, saw %s; want %s, %s", tt.objectives, out.State, out.Rows[0].Seen(), tt.want, tt.seen)
		}
		if (out.State == Unknown) != (out.Rows[0].Reason != "") {
			t.Errorf("%s: %s for the reason %q", tt.objectives, out.State, out.Rows[0].Reason)
		}
	}
}

func TestCheckWithoutAnyRequest(t *testing.T) {
	o, err := Parse("err<=0,rate>=0,max<1s")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range Check(o, record.Result{Stream: record.Stream{ResponseTime: record.Distribution{Max: record.Percentile{Unavailable: "none"}}}}).Rows {
		if row.State != Unknown || row.Value != 0 {
			t.Errorf("%s: %s, %v", row.Objective, row.State, row.Value)
		}
	}
}

func TestOutcomeIsTheWorst(t *testing.T) {
	tests := []struct {
		objectives string
		want       State
	}{
		{"p50<2ms,err<1%", Met},
		{"p50<2ms,max<2s", Unknown},
		{"max<2s,p50<1ms", Missed},
		{"p50<1ms,max<2s", Missed},
	}
	for _, tt := range tests {
		o, err := Parse(tt.objectives)
		if err != nil {
			t.Fatal(err)
		}
		if got := Check(o, result()).State; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.objectives, got, tt.want)
		}
	}
	if got := Check(nil, result()).State; got != Met {
		t.Errorf("without objectives: %s", got)
	}
}

func TestOutcomeText(t *testing.T) {
	o, err := Parse("p50<2ms,p99<20ms,p99.9<1s,max<1m,err<0.1%,rate>99.5%")
	if err != nil {
		t.Fatal(err)
	}
	want := `p50 < 2ms      1.23ms   met
p99 < 20ms     20ms     missed
p99.9 < 1s     n/a      unknown: needs 3688 observations, has 997
max < 1m0s     ≥ 1s     unknown: requests were given up before their answer
err < 0.1%     0.3%     missed
rate > 99.5%   99.8%    met
`
	if got := Check(o, result()).String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// The JSON form is part of result files, so its names must not change.
func TestOutcomeJSON(t *testing.T) {
	o, err := Parse("err<0.1%,max<2s,p99.9<1s")
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(Check(o, result()))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"state":"missed","rows":[` +
		`{"objective":"err\u003c0.1%","metric":"err","operator":"\u003c","unit":"share","limit":0.001,"value":0.003,"state":"missed"},` +
		`{"objective":"max\u003c2s","metric":"max","operator":"\u003c","unit":"ns","limit":2000000000,"value":1000000000,"at_least":true,"state":"unknown","reason":"requests were given up before their answer"},` +
		`{"objective":"p99.9\u003c1s","metric":"p99.9","operator":"\u003c","unit":"ns","limit":1000000000,"value":0,"state":"unknown","reason":"needs 3688 observations, has 997","needs":3688}]}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCellHasThreeDigits(t *testing.T) {
	for ns, want := range map[int64]string{
		0: "0s", 999: "999ns", 1234: "1.23µs", 999_999: "1ms", 12_345_678: "12.3ms", 5_001_000_000: "5s", 61_000_000_000: "1m1s",
	} {
		if got := Cell(record.Percentile{NS: ns}); got != want {
			t.Errorf("%d ns: %s, want %s", ns, got, want)
		}
	}
}

func TestPercent(t *testing.T) {
	for share, want := range map[float64]string{0: "0%", 1: "100%", 0.001: "0.1%", 0.9996: "99.96%", 1.0 / 3: "33.3333%", 1e-7: "1e-05%"} {
		if got := Percent(share); got != want {
			t.Errorf("%v: %s, want %s", share, got, want)
		}
	}
}
