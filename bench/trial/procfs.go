package trial

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of CPU times in procfs. It has been 10 ms on every
// architecture that Go runs on since Linux 2.6.
const clockTick = 10 * time.Millisecond

// errFormat is wrapped by every parser of this file.
var errFormat = errors.New("unexpected format")

// cpuTimes are CPU times since boot, of the machine or of one core. What processes
// used is not among them: see loadSince.
type cpuTimes struct {
	interrupt time.Duration // hard and soft; loopback traffic is much of it
	idle      time.Duration // nothing to do, or waiting for a disk
	steal     time.Duration // given to other machines by the hypervisor
}

func (c cpuTimes) add(o cpuTimes) (cpuTimes, error) {
	var sum cpuTimes
	var errs [3]error
	sum.interrupt, errs[0] = addTimes(c.interrupt, o.interrupt)
	sum.idle, errs[1] = addTimes(c.idle, o.idle)
	sum.steal, errs[2] = addTimes(c.steal, o.steal)
	return sum, errors.Join(errs[:]...)
}

// addTimes adds CPU times, none of which is negative, and refuses a sum that no
// Duration holds: no machine has worked for 292 years.
func addTimes(a, b time.Duration) (time.Duration, error) {
	if b > math.MaxInt64-a {
		return 0, fmt.Errorf("%w: CPU times of %v and %v add up to more than 292 years", errFormat, a, b)
	}
	return a + b, nil
}

// countCores counts the lines of single cores in /proc/stat.
func countCores(stat []byte) (n int) {
	for line := range strings.Lines(string(stat)) {
		if strings.HasPrefix(line, "cpu") && !strings.HasPrefix(line, "cpu ") {
			n++
		}
	}
	return n
}

// parseCPUTimes reads the line of /proc/stat for a name: "cpu" is the machine,
// "cpu0" its first core.
//
//	cpu0 user nice system idle iowait irq softirq steal guest guest_nice
//
// Guest times are contained in user and nice.
func parseCPUTimes(stat []byte, name string) (cpuTimes, error) {
	for line := range strings.Lines(string(stat)) {
		fields := strings.Fields(line)
		if len(fields) < 9 || fields[0] != name {
			continue
		}
		times, err := parseColumns(fields[1:9])
		if err != nil {
			return cpuTimes{}, fmt.Errorf("parse CPU times: %w", err)
		}
		return times, nil
	}
	return cpuTimes{}, fmt.Errorf("parse CPU times: %w: no line %.20q", errFormat, name)
}

// parseColumns adds up the columns of one line. The first three belong to processes;
// they are looked at all the same, so that a line that is none is refused.
func parseColumns(fields []string) (c cpuTimes, err error) {
	sums := [...]*time.Duration{nil, nil, nil, &c.idle, &c.idle, &c.interrupt, &c.interrupt, &c.steal}
	for i, sum := range sums {
		n, err := parseTicks(fields[i])
		if err == nil && sum != nil {
			*sum, err = addTimes(*sum, n)
		}
		if err != nil {
			return cpuTimes{}, err
		}
	}
	return c, nil
}

// processStat is what a trial reads of /proc/PID/stat.
type processStat struct {
	group int
	// own is the process' CPU time, user and system; children that of its children
	// which have ended and which it has waited for.
	own, children time.Duration
}

// parseProcessStat reads /proc/PID/stat. The second field is the program's name in
// parentheses and may hold anything.
func parseProcessStat(stat []byte) (processStat, error) {
	after := bytes.LastIndexByte(stat, ')')
	if after < 0 {
		return processStat{}, fmt.Errorf("parse process: %w: no name", errFormat)
	}
	// Fields 5 and 14 to 17, counted after the name.
	const group, times, last = 2, 11, 14
	fields := strings.Fields(string(stat[after+1:]))
	if len(fields) <= last {
		return processStat{}, fmt.Errorf("parse process: %w: %d fields", errFormat, len(fields))
	}
	id, err := strconv.Atoi(fields[group])
	if err != nil {
		return processStat{}, fmt.Errorf("parse process: %w: group %.20q", errFormat, fields[group])
	}
	var t [4]time.Duration
	for i := range t {
		if t[i], err = parseTicks(fields[times+i]); err != nil {
			return processStat{}, fmt.Errorf("parse process: %w", err)
		}
	}
	p := processStat{group: id}
	var ownErr, childErr error
	p.own, ownErr = addTimes(t[0], t[1])
	p.children, childErr = addTimes(t[2], t[3])
	if err := errors.Join(ownErr, childErr); err != nil {
		return processStat{}, fmt.Errorf("parse process: %w", err)
	}
	return p, nil
}

func parseTicks(field string) (time.Duration, error) {
	n, err := strconv.ParseInt(field, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/int64(clockTick) {
		return 0, fmt.Errorf("%w: CPU time %.30q", errFormat, field)
	}
	return time.Duration(n) * clockTick, nil
}

// parsePressure reads the time that some task waited from a file of
// /proc/pressure: "some avg10=0.00 avg60=0.00 avg300=0.00 total=12345".
func parsePressure(pressure []byte) (time.Duration, error) {
	line, _, _ := bytes.Cut(pressure, []byte("\n"))
	_, total, found := strings.Cut(string(line), "total=")
	if !found || !bytes.HasPrefix(line, []byte("some ")) {
		return 0, fmt.Errorf("parse pressure: %w: %.60q", errFormat, line)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(total), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/int64(time.Microsecond) {
		return 0, fmt.Errorf("parse pressure: %w: total %.30q", errFormat, total)
	}
	return time.Duration(n) * time.Microsecond, nil
}

// parseKiB reads a line such as "MemTotal:  24567 kB" of a procfs file and
// returns bytes.
func parseKiB(file []byte, key string) (int64, error) {
	for line := range strings.Lines(string(file)) {
		value, found := strings.CutPrefix(line, key+":")
		if !found {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/1024 {
			return 0, fmt.Errorf("parse %s: %w: %.40q", key, errFormat, value)
		}
		return n * 1024, nil
	}
	return 0, fmt.Errorf("parse %s: %w: no such line", key, errFormat)
}

// parseMount finds the mount that holds path in /proc/self/mountinfo and returns
// its file system and options, for example "ext4 rw,relatime".
func parseMount(mountinfo []byte, path string) (string, error) {
	best, longest := "", -1
	for line := range strings.Lines(string(mountinfo)) {
		before, after, found := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !found || len(left) < 6 || len(right) < 1 {
			continue
		}
		point := left[4]
		inside := path == point || strings.HasPrefix(path, strings.TrimSuffix(point, "/")+"/")
		if inside && len(point) >= longest {
			best, longest = right[0]+" "+left[5], len(point)
		}
	}
	if longest < 0 {
		return "", fmt.Errorf("find mount of %s: %w", path, errFormat)
	}
	return best, nil
}

// parseMetric returns a sample without labels from Prometheus' text format.
func parseMetric(text []byte, name string) (float64, error) {
	for line := range strings.Lines(string(text)) {
		rest, found := strings.CutPrefix(line, name+" ")
		if !found {
			continue
		}
		fields := strings.Fields(rest) // a timestamp may follow
		if len(fields) == 0 {
			break
		}
		v, err := strconv.ParseFloat(fields[0], 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, fmt.Errorf("parse metric %s: %w: %.40q", name, errFormat, rest)
		}
		return v, nil
	}
	return 0, fmt.Errorf("parse metric %s: %w: no such sample", name, errFormat)
}
