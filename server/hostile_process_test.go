package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Times are whole Unix milliseconds, and no unit is guessed: seconds are a day in 1970,
// microseconds are far ahead.
func TestTimestamps(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		now := time.Now()
		var want []string
		for _, tc := range []struct {
			timestamp string
			ok        bool
		}{
			{"0", true}, {"1", true}, {"1696789234", true}, {"1696789234567", true}, {"1.5e12", true}, {"1696789234567.0", true}, {fmt.Sprint(now.Add(time.Hour).UnixMilli()), true},
			{"-1", false}, {"1.5", false}, {`"123"`, false}, {"true", false}, {"9223372036854775807", false}, {"9223372036854775808", false}, {"1e400", false},
			{fmt.Sprint(now.UnixMicro()), false}, {fmt.Sprint(now.Add(25 * time.Hour).UnixMilli()), false},
		} {
			a := p.one(post(fmt.Sprintf(`{"name":"t","value":%d,"timestamp":%s}`, len(want), tc.timestamp)))
			switch {
			case tc.ok && a.status != 202:
				t.Errorf("%s: %d %s", tc.timestamp, a.status, a.body)
			case !tc.ok && (a.status != 400 || a.code != "bad_timestamp" || !strings.Contains(a.body, "milliseconds") && !strings.Contains(a.body, "must be a number")):
				t.Errorf("%s: %d %s, want 400 bad_timestamp and the unit", tc.timestamp, a.status, a.body)
			}
			if tc.ok {
				want = append(want, tc.timestamp)
			}
		}
		p.stop()
		if got := len(p.lines()); got != len(want) {
			t.Errorf("%d lines, want %d", got, len(want))
		}
	})
}

// A client that asks before it sends is told to go on, and only then sends.
func TestExpectContinue(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprintf(c, "POST /metrics HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(good))
		r := bufio.NewReader(c)
		if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 100 {
			t.Fatalf("before the body: %v, %v", resp, err)
		}
		io.WriteString(c, good)
		if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 202 {
			t.Errorf("after the body: %v, %v", resp, err)
		}
	})
}

// A hundred requests at once, the last malformed: the others are answered in order.
func TestPipeline(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		var raw strings.Builder
		for i := range 99 {
			if i%2 == 0 {
				raw.WriteString(post(fmt.Sprintf(`{"metrics":[{"name":"p","value":%d}%s]}`, i, strings.Repeat(`,{"name":"q","value":1}`, i))))
			} else {
				raw.WriteString("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
			}
		}
		raw.WriteString("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 22\nX: y\r\n\r\n" + good + post(good))
		answers := p.exchange(raw.String(), 200, true)
		want := map[string]int{"single": 1}[mode] // it closes after the first
		if want == 0 {
			want = 100
		}
		if len(answers) != want {
			t.Fatalf("%d answers, want %d", len(answers), want)
		}
		for i, a := range answers {
			switch {
			case i == 99 && (a.status != 400 || !a.closes),
				i < 99 && i%2 == 0 && (a.status != 202 || !strings.Contains(a.body, fmt.Sprintf(`"count":%d}`, i+1))),
				i < 99 && i%2 == 1 && !strings.Contains(a.body, "queue_size"):
				t.Errorf("answer %d: %+v", i, a)
			}
		}
		p.stop()
		if got := strings.Count(strings.Join(p.lines(), "\n"), `"name":"p"`); got != (want+1)/2 {
			t.Errorf("%d samples of the %d requests were stored", got, (want+1)/2)
		}
	})
}

// serving returns how many goroutines of a server that runs with -pprof are busy with a
// connection. Workers that wait for the next one do not count.
func (p *process) serving() int {
	p.t.Helper()
	at := regexp.MustCompile(`\[Profiler\] (\S+)`).FindStringSubmatch(p.output())
	resp, err := client.Get(at[1] + "goroutine?debug=1")
	_, text := p.read(resp, err)
	if !strings.HasPrefix(text, "goroutine profile: ") {
		p.t.Fatalf("no goroutine profile: %.100s", text)
	}
	n := 0
	for stack := range strings.SplitSeq(text, "\n\n") {
		if strings.Contains(stack, "serveConn") || strings.Contains(stack, "server/api") {
			count, _ := strconv.Atoi(regexp.MustCompile(`(?m)^(\d+) @`).FindStringSubmatch(stack)[1])
			n += count
		}
	}
	return n
}

// Clients that hang up before they read, in the middle of a body or head, or with a reset,
// leave nothing behind.
func TestClientsThatLeave(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		// Timeouts do not help to get rid of them, nor do they end what is still looked at.
		p := start(t, "-mode", mode, "-pprof", "0", "-read-timeout", "60s", "-write-timeout", "60s")
		p.post(good)
		p.settle()
		before := p.connections()
		for i := range 150 {
			c, err := net.Dial("tcp", p.addr)
			if err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				c.(*net.TCPConn).SetLinger(0) // a reset instead of an end
			}
			whole := post(good)
			if i == 0 {
				io.WriteString(c, whole[:20])
				p.waitFor(func() bool { return p.serving() == 1 }) // the count is no empty one
			}
			io.WriteString(c, []string{whole, whole[:len(whole)-5], whole[:20], "", "GET /query?name=a HTTP/1.1\r\nHost: x\r\n\r\n"}[i%5])
			c.Close()
		}
		p.waitFor(func() bool { return p.connections() <= before && p.serving() == 0 })
		p.settle()
		p.stop()
		lines := p.lines()
		for _, line := range lines {
			if !regexp.MustCompile(`^\{"name":"a","value":1,"timestamp":\d+\}$`).MatchString(line) {
				t.Errorf("line %q", line)
			}
		}
		if len(lines) < 1 || len(lines) > 31 {
			t.Errorf("%d lines of 1 that was answered and 30 that were sent", len(lines))
		}
	})
}

