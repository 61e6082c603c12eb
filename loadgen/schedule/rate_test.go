package schedule

import (
	"math"
	"strings"
	"testing"
)

func TestParseRate(t *testing.T) {
	tests := []struct {
		in   string
		want float64
	}{
		{"200", 200},
		{"0.5", 0.5},
		{".5", 0.5},
		{"2k", 2000},
		{"1.5k", 1500},
		{"1M", 1_000_000},
		{"50/s", 50},
		{"3k/s", 3000},
		{"3000/m", 50},
		{"7200/h", 2},
		{"36/h", MinRate},
		{"0.6/m", MinRate},
		{"1M/h", 1_000_000.0 / 3600},
		{"1e3", 1000},
		{"1E-1k", 100},
		{"2e+2/s", 200},
		{"0.01", MinRate},
		{"1000000", MaxRate},
	}
	for _, tt := range tests {
		got, err := ParseRate(tt.in)
		if err != nil || math.Abs(got-tt.want) > 1e-12*tt.want {
			t.Errorf("ParseRate(%q) = %v, %v, want %v", tt.in, got, err, tt.want)
		}
	}
}

func TestParseRateRefuses(t *testing.T) {
	for _, in := range []string{
		"", " ", " 5", "5 ", "5 /s", "k", "/s", ".", "e3", "1e", "-1", "+1", "0", "0k", "-0", "1,5",
		"NaN", "nan", "Inf", "inf", "+Inf", "infinity", "0x10", "0x1p4", "1_000", "1e400", "1e-400",
		"5m", "5K", "5kk", "5Mk", "5/d", "5/s/s", "5/sk", "10/h", "0.009", "1.1M", "1000001", "2M/s", "1..2",
	} {
		got, err := ParseRate(in)
		if err == nil {
			t.Errorf("ParseRate(%q) = %v, want an error", in, got)
		} else if !strings.Contains(err.Error(), "0.01 to 1000000") {
			t.Errorf("ParseRate(%q): error %q does not name the range", in, err)
		}
	}
}

func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"200", "1.5k", "1M", "3000/m", "36/h", "1e3", "0x1", "NaN", "", "1e400k/h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		rate, err := ParseRate(s)
		if err != nil {
			return
		}
		for _, model := range []Arrivals{Uniform, Poisson} {
			due, err := New(Plan{Rate: rate, Limit: 100, Arrivals: model})
			if err != nil {
				t.Fatalf("%q is parsed as %v, which is refused: %v", s, rate, err)
			}
			checkOrder(t, due)
		}
	})
}
