package run

import "testing"

func TestParseCPU(t *testing.T) {
	tests := []struct {
		line string
		want cpuTicks
	}{
		{"cpu  10 20 30 40 50 60 70 80 5 5", cpuTicks{total: 360, stolen: 80}},
		{"cpu  10 20 30 40", cpuTicks{total: 100}},
		{"cpu  10 x 30", cpuTicks{}},
		{"", cpuTicks{}},
	}
	for _, tt := range tests {
		if got := parseCPU(tt.line); got != tt.want {
			t.Errorf("parseCPU(%q) = %+v, want %+v", tt.line, got, tt.want)
		}
	}
}
