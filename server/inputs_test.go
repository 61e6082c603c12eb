package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// answer is one response on a raw connection; status 0 means that the server closed
// without a word.
type answer struct {
	status int
	code   string
	header http.Header
	closes bool // the answer says Connection: close
	body   string
}

// exchange sends bytes on a connection of its own and reads up to n answers. Then it
// says no more, unless keepOpen.
func (p *process) exchange(raw string, n int, keepOpen bool) []answer {
	p.t.Helper()
	c, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(15 * time.Second))
	go func() {
		io.WriteString(c, raw) // fails when the server hangs up first, which is fine
		if !keepOpen {
			c.(*net.TCPConn).CloseWrite()
		}
	}()
	var answers []answer
	r := bufio.NewReader(c)
	for len(answers) < n {
		asked := &http.Request{Method: "GET"}
		if len(answers) == 0 && strings.HasPrefix(raw, "HEAD ") {
			asked.Method = "HEAD"
		}
		resp, err := http.ReadResponse(r, asked)
		if err != nil {
			break
		}
		if resp.StatusCode == 100 {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			p.t.Fatalf("%.60q: %v", raw, err)
		}
		a := answer{status: resp.StatusCode, header: resp.Header, closes: resp.Close, body: string(body)}
		var e struct{ Error, Code string }
		if json.Unmarshal(body, &e) == nil {
			a.code = e.Code
			if resp.StatusCode >= 400 && (e.Error == "" || e.Code == "" || bytes.ContainsRune(body, '\n') || resp.Header.Get("Content-Type") != "application/json") {
				p.t.Errorf("%.60q: error answer %q, %v", raw, body, resp.Header)
			}
		}
		answers = append(answers, a)
	}
	return answers
}

func (p *process) one(raw string) answer {
	p.t.Helper()
	a := p.exchange(raw, 1, true)
	if len(a) == 0 {
		return answer{}
	}
	return a[0]
}

func post(body string) string {
	return fmt.Sprintf("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

const good = `{"name":"a","value":1}`

func TestBadBodies(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		for _, tc := range []struct {
			body   string
			status int
			code   string
		}{
			{"", 400, "bad_json"}, {"{", 400, "bad_json"}, {"null", 400, "not_an_object"}, {"[]", 400, "not_an_object"}, {`"x"`, 400, "not_an_object"},
			{`{"name":"a"}`, 400, "missing_value"}, {`{"name":"a","value":null}`, 400, "missing_value"},
			{`{"value":1}`, 400, "missing_name"}, {`{"name":null,"value":1}`, 400, "missing_name"}, {`{"name":"","value":1}`, 400, "missing_name"}, {`{"name":"  ","value":1}`, 400, "missing_name"},
			{`{"name":"a","value":NaN}`, 400, "bad_json"}, {`{"name":"a","value":"85"}`, 400, "bad_value"}, {`{"name":"a","value":true}`, 400, "bad_value"}, {`{"name":"a","value":01}`, 400, "bad_json"},
			{`{"name":"a","value":Infinity}`, 400, "bad_json"}, {`{"name":"a","value":-Infinity}`, 400, "bad_json"}, {`{"name":"a","value":0x10}`, 400, "bad_json"}, {`{"name":"a","value":+1}`, 400, "bad_json"}, {`{"name":"a","value":1.}`, 400, "bad_json"}, {`{"name":"a","value":.5}`, 400, "bad_json"},
			{`{"name":"a","value":1e999}`, 400, "out_of_range"}, {`{"name":"a","value":-1e999}`, 400, "out_of_range"},
			{`{"NAME":"a","value":1}`, 400, "unknown_field"}, {`{"name":"a","value":1,"unit":"s"}`, 400, "unknown_field"}, {`{"name":"a","name":"b","value":1}`, 400, "duplicate_key"},
			{"{\"name\":\"\xff\",\"value\":1}", 400, "bad_utf8"}, {`{"name":"\ud800","value":1}`, 400, "bad_utf8"}, {"\xef\xbb\xbf" + good, 400, "bad_utf8"},
			{`{"name":"` + strings.Repeat("n", 1025) + `","value":1}`, 400, "name_too_long"}, {`{"name":"` + strings.Repeat("n", 1<<20-100) + `","value":1}`, 400, "name_too_long"},
			{strings.Repeat("[", 100_000), 400, "bad_json"}, {strings.Repeat(`{"a":`, 10_000), 400, "bad_json"},
			{good + "x", 400, "bad_json"}, {good + good, 400, "bad_json"}, {good + "\n" + good, 400, "bad_json"},
			{`{"name":"a","value":1,"timestamp":-1}`, 400, "bad_timestamp"}, {`{"name":"a","value":1,"timestamp":1.5}`, 400, "bad_timestamp"},
			{`{"metrics":[` + good + `,{"name":"b"}]}`, 400, "missing_value"},
			{strings.Repeat(" ", 1<<20) + good, 413, "body_too_large"},
			{good, 202, ""},
		} {
			a := p.one(post(tc.body))
			if a.status != tc.status || a.code != tc.code {
				t.Errorf("%.50q: %d %s, want %d %s", tc.body, a.status, a.body, tc.status, tc.code)
			}
			if a.status == 413 && !a.closes {
				t.Errorf("413 keeps the connection: %v", a.header)
			}
		}
		p.stop()
		if got := len(p.lines()); got != 1 {
			t.Errorf("%d lines stored, want 1: a refused sample is never stored", got)
		}
	})
}