// What a bounded queue cannot hold is refused with a time to come back, and never stored.
func TestQueueFull(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		flags := []string{"-mode", mode, "-storage", "batched", "-queue-limit", "10000", "-append-delay", "2ms"}
		if mode == "single" {
			flags = append(flags, "-queue", "bounded")
		}
		p := start(t, flags...)
		batch := `{"metrics":[` + strings.Repeat(`{"name":"b","value":1},`, 4999) + `{"name":"b","value":1}]}`
		accepted, refused := 0, 0
		for range 6 { // at most 5,000 are stored in a second
			switch a := p.one(post(batch)); {
			case a.status == 202:
				accepted++
			case a.status == 503 && a.code == "queue_full" && a.header.Get("Retry-After") == "1" && a.closes == (mode == "single"):
				refused++
			default:
				t.Errorf("%+v", a)
			}
		}
		if accepted < 2 || refused == 0 {
			t.Errorf("%d accepted, %d refused", accepted, refused)
		}
		if code := p.stop(); code != 0 {
			t.Errorf("exit code %d: %s", code, &p.stderr)
		}
		if got := len(p.lines()); got != 5000*accepted {
			t.Errorf("%d lines, want %d", got, 5000*accepted)
		}
	})
}

// Health is asked by machines, often: it is not rate limited, and HEAD says the same.
func TestHealthIsNotLimited(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode, "-rate-limit", "1/h", "-rate-burst", "1")
		var raw strings.Builder
		for range 50 {
			raw.WriteString("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		if mode != "single" {
			for i, a := range p.exchange(raw.String(), 50, true) {
				if a.status != 200 {
					t.Errorf("answer %d: %+v", i, a)
				}
			}
		}
		full := p.one("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		head := p.one("HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n")
		for _, h := range []http.Header{full.header, head.header} {
			h.Del("Date")
		}
		if fmt.Sprint(full.header) != fmt.Sprint(head.header) || head.body != "" || head.status != full.status || full.body != `{"status":"healthy","queue_size":0}` {
			t.Errorf("GET %+v\nHEAD %+v", full, head)
		}
	})
}

// An error repeats little of what was sent, whatever that was.
func TestErrorsAreShort(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		long := strings.Repeat(`<\u0000\"é`, 500)
		wide := strings.Repeat("%00%22%C3%A9<", 300)
		for _, raw := range []string{
			post(`{"` + long + `":1}`), post(`{"name":"a","value":1,"labels":{"` + long + `":"b"}}`), post(`{"name":"a","value":"` + long + `"}`),
			"GET /query?name=a&" + wide + "=1 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /query?name=a&start=" + wide + " HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET /query?name=a&match=" + wide + " HTTP/1.1\r\nHost: x\r\n\r\n", "GET /query?name=a&agg=" + wide + " HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET /" + wide + " HTTP/1.1\r\nHost: x\r\n\r\n", strings.Repeat("<", 5000) + " / HTTP/1.1\r\nHost: x\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: x\r\nA" + strings.Repeat("\x01", 5000) + ": b\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("\x01", 5000) + "\r\n\r\n",
		} {
			if a := p.one(raw); a.status < 400 || a.status > 499 || len(a.body) > 800 {
				t.Errorf("%.40q: %d, %d bytes: %s", raw, a.status, len(a.body), a.body)
			}
		}
	})
}

// Fifty megabytes of zeros in fifty kilobytes are refused before they are unpacked.
func TestGzipBomb(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		var bomb bytes.Buffer
		w := gzip.NewWriter(&bomb)
		zeros := make([]byte, 1<<20)
		for range 50 {
			w.Write(zeros)
		}
		w.Close()
		before := p.memory()
		for range 20 {
			a := p.one(fmt.Sprintf("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", bomb.Len(), &bomb))
			if a.status != 413 || a.code != "body_too_large" {
				t.Fatalf("%+v", a)
			}
		}
		if grown := p.memory() - before; grown > memoryFactor*32<<20 {
			t.Errorf("%d MB more memory", grown>>20)
		}
	})
}

// Clients that are slow to send are given the read timeout and then told. In single each
// holds up everybody meanwhile, by design; in concurrent it holds up nobody.
func TestSlowClients(t *testing.T) {
	for mode, slow := range map[string]int{"single": 1, "concurrent": 50, durable: 50} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			const timeout = 5 * time.Second
			p := start(t, "-mode", mode, "-read-timeout", timeout.String())
			var stuck []net.Conn
			dialled := time.Now()
			for i := range slow {
				c, err := net.Dial("tcp", p.addr)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				io.WriteString(c, []string{"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", "POST /metrics HTT", "P"}[i%3])
				stuck = append(stuck, c)
			}
			p.waitFor(func() bool { return p.connections() == slow })
			begin := time.Now()
			if status, body := p.post(good); status != 202 {
				t.Errorf("%d %s", status, body)
			}
			if took := time.Since(begin); mode != "single" && took > timeout-time.Second || took > 3*timeout {
				t.Errorf("another client waited %v", took)
			}
			if held := time.Since(dialled); mode == "single" && held < timeout-time.Second {
				t.Errorf("another client had its answer %v after the one that holds it up came", held)
			}
			for i, c := range stuck {
				c.SetReadDeadline(time.Now().Add(3 * timeout))
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil || resp.StatusCode != 408 || !resp.Close {
					t.Errorf("slow client %d: %+v, %v", i, resp, err)
				}
			}
			p.waitFor(func() bool { return p.connections() == 0 })
		})
	}
}
