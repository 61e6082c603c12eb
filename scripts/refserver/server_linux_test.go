package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"phase0/scripts/refserver/tally"
)

// start runs a server as main does and returns its address and a function that
// stops it and returns its tally.
func start(t *testing.T, args ...string) (string, func() tally.Tally) {
	t.Helper()
	o, err := parse(args)
	if err != nil {
		t.Fatal(err)
	}
	out, in := io.Pipe()
	var stop atomic.Bool
	go func() { in.CloseWithError(errors.Join(run(o, in, &stop), io.EOF)) }()
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !found {
		t.Fatalf("printed %q", line)
	}
	return address, func() tally.Tally {
		stop.Store(true)
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		counted, err := tally.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		return counted
	}
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func TestServerAnswers(t *testing.T) { testAnswers(t) }

func TestGatheringServerAnswers(t *testing.T) { testAnswers(t, "-spin", "-gather", "1ms") }

func testAnswers(t *testing.T, args ...string) {
	address, stop := start(t, args...)
	for name, c := range map[string]struct {
		parts    []string
		statuses []int
		closes   bool
	}{
		"one":             {[]string{post}, []int{202}, false},
		"split":           {[]string{post[:9], post[9:50], post[50:]}, []int{202}, false},
		"pipelined":       {[]string{strings.Repeat(post, 150)}, fill(150, 202), false},
		"close":           {[]string{post + "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"}, []int{202, 202}, true},
		"1.0":             {[]string{"GET / HTTP/1.0\r\n\r\n"}, []int{202}, true},
		"1.0, keep-alive": {[]string{strings.Repeat("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 2)}, []int{202, 202}, false},
		"chunked":         {[]string{"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"}, []int{501}, true},
		"nonsense":        {[]string{"hello\r\n\r\n"}, []int{400}, true},
		"too large":       {[]string{strings.Repeat("x", maxHead)}, []int{413}, true},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, address)
			for i, part := range c.parts {
				if i > 0 {
					time.Sleep(5 * time.Millisecond)
				}
				send(t, conn, part)
			}
			answers := bufio.NewReader(conn)
			for i, status := range c.statuses {
				checkAnswer(t, answers, i, status)
			}
			if c.closes {
				if _, err := answers.ReadByte(); !errors.Is(err, io.EOF) {
					t.Errorf("not closed: %v", err)
				}
			}
		})
	}
	if got := stop(); got.Requests != 157 || got.Refused != 3 || got.Dropped != 0 || got.Connections != 9 {
		t.Errorf("counted %+v, want 157 requests, 3 refused, 9 connections", got)
	}
}

func fill(n, status int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = status
	}
	return s
}

func checkAnswer(t *testing.T, r *bufio.Reader, i, status int) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("answer %d: %v", i, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		t.Fatalf("answer %d: status %d, want %d, error %v", i, resp.StatusCode, status, err)
	}
	if status == 202 && string(body) != answerBody {
		t.Fatalf("answer %d: body %q", i, body)
	}
}

func TestStallsAndStamps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stamps")
	address, stop := start(t, "-stall", "100ms", "-every", "200ms", "-stamps", path, "-stamps-max", "100000")
	conn := dial(t, address)
	answers := bufio.NewReader(conn)
	var longest time.Duration
	// If the whole machine stands still, little of that counts, so that there is time for a stall.
	for i, spent := 0, time.Duration(0); spent < 350*time.Millisecond; i++ {
		sent := time.Now()
		send(t, conn, post)
		checkAnswer(t, answers, i, 202)
		took := time.Since(sent)
		longest = max(longest, took)
		spent += min(took, 120*time.Millisecond)
	}
	printed := stop()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	counted, stamps, err := tally.Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if len(counted.Stalls) == 0 || len(printed.Stalls) != len(counted.Stalls) {
		t.Fatalf("stalls %v, printed %v; want one or more", counted.Stalls, printed.Stalls)
	}
	stall := counted.Stalls[0]
	if after := stall.StartNS - counted.FirstNS; after < 200e6 || stall.EndNS-stall.StartNS < 90e6 {
		t.Errorf("first stall %v after the first request, for %v", time.Duration(after), time.Duration(stall.EndNS-stall.StartNS))
	}
	if longest < 90*time.Millisecond {
		t.Errorf("no request saw the stall, the longest took %v", longest)
	}
	if len(stamps) != int(counted.Requests) {
		t.Errorf("%d stamps of %d requests", len(stamps), counted.Requests)
	}
	for _, at := range stamps {
		if at > stall.StartNS && at < stall.EndNS {
			t.Fatalf("served at %d, inside the stall %+v", at, stall)
		}
	}
}

