package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var residentSize = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// memory returns the process's resident bytes. Where there is no /proc the test is skipped.
func (p *process) memory() int {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	m := residentSize.FindSubmatch(text)
	if err != nil || m == nil {
		p.t.Skipf("resident size is unknown here: %v", err)
	}
	kilobytes, _ := strconv.Atoi(string(m[1]))
	return kilobytes << 10
}

// Two hundred clients announce the largest body that is permitted and send one byte of it:
// what has not arrived takes no memory.
func TestClaimsTakeNoMemory(t *testing.T) {
	p := start(t, "-mode", "concurrent")
	p.post(good)
	before := p.memory()
	for range 200 {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n{")
	}
	p.waitFor(func() bool { return p.connections() == 200 })
	if grown := p.memory() - before; grown > memoryFactor*64<<20 {
		t.Errorf("%d MB more memory", grown>>20)
	}
	if status, _ := p.post(good); status != 202 {
		t.Errorf("another client: %d", status)
	}
}

// What is too large, too deep or endless is refused, and the refusal costs nothing that
// lasts.
func TestOversizeTakesNoMemory(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		head := "POST /metrics HTTP/1.1\r\nHost: x\r\n"
		inputs := map[string]int{
			head + "Content-Length: 99999999999\r\n\r\n" + strings.Repeat(" ", 100_000):                           413,
			head + "Transfer-Encoding: chunked\r\n\r\nfffffffffff\r\n" + strings.Repeat(" ", 2<<20):               413,
			head + "Transfer-Encoding: chunked\r\n\r\n1;a=" + strings.Repeat("b", 2<<20):                          400,
			head + "X: " + strings.Repeat("y", 1<<20):                                                             431,
			head + strings.Repeat("X: y\r\n", 100_000):                                                            431,
			"GET /query?name=" + strings.Repeat("y", 10_000) + " HTTP/1.1\r\nHost: x\r\n\r\n":                     414,
			"GET /" + strings.Repeat("y", 1<<20):                                                                  431,
			post(strings.Repeat("[", 1<<20)):                                                                      400,
			post(`{"name":"a","value":` + strings.Repeat("1", 1<<20-30) + `}`):                                    400,
			post(`{"name":"` + strings.Repeat(`\u0061`, 170_000) + `","value":1}`):                                400,
			post(`{"metrics":[` + strings.Repeat(`{"name":"a","value":1},`, 40_000) + `{"name":"a","value":1}]}`): 413,
			head + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("X-Trailer: y\r\n", 100_000):        400,
		}
		ask := func() {
			for raw, status := range inputs {
				if a := p.one(raw); a.status != status {
					t.Fatalf("%.60q…: %d %s, want %d", raw, a.status, a.body, status)
				}
			}
		}
		ask() // buffers that are kept grow once
		before := p.memory()
		begin := time.Now()
		for range 5 {
			ask()
		}
		if grown := p.memory() - before; grown > memoryFactor*16<<20 {
			t.Errorf("%d MB more memory", grown>>20)
		}
		t.Logf("%v for each, client included", time.Since(begin)/time.Duration(5*len(inputs)))
		p.stop()
		if got := len(p.lines()); got != 0 {
			t.Errorf("%d lines", got)
		}
	})
}