// After a refused sample the connection goes on, since its framing is intact.
func TestConnectionSurvivesRefusal(t *testing.T) {
	p := start(t, "-mode", "concurrent")
	answers := p.exchange(post("{")+post(good)+post("[]")+post(good), 4, true)
	var got []int
	for _, a := range answers {
		got = append(got, a.status)
	}
	if fmt.Sprint(got) != "[400 202 400 202]" {
		t.Errorf("statuses %v", got)
	}
}

// Broken framing: no sample of it is stored, and one request gets at most one answer.
func TestFraming(t *testing.T) {
	head := "POST /metrics HTTP/1.1\r\nHost: x\r\n"
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode, "-read-timeout", "500ms", "-idle-timeout", "300ms")
		for _, tc := range []struct {
			name, raw string
			status    int
			half      bool // the client stops sending instead of waiting
		}{
			{"short then end", head + "Content-Length: 100\r\n\r\n" + good, 400, true},
			{"long body, short then end", head + "Content-Length: 20000\r\n\r\n" + good + strings.Repeat(" ", 10_000), 400, true},
			{"short then silence", head + "Content-Length: 100\r\n\r\n" + good, 408, false},
			{"negative", head + "Content-Length: -5\r\n\r\n" + good, 400, false},
			{"plus", head + "Content-Length: +22\r\n\r\n" + good, 400, false},
			{"duplicate", head + "Content-Length: 22\r\nContent-Length: 22\r\n\r\n" + good, 400, false},
			{"twenty digits", head + "Content-Length: 99999999999999999999\r\n\r\n" + good, 400, false},
			{"length and chunked", head + "Content-Length: 22\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n" + good + "\r\n0\r\n\r\n", 400, false},
			{"chunked and length", head + "Transfer-Encoding: chunked\r\ncontent-length: 22\r\n\r\n16\r\n" + good + "\r\n0\r\n\r\n", 400, false},
			{"bad chunk size", head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + good + "\r\n0\r\n\r\n", 400, false},
			{"chunked then end", head + "Transfer-Encoding: chunked\r\n\r\n16\r\n" + good[:10], 400, true},
			{"claims too much", head + "Content-Length: 1048577\r\n\r\n" + strings.Repeat(" ", 10_000), 413, false},
			{"claims too much and sends nothing", head + "Content-Length: 1048577\r\n", 413, false},
			{"chunked too much", head + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("4000\r\n"+strings.Repeat(" ", 0x4000)+"\r\n", 65) + "0\r\n\r\n", 413, false},
			{"headers too large", head + "X: " + strings.Repeat("y", 20_000) + "\r\n\r\n", 431, false},
			{"url too long", "GET /query?name=" + strings.Repeat("y", 9_000) + " HTTP/1.1\r\nHost: x\r\n\r\n", 414, false},
			{"folded header", head + "Foo: bar\r\n Content-Length: 5\r\n\r\n" + good, 400, false},
			{"http 2.0", "GET /health HTTP/2.0\r\nHost: x\r\n\r\n", 505, false},
			{"http 9.9", "GET /health HTTP/9.9\r\nHost: x\r\n\r\n", 505, false},
			{"http 1.2", "GET /health HTTP/1.2\r\nHost: x\r\n\r\n", 505, false},
			{"lower-case http", "GET /health http/1.1\r\nHost: x\r\n\r\n", 400, false},
			{"folded tab", head + "Foo: bar\r\n\tContent-Length: 5\r\n\r\n" + good, 400, false},
			{"bare line feed in the head", head + "Foo: bar\nContent-Length: 22\r\n\r\n" + good, 400, false},
			{"bare line feeds only", strings.ReplaceAll(head, "\r", "") + "Content-Length: 22\n\n" + good, 400, false},
			{"bare carriage return", head + "Foo: bar\rContent-Length: 22\r\n\r\n" + good, 400, false},
			{"zero byte", head + "Foo: b\x00r\r\nContent-Length: 22\r\n\r\n" + good, 400, false},
			{"space before the colon", head + "Content-Length : 22\r\n\r\n" + good, 400, false},
			{"space in a name", head + "X Content-Length: 22\r\n\r\n" + good, 400, false},
			{"identity", head + "Transfer-Encoding: identity\r\nContent-Length: 22\r\n\r\n" + good, 400, false},
			{"gzip and chunked", head + "Transfer-Encoding: gzip, chunked\r\n\r\n16\r\n" + good + "\r\n0\r\n\r\n", 400, false},
			{"chunked twice", head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n" + good + "\r\n0\r\n\r\n", 400, false},
			{"chunked in 1.0", "POST /metrics HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n" + good + "\r\n0\r\n\r\n", 400, false},
			{"garbage in a chunk extension", head + "Transfer-Encoding: chunked\r\n\r\n16;bad[=x\r\n" + good + "\r\n0\r\n\r\n", 400, false},
			{"space after a chunk size", head + "Transfer-Encoding: chunked\r\n\r\n16 \r\n" + good + "\r\n0\r\n\r\n", 400, false},
			{"bare line feed after a chunk", head + "Transfer-Encoding: chunked\r\n\r\n16\r\n" + good + "\n0\r\n\r\n", 400, false},
			{"bare line feed in a trailer", head + "Transfer-Encoding: chunked\r\n\r\n16\r\n" + good + "\r\n0\r\nA: b\n\r\n", 400, false},
			{"chunk longer than its size", head + "Transfer-Encoding: chunked\r\n\r\n15\r\n" + good + "\r\n0\r\n\r\n", 400, false},
			{"tunnel", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
			{"two hosts", head + "Host: y\r\nContent-Length: 22\r\n\r\n" + good, 400, false},
			{"utf-8 in the target", strings.Replace(post(good), "/metrics", "/metrics?é", 1), 400, false},
			{"two spaces", strings.Replace(post(good), " /metrics", "  /metrics", 1), 400, false},
			{"no host", "GET /health HTTP/1.1\r\n\r\n", 400, false},
			{"nonsense", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, false},
			{"utf-16", head + "Content-Type: application/json; charset=utf-16\r\nContent-Length: 22\r\n\r\n" + good, 415, false},
			{"no gzip", head + "Content-Encoding: gzip\r\nContent-Length: 22\r\n\r\n" + good, 400, false},
			{"deflate", head + "Content-Encoding: deflate\r\nContent-Length: 22\r\n\r\n" + good, 415, false},
			{"expects too much", head + "Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n", 413, false},
			{"unknown expectation", head + "Expect: a-cookie\r\nContent-Length: 22\r\n\r\n" + good, 417, false},
		} {
			answers := p.exchange(tc.raw, 2, !tc.half)
			if len(answers) != 1 || answers[0].status != tc.status {
				t.Errorf("%s: got %+v, want one %d", tc.name, answers, tc.status)
				continue
			}
			// These leave the framing intact.
			if tc.status != 415 && tc.name != "no gzip" && !answers[0].closes {
				t.Errorf("%s: connection is kept", tc.name)
			}
		}
		// Longer than declared: the first request is whole, what follows is none.
		long := p.exchange(head+"Content-Length: 22\r\n\r\n"+good+"garbage\r\n\r\n", 3, true)
		if want := map[string]int{"single": 1, "concurrent": 2, durable: 2}[mode]; len(long) != want || long[0].status != 202 || want == 2 && long[1].status != 400 {
			t.Errorf("long body: %+v", long)
		}
		p.stop()
		if got := len(p.lines()); got != 1 {
			t.Errorf("%d lines stored, want 1", got)
		}
	})
}

