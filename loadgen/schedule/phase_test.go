package schedule

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseProfile(t *testing.T) {
	tests := []struct {
		in   string
		want []Phase
	}{
		{"10s@100", []Phase{{10 * time.Second, 100, 100}}},
		{"10s@100,30s@100..5000,10s@2k", []Phase{
			{10 * time.Second, 100, 100}, {30 * time.Second, 100, 5000}, {10 * time.Second, 2000, 2000}}},
		{"1m30s@0..1.5k", []Phase{{90 * time.Second, 0, 1500}}},
		{"500ms@3000/m..0", []Phase{{500 * time.Millisecond, 50, 0}}},
		{"1s@0,1s@7/s", []Phase{{time.Second, 0, 0}, {time.Second, 7, 7}}},
		{"1s@.5...5", []Phase{{time.Second, 0.5, 0.5}}},
		{"24h@1M", []Phase{{24 * time.Hour, MaxRate, MaxRate}}},
	}
	for _, tt := range tests {
		got, err := ParseProfile(tt.in)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("ParseProfile(%q) = %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
}

func TestParseProfileRefuses(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", `phase 1, "": must be DURATION@RATE`},
		{"100", "must be DURATION@RATE"},
		{"10s@100,", `phase 2, "": must be DURATION@RATE`},
		{"10s@100, 5s@5", `phase 2, " 5s@5": duration " 5s" must be`},
		{"10@100", `phase 1, "10@100": duration "10" must be a number with a unit`},
		{"@100", `duration "" must be`},
		{"0s@100", "duration 0s must be above 0"},
		{"-1s@100", "duration -1s must be above 0"},
		{"25h@100", "at most 24h0m0s"},
		{"1s@5,10s@x", `phase 2, "10s@x": rate "x" is not a decimal number`},
		{"10s@", `rate "" is not`},
		{"10s@1..", `rate "" is not`},
		{"10s@..1", `rate "" is not`},
		{"10s@1..2..3", `rate "2..3" is not`},
		{"10s@0.001", "must be 0.01 to 1000000, or 0"},
		{"10s@1..2M", "must be 0.01 to 1000000, or 0"},
		{"10s@0", "no rate above 0"},
		{"10s@0,5s@0..0", "no rate above 0"},
		{"12h@1,12h@1,1ns@1", "phase 3 ends after 24h0m0.000000001s"},
		{strings.Repeat("1s@1,", MaxPhases) + "1s@1", "1001 phases: must be 1 to 1000"},
	}
	for _, tt := range tests {
		got, err := ParseProfile(tt.in)
		if err == nil {
			t.Errorf("ParseProfile(%.60q) = %v, want an error", tt.in, got)
		} else if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseProfile(%.60q): error %q does not say %q", tt.in, err, tt.want)
		}
	}
}

func TestParseProfileReadsAllPhases(t *testing.T) {
	phases, err := ParseProfile(strings.Repeat("1s@1,", MaxPhases-1) + "1s@1")
	if err != nil || len(phases) != MaxPhases {
		t.Fatalf("got %d phases, %v", len(phases), err)
	}
}

func FuzzParseProfile(f *testing.F) {
	for _, s := range []string{
		"10s@100", "10s@100,30s@100..5000,10s@2k", "1s@0..100,1s@0,1s@100..0", "1ns@0..0.01",
		"24h@1M", "1s@1...5", "10@100", "1s@0", ",", "@..",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		phases, err := ParseProfile(s)
		if err != nil {
			return
		}
		for _, model := range []Arrivals{Uniform, Poisson} {
			due, err := New(Plan{Phases: phases, Arrivals: model})
			if err != nil {
				t.Fatalf("%q is parsed, but refused: %v", s, err)
			}
			checkOrder(t, due)
			if end := due.Due(due.Len()); end != total(phases) {
				t.Fatalf("%q ends at %v, not %v", s, end, total(phases))
			}
		}
	})
}
