package freshness

import (
	"testing"
	"time"
)

// Which misses count depends on where the sample turns out to lie.
func TestLowerBound(t *testing.T) {
	accepted := time.UnixMilli(1_700_000_000_000)
	at := func(ms float64) *row {
		stamp := 1_700_000_000_000 + ms
		return &row{Timestamp: &stamp}
	}
	tests := []struct {
		name         string
		narrow, wide time.Duration // ages of the last misses, 0 for none
		found        *row
		want         time.Duration
	}{
		{"hit at once", 0, 0, at(0), 0},
		{"hit in the narrow range", 300, 0, at(0), 300},
		{"the same without a timestamp", 300, 0, &row{}, 300},
		{"hit in both ranges before any miss in the wide", 900, -1, at(0), 900},
		{"hit in both ranges", 900, 1500, at(59_000), 1500},
		{"hit outside the narrow range", 900, -1, at(-61_000), 0},
		{"hit outside the narrow range after a miss in the wide", 900, 1500, at(61_000), 1500},
		{"hit in the wide range without a timestamp", 900, -1, &row{}, 0},
		{"never seen", 900, 4900, nil, 4900},
		{"cut off before the wide range", 900, 0, nil, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWindow(accepted, 5*time.Second, nil)
			if tt.narrow > 0 {
				w.miss(accepted.Add(tt.narrow))
			}
			if tt.wide != 0 {
				w.widen(widenAfter)
			}
			if tt.wide > 0 {
				w.miss(accepted.Add(tt.wide))
			}
			if got := w.lowerBound(tt.found); got != tt.want {
				t.Errorf("lower bound %d, want %d", got, tt.want)
			}
		})
	}
}

func TestTarget(t *testing.T) {
	accepted := time.UnixMilli(1_700_000_000_000)
	behind := int64(-3_600_000)
	tests := []struct {
		name    string
		timeout time.Duration
		offset  *int64
		age     time.Duration
		want    string
	}{
		{"at first", 5 * time.Second, nil, 999 * time.Millisecond, "start=1699999940000&end=1700000060000"},
		{"widened", 5 * time.Second, nil, time.Second, "start=0&end=9007199254740991"},
		{"widened before a short timeout", time.Second, nil, 500 * time.Millisecond, "start=0&end=9007199254740991"},
		{"clock known", 5 * time.Second, &behind, 0, "start=1699996398000&end=1699996402000"},
		{"clock known and widened", 5 * time.Second, &behind, time.Second, "start=1699996340000&end=1699996460000"},
	}
	for _, tt := range tests {
		w := newWindow(accepted, tt.timeout, tt.offset)
		w.widen(tt.age)
		if got, want := w.target("s"), "/query?name=s&"+tt.want; got != want {
			t.Errorf("%s: %s, want %s", tt.name, got, want)
		}
	}
	w := newWindow(time.UnixMilli(0), time.Second, nil)
	if got, want := w.target("s"), "/query?name=s&start=0&end=60000"; got != want {
		t.Errorf("in 1970: %s, want %s", got, want)
	}
}

func TestOffset(t *testing.T) {
	w := newWindow(time.UnixMilli(1000), time.Second, nil)
	for _, tt := range []struct {
		stamp float64
		known bool
		want  int64
	}{{900, true, -100}, {1000, true, 0}, {5000, true, 4000}, {-1, false, 0}, {1e300, false, 0}} {
		got := w.offset(&row{Timestamp: &tt.stamp})
		if (got != nil) != tt.known || got != nil && *got != tt.want {
			t.Errorf("timestamp %v: offset %v, want %d, %v", tt.stamp, got, tt.want, tt.known)
		}
	}
	if w.offset(&row{}) != nil {
		t.Error("an offset without a timestamp")
	}
}