// Everything that is odd but right.
func TestAcceptedForms(t *testing.T) {
	head := "POST /metrics HTTP/1.1\r\nHost: x\r\n"
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		var oneByte strings.Builder
		for _, c := range good {
			oneByte.WriteString(fmt.Sprintf("1\r\n%c\r\n", c))
		}
		forms := []string{
			post(good),
			head + "Transfer-Encoding: chunked\r\n\r\n" + oneByte.String() + "0\r\n\r\n",
			head + "Transfer-Encoding: chunked\r\n\r\n16\r\n" + good + "\r\n0\r\nX-Trailer: 1\r\n\r\n",
			head + "Expect: 100-continue\r\nContent-Length: 22\r\n\r\n" + good,
			head + "Content-Type: text/plain\r\nContent-Length: 22\r\n\r\n" + good,
			head + "Content-Type: application/json; charset=UTF-8\r\nContent-Length: 22\r\n\r\n" + good,
			head + "Content-Encoding: identity\r\nContent-Length: 22\r\n\r\n" + good,
			strings.Replace(post(good), "/metrics", "/metrics?x=1", 1),
			strings.Replace(post(good), "/metrics", "http://x/metrics", 1),
			"POST /metrics HTTP/1.0\r\nContent-Length: 22\r\n\r\n" + good,
			"\r\n\r\n" + post(good),
			head + "Transfer-Encoding: CHUNKED\r\n\r\n16;a=\"b c\";d\r\n" + good + "\r\n000\r\n\r\n",
		}
		for _, raw := range forms {
			if a := p.one(raw); a.status != 202 {
				t.Errorf("%.90q: %d %s", raw, a.status, a.body)
			}
		}
		p.stop()
		if got := len(p.lines()); got != len(forms) {
			t.Errorf("%d lines, want %d", got, len(forms))
		}
	})
}