// A client that asks and never reads is cut off, and others are served.
func TestDropsDeafClients(t *testing.T) {
	address, stop := start(t)
	deaf := dial(t, address)
	many := strings.Repeat(post, 1000)
	var err error
	for range 2000 { // 200 MB of answers, which no socket holds
		if _, err = io.WriteString(deaf, many); err != nil {
			break
		}
	}
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the deaf client was not cut off: %v", err)
	}
	conn := dial(t, address)
	answers := bufio.NewReader(conn)
	send(t, conn, post)
	checkAnswer(t, answers, 0, 202)
	if got := stop(); got.Dropped != 1 || got.Connections != 2 {
		t.Errorf("counted %+v, want 1 dropped of 2 connections", got)
	}
}

// Descriptors that are used again must not inherit what their last owner had to come.
func TestConnectionsComeAndGo(t *testing.T) {
	address, stop := start(t, "-spin", "-gather", "100us")
	const rounds = 200
	for i := range rounds {
		conn := dial(t, address)
		switch i % 4 {
		case 0: // half a request, and away
			send(t, conn, post[:20])
		case 1: // the client closes first
			send(t, conn, post)
			checkAnswer(t, bufio.NewReader(conn), i, 202)
		case 2: // away without reading
			send(t, conn, post+post)
		case 3: // the server closes first
			send(t, conn, "GET / HTTP/1.0\r\n\r\n")
			answers := bufio.NewReader(conn)
			checkAnswer(t, answers, i, 202)
			if _, err := answers.ReadByte(); !errors.Is(err, io.EOF) {
				t.Fatalf("round %d: not closed: %v", i, err)
			}
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := stop(); got.Connections != rounds || got.Refused != 0 || got.Requests < rounds/2 {
		t.Errorf("counted %+v, want %d connections and %d requests or more", got, rounds, rounds/2)
	}
}

func TestStampsAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stamps")
	address, stop := start(t, "-spin", "-stamps", path, "-stamps-max", "3")
	conn := dial(t, address)
	send(t, conn, strings.Repeat(post, 5))
	answers := bufio.NewReader(conn)
	for i := range 5 {
		checkAnswer(t, answers, i, 202)
	}
	if got := stop(); got.Requests != 5 || got.Stamps != 3 || !got.Spin {
		t.Errorf("counted %+v, want 5 requests and 3 stamps", got)
	}
}

// A server that spins is busy only while there are requests.
func TestBusyShareOfSpinning(t *testing.T) {
	address, stop := start(t, "-spin", "-gather", "100us")
	conn := dial(t, address)
	answers := bufio.NewReader(conn)
	for i := range 3 {
		send(t, conn, post)
		checkAnswer(t, answers, i, 202)
		time.Sleep(50 * time.Millisecond)
	}
	if got := stop(); got.BusyShare <= 0 || got.BusyShare > 0.5 {
		t.Errorf("busy %v with three requests in 100 ms", got.BusyShare)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"rest"}, {"-stall", "6s"}, {"-stall", "-1s"}, {"-stamps-max", "0"}, {"-stamps-max", "20000001"}, {"-cpu", "1024"}, {"-nope"},
		{"-gather", "80us"}, {"-spin", "-gather", "2ms"}, {"-spin", "-gather", "-1us"},
	} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v accepted", args)
		}
	}
	for _, addr := range []string{"localhost:80", "[::1]:80", "127.0.0.1"} {
		if err := run(options{addr: addr}, io.Discard, new(atomic.Bool)); err == nil {
			t.Errorf("-addr %s accepted", addr)
		}
	}
}
