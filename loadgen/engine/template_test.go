package engine

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func build(t *testing.T, r Request) *Template {
	t.Helper()
	if r.URL == nil {
		r.URL = &url.URL{Scheme: "http", Host: "host:8080", Path: "/metrics"}
	}
	tpl, err := NewTemplate(r)
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

// parse reads a request with another implementation of HTTP.
func parse(t *testing.T, raw []byte) (*http.Request, string) {
	t.Helper()
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		t.Fatal(err)
	}
	return req, string(body)
}

func TestDefaultBodyIsTheNextSample(t *testing.T) {
	tpl := build(t, Request{Method: "POST", RunID: "ab12", KeepAlive: true})
	raw := tpl.Copy()
	for _, i := range []int64{0, 1, 7, 8, 12345, 8*999_999_999_999_999 + 3, 0} {
		tpl.Fill(raw, i)
		_, body := parse(t, raw)
		var sample struct {
			Name  string
			Value int64
		}
		if err := json.Unmarshal([]byte(body), &sample); err != nil {
			t.Fatalf("request %d: %v in %q", i, err, body)
		}
		if want := fmt.Sprintf("loadgen_ab12_%d", i%8); sample.Name != want || sample.Value != i/8 {
			t.Errorf("request %d is sample %d of %s, want %d of %s", i, sample.Value, sample.Name, i/8, want)
		}
	}
}

func TestFillDoesNotAllocate(t *testing.T) {
	tpl := build(t, Request{Method: "POST", RunID: "ab12"})
	raw, i := tpl.Copy(), int64(0)
	if n := testing.AllocsPerRun(1000, func() { tpl.Fill(raw, i); i += 1009 }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRequestIsWhatWasAsked(t *testing.T) {
	tpl := build(t, Request{
		Method:  "PUT",
		URL:     &url.URL{Scheme: "http", Host: "host:8080", Path: "/a b", RawQuery: "x=1&y=%2F"},
		Headers: []Header{{"X-Tenant", "a"}, {"Host", "other"}, {"Content-Type", "text/plain"}},
		Body:    []byte("hello"),
	})
	req, body := parse(t, tpl.Copy())
	if req.Method != "PUT" || req.URL.Path != "/a b" || req.URL.RawQuery != "x=1&y=%2F" || req.Host != "other" || body != "hello" {
		t.Errorf("got %s %s of host %s with %q", req.Method, req.URL, req.Host, body)
	}
	if req.Header.Get("X-Tenant") != "a" || req.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("headers %v", req.Header)
	}
	if !req.Close {
		t.Error("without keep-alive the request does not ask to close")
	}
}

func TestMethodsWithoutBody(t *testing.T) {
	for _, method := range []string{"GET", "HEAD"} {
		tpl := build(t, Request{Method: method, KeepAlive: true})
		req, body := parse(t, tpl.Copy())
		if body != "" || req.Header.Get("Content-Length") != "" || req.Close {
			t.Errorf("%s has body %q, headers %v", method, body, req.Header)
		}
		if tpl.Head() != (method == "HEAD") {
			t.Errorf("%s: Head() = %v", method, tpl.Head())
		}
	}
}

func TestFramingHeadersAreRefused(t *testing.T) {
	for _, name := range []string{"Content-Length", "transfer-encoding", "CONNECTION", "Expect"} {
		_, err := NewTemplate(Request{Method: "POST", URL: &url.URL{Scheme: "http", Host: "h"}, Headers: []Header{{name, "1"}}})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("header %s: error %v", name, err)
		}
	}
}

func TestRepeatedHeadersAreAllSent(t *testing.T) {
	tpl := build(t, Request{Method: "GET", Headers: []Header{{"X-A", "1"}, {"X-A", "2"}, {"Content-Type", "text/plain"}, {"User-Agent", "me"}}})
	req, _ := parse(t, tpl.Copy())
	if got := req.Header["X-A"]; len(got) != 2 || got[0] != "1" || got[1] != "2" {
		t.Errorf("X-A is %q", got)
	}
	if req.Header.Get("User-Agent") != "me" || len(req.Header["User-Agent"]) != 1 {
		t.Errorf("headers %q", req.Header)
	}
}