func TestMethodsAndPaths(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode)
		for _, tc := range []struct {
			request string
			status  int
			allow   string
		}{
			{"PUT /metrics", 405, "GET, HEAD, POST"}, {"DELETE /metrics", 405, "GET, HEAD, POST"}, {"OPTIONS /metrics", 405, "GET, HEAD, POST"}, {"BREW /metrics", 405, "GET, HEAD, POST"},
			{"POST /query", 405, "GET, HEAD"}, {"DELETE /health", 405, "GET, HEAD"}, {"POST /alerts", 405, "GET, HEAD"},
			{"GET /metrics/", 404, ""}, {"GET //metrics", 404, ""}, {"GET /", 404, ""}, {"GET /Metrics", 404, ""}, {"GET /x/../metrics", 404, ""}, {"GET *", 400, ""},
			{"GET /metrics?x=1", 200, ""}, {"GET /metrics", 200, ""}, {"GET http://x/health", 200, ""}, {"GET /alerts", 200, ""}, {"GET /health", 200, ""},
		} {
			a := p.one(tc.request + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
			if a.status != tc.status || a.header.Get("Allow") != tc.allow {
				t.Errorf("%s: %d %s, Allow %q", tc.request, a.status, a.body, a.header.Get("Allow"))
			}
		}
		for _, path := range []string{"/metrics", "/health", "/alerts", "/query?name=a"} {
			resp, err := client.Head("http://" + p.addr + path)
			if status, body := p.read(resp, err); status != 200 || body != "" {
				t.Errorf("HEAD %s: %d %q", path, status, body)
			}
		}
	})
}

