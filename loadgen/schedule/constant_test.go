package schedule

import (
	"math"
	"testing"
	"time"
)

func TestConstantCountsRequests(t *testing.T) {
	tests := []struct {
		name  string
		rate  float64
		d     time.Duration
		limit int64
		want  int64
	}{
		{"duration", 200, 10 * time.Second, 0, 2000},
		{"limit", 200, 0, 77, 77},
		{"duration first", 200, time.Second, 1000, 200},
		{"limit first", 200, 10 * time.Second, 10, 10},
		{"not a whole number", 3, 1100 * time.Millisecond, 0, 4},
		{"product not exact", 10, 300 * time.Millisecond, 0, 3},
		{"shorter than a period", 1, time.Millisecond, 0, 1},
		{"slowest", MinRate, time.Second, 0, 1},
		{"fastest", MaxRate, time.Second, 0, 1_000_000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := NewConstant(tt.rate, tt.d, tt.limit)
			if err != nil {
				t.Fatal(err)
			}
			if c.Len() != tt.want {
				t.Errorf("Len() = %d, want %d", c.Len(), tt.want)
			}
			if last := c.Due(c.Len() - 1); tt.d > 0 && last >= tt.d {
				t.Errorf("the last request is due at %v, not before %v", last, tt.d)
			}
		})
	}
}

func TestConstantKeepsItsDistance(t *testing.T) {
	for _, rate := range []float64{0.01, 3, 200, 2253, 49_999, MaxRate} {
		c, err := NewConstant(rate, 0, 1_000_000_000)
		if err != nil {
			t.Fatal(err)
		}
		gap := 1e9 / rate
		for _, i := range []int64{0, 1, 2, 1000, 999_999, 50_000_000} {
			want := float64(i) * gap
			if got := float64(c.Due(i)); math.Abs(got-want) > 1+want*1e-15 {
				t.Errorf("at %v rps Due(%d) = %v, want %v ns", rate, i, got, want)
			}
		}
	}
}

func TestConstantRefuses(t *testing.T) {
	tests := []struct {
		name  string
		rate  float64
		d     time.Duration
		limit int64
	}{
		{"no rate", 0, time.Second, 0},
		{"negative rate", -1, time.Second, 0},
		{"not a number", math.NaN(), time.Second, 0},
		{"infinite rate", math.Inf(1), time.Second, 0},
		{"no bound", 10, 0, 0},
		{"negative duration", 10, -time.Second, 1},
		{"negative limit", 10, time.Second, -1},
	}
	for _, tt := range tests {
		if c, err := NewConstant(tt.rate, tt.d, tt.limit); err == nil {
			t.Errorf("%s: got %+v, want an error", tt.name, c)
		}
	}
}
