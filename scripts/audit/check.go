package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// maxOpen bounds the samples that are followed at a time.
const maxOpen = 1 << 20

// verdict is what a trace shows.
type verdict struct {
	answers   int // 202s whose request is known
	covered   int
	syncs     int      // of files of the log, without error
	early     []string // the first answers that were not covered
	uncovered int
}

// maxExamples bounds verdict.early.
const maxExamples = 10

// sampleName is in the request and in the log's record; loadgen pads its numbers.
var sampleName = regexp.MustCompile(`audit_ *\d{1,18}_`)

// stage is how far a sample has come.
type stage struct {
	read   int    // line at which its request had been read
	file   string // the log's file that has it, once it was written
	wrote  int    // line at which that write had returned
	synced int    // line at which the sync had returned; 0 before
}

// checker follows samples from request to answer.
type checker struct {
	logDir  string // what paths of the log contain
	samples map[string]*stage
	asked   map[string]string // by socket: the sample of the request that was read last
	unsync  map[string][]*stage
	found   verdict
}

func newChecker(logDir string) *checker {
	return &checker{logDir: logDir, samples: map[string]*stage{}, asked: map[string]string{}, unsync: map[string][]*stage{}}
}

// check reads a whole trace.
func check(trace io.Reader, logDir string) (verdict, error) {
	c := newChecker(logDir)
	err := parse(trace, c.take)
	return c.found, err
}

// take looks at a call that returned.
func (c *checker) take(k call) error {
	switch {
	case isSocket(k.file) && (k.name == "read" || k.name == "recvfrom"):
		return c.request(k)
	case isSocket(k.file) && (k.name == "write" || k.name == "sendto" || k.name == "writev"):
		return c.answer(k)
	case !strings.Contains(k.file, c.logDir):
	case k.name == "pwrite64" || k.name == "write" || k.name == "pwritev":
		c.written(k)
	case k.name == "fsync" || k.name == "fdatasync":
		c.synced(k)
	}
	return nil
}

func isSocket(file string) bool {
	return strings.HasPrefix(file, "TCP:") || strings.HasPrefix(file, "TCPv6:") || strings.HasPrefix(file, "socket:")
}

func (c *checker) request(k call) error {
	m := sampleName.FindString(k.text)
	if m == "" || k.result <= 0 {
		return nil
	}
	if len(c.samples) >= maxOpen {
		return fmt.Errorf("more than %d samples are under way", maxOpen)
	}
	c.samples[m] = &stage{read: k.done}
	c.asked[k.file] = m
	return nil
}

func (c *checker) written(k call) {
	if k.result < 0 {
		return
	}
	for _, name := range sampleName.FindAllString(k.text, -1) {
		if s := c.samples[name]; s != nil && k.begun > s.read && s.file == "" {
			s.file, s.wrote = k.file, k.done
			c.unsync[k.file] = append(c.unsync[k.file], s)
		}
	}
}

// synced covers what had been written to the file when the sync began.
func (c *checker) synced(k call) {
	if k.result != 0 {
		return
	}
	c.found.syncs++
	rest := c.unsync[k.file][:0]
	for _, s := range c.unsync[k.file] {
		if s.wrote < k.begun {
			s.synced = k.done
		} else {
			rest = append(rest, s)
		}
	}
	c.unsync[k.file] = rest
}

// answer judges a 202. The sync must have returned before the write of it began; since
// calls come in the order of their returns, one that returned later has not come yet or
// has a later line.
func (c *checker) answer(k call) error {
	if !strings.Contains(k.text, `"HTTP/1.1 202 `) {
		return nil
	}
	name, known := c.asked[k.file]
	if !known {
		return nil // not one of ours
	}
	delete(c.asked, k.file)
	s := c.samples[name]
	delete(c.samples, name)
	c.found.answers++
	switch {
	case s.synced > 0 && s.synced < k.begun:
		c.found.covered++
	case s.file == "":
		c.early(name, k, "before it was written to the log")
	default:
		c.early(name, k, fmt.Sprintf("before a sync after line %d had returned", s.wrote))
	}
	return nil
}

func (c *checker) early(name string, k call, what string) {
	c.found.uncovered++
	if len(c.found.early) < maxExamples {
		c.found.early = append(c.found.early, fmt.Sprintf("line %d: the 202 of %s began %s", k.begun, name, what))
	}
}