func TestQueryParameters(t *testing.T) {
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode, "-query-max-samples", "3")
		for i := range 3 {
			p.post(fmt.Sprintf(`{"metrics":[{"name":"a","value":%d,"timestamp":%d},{"name":"few","value":%[1]d,"timestamp":5}]}`, i, 30-10*i))
		}
		p.post(`{"name":"a","value":3,"timestamp":20}`)
		p.settle()
		p.post(`{"metrics":[{"name":"huge","value":1.7976931348623157e308,"timestamp":1},{"name":"huge","value":1.7976931348623157e308,"timestamp":2}]}`)
		labelled := func(host string, ts int) string {
			return fmt.Sprintf(`{"name":"l","value":1,"timestamp":%d,"labels":{"host":"%s"}}`, ts, host)
		}
		p.post(`{"metrics":[` + labelled("a", 1) + "," + labelled("ab", 2) + `]}`)
		p.settle()
		row := func(v, ts int) string { return fmt.Sprintf(`{"name":"a","value":%d,"timestamp":%d}`, v, ts) }
		for _, tc := range []struct {
			query  string
			status int
			want   string // code or body
		}{
			{"", 400, "bad_parameter"}, {"name=", 400, "bad_parameter"}, {"name=a&name=b", 400, "bad_parameter"},
			{"name=a&start=3&end=2", 400, "bad_range"},
			{"name=a&start=abc", 400, "bad_parameter"}, {"name=a&start=1e12", 400, "bad_parameter"}, {"name=a&start=1.5", 400, "bad_parameter"}, {"name=a&end=-5", 400, "bad_parameter"},
			{"name=a&start=+5", 400, "bad_parameter"}, {"name=a&start=%2B5", 400, "bad_parameter"}, {"name=a&end=9223372036854775808", 400, "bad_parameter"}, {"name=a&start=", 400, "bad_parameter"},
			{"name=a&limit=0", 400, "bad_parameter"}, {"name=a&limit=4", 400, "bad_parameter"}, {"name=a&limit=x", 400, "bad_parameter"},
			{"name=a&steps=5", 400, "unknown_parameter"}, {"name=a&step=5", 400, "bad_parameter"}, {"name=a&agg=avg&limit=2", 400, "bad_parameter"},
			{"name=a&agg=", 400, "bad_parameter"}, {"name=a&agg=median", 400, "bad_parameter"}, {"name=a&agg=avg,avg", 400, "bad_parameter"}, {"name=a&agg=p0", 400, "bad_parameter"}, {"name=a&agg=p100.1", 400, "bad_parameter"},
			{"name=a&agg=avg&step=0", 400, "bad_parameter"}, {"name=a&agg=avg&step=-5", 400, "bad_parameter"}, {"name=a&agg=avg&step=-5s", 400, "bad_parameter"}, {"name=a&agg=avg&step=1us", 400, "bad_parameter"}, {"name=a&agg=avg&step=x", 400, "bad_parameter"},
			{"name=a&agg=avg&start=0&end=10999&step=1", 200, ""}, {"name=a&agg=avg&start=0&end=11000&step=1", 400, "too_many_points"},
			{"name=a&min_value=x", 400, "bad_parameter"}, {"name=a&max_value=NaN", 400, "bad_parameter"}, {"name=a&max_value=1e999", 400, "bad_parameter"}, {"name=a&max_value=0x1p3", 400, "bad_parameter"}, {"name=a&min_value=2&max_value=1", 400, "bad_range"},
			{"name=a&match=", 400, "bad_parameter"}, {"name=a&match=host", 400, "bad_parameter"}, {"name=a&match=host=~(", 400, "bad_parameter"}, {`name=a&match=host="a`, 400, "bad_parameter"}, {"name=a&match=ho-st=a", 400, "bad_parameter"},
			{"name=%zz", 400, "bad_parameter"}, {"name=a;b", 200, "[]"}, {"name=%00", 200, "[]"}, {"name=%ff", 200, "[]"},
			{"name=a", 422, "too_many_samples"},
			{"name=a&limit=2", 200, "[" + row(2, 10) + "," + row(1, 20) + "]"},
			{"name=a&start=20&end=20", 200, "[" + row(1, 20) + "," + row(3, 20) + "]"}, // inclusive; equal times in file order
			{"name=a&start=11&end=19", 200, "[]"},
			{"name=a&start=21", 200, "[" + row(0, 30) + "]"},
			{"name=a&end=10&", 200, "[" + row(2, 10) + "]"},
			{"%6eame=a&end=10", 200, "[" + row(2, 10) + "]"},
			{"name=a&min_value=1&max_value=2", 200, "[" + row(2, 10) + "," + row(1, 20) + "]"},
			{"name=a&min_value=1.5&end=10", 200, "[" + row(2, 10) + "]"},
			{"name=a&agg=count,sum,avg,min,max,p50,p99.9,rate,stddev", 200, `[{"start":10,"end":30,"count":4,"sum":6,"avg":1.5,"min":0,"max":3,"p50":1,"p99.9":3,"rate":-100,"stddev":1.118033988749895}]`},
			{"name=a&agg=avg,count,p99&start=10&end=29&step=10ms", 200, `[{"start":10,"end":19,"avg":2,"count":1,"p99":2},{"start":20,"end":29,"avg":2,"count":2,"p99":3}]`},
			{"name=a&agg=max,count&start=5&end=32&step=20", 200, `[{"start":5,"end":24,"max":3,"count":3},{"start":25,"end":32,"max":0,"count":1}]`},
			{"name=a&agg=sum&step=15", 200, `[{"start":10,"end":24,"sum":6},{"start":25,"end":30,"sum":0}]`},
			{"name=a&agg=sum&start=10&end=30&step=1h", 200, `[{"start":10,"end":30,"sum":6}]`},
			{"name=a&agg=avg,p99,count&start=40&end=50", 200, `[{"start":40,"end":50,"avg":null,"p99":null,"count":0}]`},
			{"name=nobody&agg=avg,count", 200, `[{"start":null,"end":null,"avg":null,"count":0}]`},
			{"name=nobody&agg=avg&step=5", 200, "[]"},
			{"name=huge&agg=sum,avg", 200, `[{"start":1,"end":2,"sum":null,"avg":1.7976931348623157e+308}]`},
			{`name=l&match=host="a"`, 200, "[" + labelled("a", 1) + "]"},
			{"name=l&match=host=a", 200, "[" + labelled("a", 1) + "]"},
			{"name=l&match=host!=a", 200, "[" + labelled("ab", 2) + "]"},
			{"name=l&match=host=~a.*", 200, "[" + labelled("a", 1) + "," + labelled("ab", 2) + "]"},
			{"name=l&match=host=~a", 200, "[" + labelled("a", 1) + "]"}, // the whole value
			{"name=l&match=host=~a.*&match=host!~.b", 200, "[" + labelled("a", 1) + "]"},
			{"name=l&match=zone=", 200, "[" + labelled("a", 1) + "," + labelled("ab", 2) + "]"},
		} {
			a := p.one("GET /query?" + tc.query + " HTTP/1.1\r\nHost: x\r\n\r\n")
			if a.status != tc.status || tc.want != "" && a.body != tc.want && a.code != tc.want {
				t.Errorf("%s: %d %s, want %d %s", tc.query, a.status, a.body, tc.status, tc.want)
			}
			if a.status == 200 && !regexp.MustCompile(`^(11|22)$`).MatchString(a.header.Get("X-Phase0-Samples-Scanned")) {
				t.Errorf("%s: %v", tc.query, a.header)
			}
		}
	})
}

