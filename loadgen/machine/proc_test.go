package machine

import (
	"strings"
	"testing"
	"time"
)

func ticks(n int64) time.Duration { return time.Duration(n) * tick }

func first(core int) bool { return core == 0 }
func none(int) bool       { return false }

func TestParseStat(t *testing.T) {
	const two = "cpu  10 20 30 40 50 60 70 80 5 5\ncpu0 1 2 3 4 5 6 7 8 1 1\ncpu1 9 18 27 36 45 54 63 72 4 4\nintr 1 2\n"
	all := cpuTime{total: ticks(360), stolen: ticks(80), programs: ticks(60)}
	tests := []struct {
		name, text string
		usable     func(int) bool
		ours       cpuTime
		fault      string
	}{
		{"one core of two", two, first, cpuTime{total: ticks(36), stolen: ticks(8), programs: ticks(6)}, ""},
		{"none of the cores", two, none, all, ""},
		{"old kernel", "cpu  10 20 30 40\n", first, cpuTime{total: ticks(100), programs: ticks(60)}, ""},
		{"empty", "", first, cpuTime{}, ""},
		{"not a number", "cpu 1 2\ncpu0 1 x", first, cpuTime{}, `line 2: column 2: "x" is not a number of ticks below 292 years`},
		{"too large", "cpu 1 9999999999999", first, cpuTime{}, "column 2"},
		{"the largest", "cpu 0 0 0 922337203685", first, cpuTime{total: ticks(922337203685)}, ""},
		{"a line too large", "cpu 600000000000 600000000000", first, cpuTime{}, "line 1: column 2: adds up to more than 292 years"},
		{"cores too large", "cpu0 600000000000\ncpu0 600000000000", first, cpuTime{}, "line 2: adds up to more than 292 years"},
		{"not a core", "cpu 1\ncpufreq 1", first, cpuTime{}, `line 2: name "cpufreq": want cpu and a number`},
	}
	for _, tt := range tests {
		_, ours, err := parseStat(tt.text, tt.usable)
		if ours != tt.ours || !failed(err, tt.fault) {
			t.Errorf("%s: %+v, error %v, want %+v, error %q", tt.name, ours, err, tt.ours, tt.fault)
		}
	}
	if got, _, _ := parseStat(two, first); got != all {
		t.Errorf("all cores: %+v, want %+v", got, all)
	}
}

// failed reports whether err is what was expected; no fault means none.
func failed(err error, fault string) bool {
	if fault == "" {
		return err == nil
	}
	return err != nil && strings.Contains(err.Error(), fault)
}

func TestParsePressure(t *testing.T) {
	tests := []struct {
		text  string
		want  time.Duration
		fault string
	}{
		{"some avg10=38.40 avg60=37.32 avg300=40.73 total=365805042\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n", 365805042 * time.Microsecond, ""},
		{"full total=7\nsome total=1\n", time.Microsecond, ""},
		{"full total=7\n", 0, `no line starts with "some "`},
		{"some avg10=0.00\n", 0, "want total= and microseconds"},
		{"some total=-1\n", 0, "want total= and microseconds"},
		{"some total=99999999999999999\n", 0, "below 2^52"},
	}
	for _, tt := range tests {
		if got, err := parsePressure(tt.text); got != tt.want || !failed(err, tt.fault) {
			t.Errorf("%q: %v, error %v, want %v, error %q", tt.text, got, err, tt.want, tt.fault)
		}
	}
}

func TestParseNet(t *testing.T) {
	const snmp = "Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: RtoAlgorithm MaxConn RetransSegs\nTcp: 1 -1 575\n"
	tests := []struct {
		text, protocol, name string
		want                 uint64
		fault                string
	}{
		{snmp, "Tcp", "RetransSegs", 575, ""},
		{snmp, "Ip", "DefaultTTL", 64, ""},
		{snmp, "Tcp", "MaxConn", 0, `line 4: MaxConn: "-1" is not a counter`},
		{snmp, "Tcp", "DefaultTTL", 0, "no DefaultTTL in the lines of Tcp"},
		{snmp, "Udp", "InErrors", 0, "no InErrors in the lines of Udp"},
		{"Tcp: A B\nTcp: 1", "Tcp", "B", 0, "no B in the lines of Tcp"},
		{"Tcp: A", "Tcp", "A", 0, "no A in the lines of Tcp"},
		{"", "Tcp", "A", 0, "no A in the lines of Tcp"},
	}
	for _, tt := range tests {
		if got, err := parseNet(tt.text, tt.protocol, tt.name); got != tt.want || !failed(err, tt.fault) {
			t.Errorf("%s of %q: %d, error %v, want %d, error %q", tt.name, tt.text, got, err, tt.want, tt.fault)
		}
	}
}

func TestParseTurns(t *testing.T) {
	tests := []struct {
		text  string
		want  turns
		fault string
	}{
		{"475082 2198507 2\n", turns{ran: 475082, waited: 2198507, count: 2}, ""},
		{"1 2", turns{}, "has 2 columns: want 3"},
		{"1 2 3 4", turns{}, "has 4 columns: want 3"},
		{"1 -2 3", turns{}, `column 2: "-2" is not a number below 2^63`},
	}
	for _, tt := range tests {
		if got, err := parseTurns(tt.text); got != tt.want || !failed(err, tt.fault) {
			t.Errorf("%q: %+v, error %v, want %+v, error %q", tt.text, got, err, tt.want, tt.fault)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("cpu  10 20 30 40 50 60 70 80 5 5\ncpu0 1 2 3 4 5 6 7 8\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, ours, err := parseStat(text, first)
		for _, c := range []cpuTime{all, ours} {
			if err == nil && (c.stolen < 0 || c.programs < 0 || c.total < c.stolen+c.programs) {
				t.Errorf("%q: %+v", text, c)
			}
		}
	})
}

func FuzzParsePressure(f *testing.F) {
	f.Add("some avg10=0.00 avg60=0.00 avg300=0.00 total=365805042\n")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := parsePressure(text); d < 0 || err == nil && !strings.Contains(text, "total=") {
			t.Errorf("%q: %v, error %v", text, d, err)
		}
	})
}

func FuzzParseNet(f *testing.F) {
	f.Add("Tcp: MaxConn RetransSegs\nTcp: -1 575\n", "Tcp", "RetransSegs")
	f.Fuzz(func(t *testing.T, text, protocol, name string) {
		if n, err := parseNet(text, protocol, name); err != nil && n != 0 || err == nil && !strings.Contains(text, name) {
			t.Errorf("%q: %d, error %v", text, n, err)
		}
	})
}

func FuzzParseTurns(f *testing.F) {
	f.Add("475082 2198507 2\n")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := parseTurns(text); got.ran < 0 || got.waited < 0 || got.count < 0 || err != nil && got != (turns{}) {
			t.Errorf("%q: %+v, error %v", text, got, err)
		}
	})
}
