package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// call is a system call that returned. Begun and done are the numbers of the lines at
// which strace saw it begin and return.
type call struct {
	name        string
	file        string // what -yy says of the first argument: a path or a socket
	text        string // the other arguments, as strace prints them
	result      int64
	begun, done int
}

// maxLine bounds a line: a group of some thousand records, four bytes for each byte.
const maxLine = 64 << 20

var (
	errTrace = errors.New("not what strace -f -yy prints")
	// errCut is returned for a string that strace has shortened.
	errCut = errors.New("a string is cut off; strace needs a larger -s")

	wholeCall   = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\d+|\?)`)
	beginOfCall = regexp.MustCompile(`^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$`)
	endOfCall   = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (-?\d+|\?)`)
	otherLine   = regexp.MustCompile(`^(\d+) +(\+\+\+|---) `)
	descriptor  = regexp.MustCompile(`^\d+<(.*?[^-])>(?:, |$)`)
)

// started is the first half of a call.
type started struct {
	name, args string
	line       int
}

// parse yields the calls of a trace in the order in which they returned.
func parse(trace io.Reader, yield func(call) error) error {
	lines := bufio.NewScanner(trace)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	open := map[string]started{} // by thread
	for n := 1; lines.Scan(); n++ {
		c, ok, err := parseLine(lines.Text(), n, open)
		if err == nil && ok {
			err = yield(c)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

// parseLine reads one line; ok means that a call returned.
func parseLine(line string, n int, open map[string]started) (c call, ok bool, err error) {
	if m := beginOfCall.FindStringSubmatch(line); m != nil {
		open[m[1]] = started{name: m[2], args: m[3], line: n}
		return call{}, false, nil
	}
	if m := endOfCall.FindStringSubmatch(line); m != nil {
		s, known := open[m[1]]
		if !known || s.name != m[2] {
			return call{}, false, fmt.Errorf("%w: the end of a call that did not begin", errTrace)
		}
		delete(open, m[1])
		c, err = newCall(m[2], s.args+m[3], m[4], s.line, n)
		return c, err == nil, err
	}
	if m := wholeCall.FindStringSubmatch(line); m != nil {
		c, err = newCall(m[2], m[3], m[4], n, n)
		return c, err == nil, err
	}
	if strings.TrimSpace(line) == "" || otherLine.MatchString(line) {
		return call{}, false, nil
	}
	return call{}, false, fmt.Errorf("%w: %.80q", errTrace, line)
}

func newCall(name, args, result string, begun, done int) (call, error) {
	c := call{name: name, text: args, result: -1, begun: begun, done: done}
	if m := descriptor.FindStringSubmatchIndex(args); m != nil {
		c.file, c.text = args[m[2]:m[3]], args[m[1]:]
	}
	if strings.Contains(c.text, `"...`) {
		return call{}, errCut
	}
	if result != "?" {
		var err error
		if c.result, err = strconv.ParseInt(result, 10, 64); err != nil {
			return call{}, fmt.Errorf("%w: result %.30q", errTrace, result)
		}
	}
	return c, nil
}
