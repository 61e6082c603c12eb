package rule

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSeedReadsAsInTheSeed(t *testing.T) {
	want := []string{
		"cpu_usage > 80.0 (window: 60s)",
		"memory_usage > 90.0 (window: 60s)",
		"error_rate > 5.0 (window: 30s)",
	}
	for i, r := range Seed() {
		if got := Describe(&r); got != want[i] {
			t.Errorf("rule %d: %s, want %s", i, got, want[i])
		}
	}
	if got := Summary(&Seed()[0], nil, 85); got != "cpu_usage avg(60s) > 80.0 (current: 85.0)" {
		t.Errorf("summary: %s", got)
	}
}

func TestSeedIsWhatItsExpressionsSay(t *testing.T) {
	for _, r := range Seed() {
		again := Rule{Group: r.Group, Alert: r.Alert}
		if err := again.parseExpr(r.Expr); err != nil || !reflect.DeepEqual(r, again) {
			t.Errorf("%s parses to %+v, %v; want %+v", r.Expr, again, err, r)
		}
	}
}

func TestSummaryNumbers(t *testing.T) {
	for _, tc := range []struct {
		threshold, value float64
		want             string
	}{
		{80, 85, "> 80.0 (current: 85.0)"},
		{80, 85.26, "> 80.0 (current: 85.3)"},
		{80, -0.04, "> 80.0 (current: -0.0)"},
		{0.05, 0.0625, "> 0.05 (current: 0.06)"},
		{0, 3, "> 0.0 (current: 3.0)"},
		{-2.5, 0, "> -2.5 (current: 0.0)"},
		{1e-9, 2e-9, "> 1e-09 (current: 2e-09)"},
		{80, math.MaxFloat64, "> 80.0 (current: 1.79769e+308)"},
		{1e14, 123456789012345, "> 100000000000000.0 (current: 123456789012345.0)"},
		{0.123456789, 1, "> 0.123457 (current: 1.000000)"},
	} {
		r := Rule{Metric: "m", Window: time.Minute, Op: ">", Threshold: tc.threshold}
		if got := Summary(&r, nil, tc.value); got != "m avg(60s) "+tc.want {
			t.Errorf("%g against %g: %s, want … %s", tc.value, tc.threshold, got, tc.want)
		}
	}
}

func TestWindowsReadInSeconds(t *testing.T) {
	for window, want := range map[time.Duration]string{
		time.Hour: "3600s", 30 * time.Second: "30s", 1500 * time.Millisecond: "1.5s", 5 * time.Millisecond: "5ms",
	} {
		r := Rule{Metric: "m", Window: window, Op: "<", Threshold: 1}
		if got := Describe(&r); got != "m < 1.0 (window: "+want+")" {
			t.Errorf("%v: %s", window, got)
		}
	}
}

func TestHostileNamesStayOnOneLine(t *testing.T) {
	for _, name := range []string{"a\nb", "a\r\x1b[31mb", "a\x00", "a\u2028b", "a\u202eb", "a\x7f", "a\x9b31m", "\xff"} {
		r := Rule{Metric: name, Window: time.Minute, Op: ">", Threshold: 1}
		for _, text := range []string{Summary(&r, nil, 2), Describe(&r)} {
			if i := strings.IndexFunc(text, func(c rune) bool { return c < ' ' || c >= 0x7f }); i >= 0 {
				t.Errorf("%q has something unprintable at %d", text, i)
			}
		}
	}
	if r := (Rule{Metric: "größe_😀", Window: time.Minute, Op: ">", Threshold: 1}); !strings.HasPrefix(Describe(&r), "größe_😀 >") {
		t.Errorf("harmless name was changed: %s", Describe(&r))
	}
}

func TestTrue(t *testing.T) {
	for _, tc := range []struct {
		op                  string
		below, equal, above bool
	}{
		{">", false, false, true}, {">=", false, true, true}, {"<", true, false, false}, {"<=", true, true, false},
		{"==", false, true, false}, {"!=", true, false, true}, {"", true, true, true},
	} {
		r := Rule{Op: tc.op, Threshold: 80}
		if r.True(79.9) != tc.below || r.True(80) != tc.equal || r.True(80.1) != tc.above || tc.op != "" && r.True(math.NaN()) {
			t.Errorf("%s is wrong", tc.op)
		}
	}
}

func TestExpand(t *testing.T) {
	labels := map[string]string{"host": "a{{ $value }}"}
	for text, want := range map[string]string{
		"":                                 "",
		"no template":                      "no template",
		"at {{ $value }}%":                 "at 85.5%",
		"{{$value}}{{  $value  }}":         "85.585.5",
		"{{\n$value\n}}":                   "85.5",
		"on {{ $labels.host }}":            "on a{{ $value }}", // what is inserted is not expanded again
		"on {{ $labels.gone }}.":           "on .",
		"{{ $labels.host }} {{ $value }}s": "a{{ $value }} 85.5s",
		"} {":                              "} {",
	} {
		if got := expand(text, 85.5, labels, roomy); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestLabelsAndAnnotations(t *testing.T) {
	r := Rule{
		Alert: "A", Labels: map[string]string{"severity": "page", "where": "{{ $labels.host }}", "zone": "{{ $labels.gone }}"},
		Annotations: map[string]string{"summary": "{{ $value }} on {{ $labels.host }}, {{ $labels.severity }}"},
	}
	series := map[string]string{"host": "a", "zone": "eu", "alertname": "B"}
	if got := r.LabelsOf(series, 2); !reflect.DeepEqual(got, map[string]string{"alertname": "A", "severity": "page", "where": "a", "host": "a"}) {
		t.Errorf("labels %v", got)
	}
	if got := r.AnnotationsOf(series, 2); !reflect.DeepEqual(got, map[string]string{"summary": "2 on a, "}) {
		t.Errorf("annotations %v", got)
	}
	if got := (&Rule{}).AnnotationsOf(nil, 2); got == nil {
		t.Error("no annotations must be an empty object in JSON, not null")
	}
}

func TestSummaryNamesSeriesAndFunction(t *testing.T) {
	for _, tc := range []struct {
		expr   string
		labels map[string]string
		want   string
	}{
		{"max_over_time(cpu[60s]) >= 80", map[string]string{"host": "a", "b": "c\n"}, `cpu{b="c\n",host="a"} max(60s) >= 80.0 (current: 81.0)`},
		{"quantile_over_time(0.999, cpu[1h]) > 0.25", nil, "cpu p99.9(3600s) > 0.25 (current: 81.00)"},
		{`absent_over_time(cpu{host="a"}[60s])`, map[string]string{"host": "a"}, `cpu{host="a"} absent(60s)`},
	} {
		var r Rule
		if err := r.parseExpr(tc.expr); err != nil {
			t.Fatal(err)
		}
		if got := Summary(&r, tc.labels, 81); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}