// Lines that others tore, wrote or damaged are passed over and counted; the rest is
// answered.
func TestForeignFile(t *testing.T) {
	line := func(v int) string { return fmt.Sprintf(`{"name":"f","value":%d,"timestamp":%[1]d}`, v) }
	file := strings.Join([]string{
		line(1),
		line(2) + "\r",
		"",
		`{"value": 3, "timestamp": 3, "name": "f"}`,
		`{"name":"f","value":4}`,
		"# a comment",
		"\x00\x00\x00\x00",
		"\xef\xbb\xbf" + line(5),
		strings.Repeat("x", 10<<20),
		`{"name":"f","value":` + strings.Repeat("6", 300<<10),
		line(1),
		"\xff\xfe binary \x01",
		line(0),
		`{"name":"f","va`, // torn: the last line has no end
	}, "\n")
	inEveryMode(t, func(t *testing.T, mode string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "phase0_metrics.jsonl"), []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		p := startIn(t, dir, "-mode", mode)
		a := p.one("GET /query?name=f HTTP/1.1\r\nHost: x\r\n\r\n")
		if want := "[" + strings.Join([]string{line(0), line(1), line(1), line(2), line(3)}, ",") + "]"; a.body != want {
			t.Errorf("got %s", a.body)
		}
		if got := a.header.Get("X-Phase0-Lines-Skipped"); got != "8" {
			t.Errorf("%s lines skipped, want 8", got)
		}
		p.post(`{"name":"f","value":9,"timestamp":9}`)
		p.settle()
		if a := p.one("GET /query?name=f&start=9 HTTP/1.1\r\nHost: x\r\n\r\n"); a.body != "["+line(9)+"]" {
			t.Errorf("appended after a torn line: %s", a.body)
		}
	})
}

// A client above the limit is told so instead of being left waiting.
func TestTooManyConnections(t *testing.T) {
	p := start(t, "-mode", "concurrent", "-max-conns", "2")
	for range 2 {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
	}
	a := p.one("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
	if a.status != 503 || a.code != "too_many_connections" || a.header.Get("Retry-After") == "" {
		t.Errorf("third connection: %+v", a)
	}
}
