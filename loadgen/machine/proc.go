package machine

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/stat on every platform that Go runs on.
const tick = 10 * time.Millisecond

// Columns of a line of /proc/stat, after the name. What follows steal is
// contained in the columns before.
const (
	userColumn   = 0
	niceColumn   = 1
	systemColumn = 2
	stealColumn  = 7
	columns      = 8
)

// errCPUTime is a sum that no Duration holds: a file that no machine writes.
var errCPUTime = errors.New("adds up to more than 292 years")

// parseStat adds up the lines about CPUs in /proc/stat: all of them, and those of
// the cores that are usable, or all when the file tells of none of these.
func parseStat(text string, usable func(core int) bool) (all, ours cpuTime, err error) {
	for i, line := range strings.Split(text, "\n") {
		name, rest, _ := strings.Cut(line, " ")
		number, is := strings.CutPrefix(name, "cpu")
		if !is {
			continue
		}
		t, err := parseCPU(rest)
		if err != nil {
			return cpuTime{}, cpuTime{}, fmt.Errorf("line %d: %w", i+1, err)
		}
		if number == "" {
			all = t
			continue
		}
		core, err := strconv.ParseUint(number, 10, 16)
		if err != nil {
			return cpuTime{}, cpuTime{}, fmt.Errorf("line %d: name %q: want cpu and a number below 65536", i+1, name)
		}
		if !usable(int(core)) {
			continue
		}
		if ours, err = ours.plus(t); err != nil {
			return cpuTime{}, cpuTime{}, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	if ours == (cpuTime{}) {
		ours = all
	}
	return all, ours, nil
}

// parseCPU reads the numbers of one line. Columns that an old kernel does not
// have count as zero.
func parseCPU(line string) (cpuTime, error) {
	var t cpuTime
	for i, field := range strings.Fields(line) {
		if i == columns {
			break
		}
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil || n > uint64(math.MaxInt64/tick) {
			return cpuTime{}, fmt.Errorf("column %d: %q is not a number of ticks below 292 years", i+1, field)
		}
		d := cpuTime{total: time.Duration(n) * tick}
		switch i {
		case userColumn, niceColumn, systemColumn:
			d.programs = d.total
		case stealColumn:
			d.stolen = d.total
		}
		if t, err = t.plus(d); err != nil {
			return cpuTime{}, fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	return t, nil
}

// parsePressure reads for how long some thread waited for a core since the
// machine started, from /proc/pressure/cpu: "some avg10=0.12 … total=365805042".
func parsePressure(text string) (time.Duration, error) {
	for line := range strings.SplitSeq(text, "\n") {
		rest, is := strings.CutPrefix(line, "some ")
		if !is {
			continue
		}
		_, total, _ := strings.Cut(rest, "total=")
		us, err := strconv.ParseUint(total, 10, 52)
		if err != nil {
			return 0, fmt.Errorf("line %q: want total= and microseconds below 2^52 at the end", line)
		}
		return time.Duration(us) * time.Microsecond, nil
	}
	return 0, fmt.Errorf("no line starts with %q", "some ")
}

// parseNet returns a counter of /proc/net/snmp or /proc/net/netstat. There a line
// with the protocol and names is followed by one with the protocol and numbers.
func parseNet(text, protocol, name string) (uint64, error) {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		names := strings.Fields(line)
		if len(names) == 0 || names[0] != protocol+":" || i+1 == len(lines) {
			continue
		}
		for column, n := range names {
			numbers := strings.Fields(lines[i+1])
			if n != name || column >= len(numbers) {
				continue
			}
			v, err := strconv.ParseUint(numbers[column], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("line %d: %s: %q is not a counter", i+2, name, numbers[column])
			}
			return v, nil
		}
	}
	return 0, fmt.Errorf("no %s in the lines of %s", name, protocol)
}

// turns is what the kernel tells of a thread's turns on a core.
type turns struct {
	ran    time.Duration
	waited time.Duration // for a core while it could have run
	count  int64
}

// parseTurns reads a thread's schedstat: nanoseconds on a core, nanoseconds
// waiting for one, number of turns.
func parseTurns(text string) (turns, error) {
	var n [3]int64
	fields := strings.Fields(text)
	if len(fields) != len(n) {
		return turns{}, fmt.Errorf("%q has %d columns: want %d", text, len(fields), len(n))
	}
	for i, field := range fields {
		v, err := strconv.ParseUint(field, 10, 63)
		if err != nil {
			return turns{}, fmt.Errorf("column %d: %q is not a number below 2^63", i+1, field)
		}
		n[i] = int64(v)
	}
	return turns{ran: time.Duration(n[0]), waited: time.Duration(n[1]), count: n[2]}, nil
}
