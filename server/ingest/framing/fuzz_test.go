package framing

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// FuzzAgreement: of every stream of requests that the Checker lets pass, fasthttp and
// net/http find the same requests, with the same bodies, ending at the same bytes, or
// refuse one and read no further.
func FuzzAgreement(f *testing.F) {
	for _, seed := range []string{
		host + "\r\n" + length + "abc" + host + "\r\n",
		chunks + "3;a=\"b\"\r\nabc\r\n0\r\nA: b\r\n\r\n" + length + "abc",
		"\r\n" + host + "A: b\r\n c\r\n\r\n",
		host + "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc",
		host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		chunks + "3 ;\r\nabc\r\n0\r\n\r\n",
		host + "A: b\nContent-Length: 3\r\n\r\nabc",
		"GET / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc" + "HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na",
		host + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc" + host + "\r\n",
		host + "Connection: close\r\nUpgrade: h2c\r\nTrailer: A\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n",
	} {
		f.Add([]byte(seed), uint64(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		agree(t, data, seed)
	})
}

// agree checks the property of FuzzAgreement and returns how many requests fasthttp read.
func agree(t *testing.T, data []byte, seed uint64) int {
	ends, err := follow(string(data))
	passed := inPieces(t, data, seed, err)
	byFast, fastBodies := readAll(passed, readFast)
	byNet, netBodies := readAll(passed, readNet)
	for who, got := range map[string][]int{"fasthttp": byFast, "net/http": byNet} {
		if len(got) > len(ends) || !slices.Equal(got, ends[:len(got)]) {
			t.Fatalf("%s reads requests that end at %v, the checker at %v\n%q", who, got, ends, data)
		}
	}
	for i := range min(len(fastBodies), len(netBodies)) {
		if fastBodies[i] != netBodies[i] {
			t.Fatalf("body %d: %q by fasthttp, %q by net/http\n%q", i, fastBodies[i], netBodies[i], data)
		}
	}
	return len(byFast)
}

// inPieces cuts the stream at random; the verdict must not depend on it.
func inPieces(t *testing.T, data []byte, seed uint64, want error) (passed []byte) {
	rng := rand.New(rand.NewPCG(seed, 0))
	var c Checker
	for rest := data; len(rest) > 0; {
		piece := rest[:1+rng.IntN(min(len(rest), 64))]
		n, err := c.Check(piece)
		passed = append(passed, piece[:n]...)
		if err != nil {
			if err != want {
				t.Fatalf("%v in pieces, %v byte by byte\n%q", err, want, data)
			}
			return passed
		}
		rest = rest[len(piece):]
	}
	if want != nil {
		t.Fatalf("passes in pieces, %v byte by byte\n%q", want, data)
	}
	return passed
}

// readAll reads request after request until one cannot be read.
func readAll(data []byte, read func(*bufio.Reader) (string, error)) (ends []int, bodies []string) {
	source := bytes.NewReader(data)
	r := bufio.NewReaderSize(source, 1<<16)
	for {
		body, err := read(r)
		if err != nil {
			return ends, bodies
		}
		ends = append(ends, len(data)-source.Len()-r.Buffered())
		bodies = append(bodies, body)
	}
}

func readNet(r *bufio.Reader) (string, error) {
	request, err := http.ReadRequest(r)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(request.Body)
	return string(body), err
}

// readFast reads as the server does, with the body as a stream.
func readFast(r *bufio.Reader) (string, error) {
	var request fasthttp.Request
	if err := request.Header.Read(r); err != nil {
		return "", err
	}
	if err := request.ContinueReadBodyStream(r, 1<<20, false); err != nil {
		return "", err
	}
	if request.BodyStream() == nil {
		return "", nil
	}
	body, err := io.ReadAll(request.BodyStream())
	if declared := request.Header.ContentLength(); err == nil && declared > len(body) {
		err = io.ErrUnexpectedEOF // as the handler finds
	}
	return string(body), err
}

// The property is not empty: what clients send is read by all three.
func TestCommonRequestsAreReadByAll(t *testing.T) {
	for _, name := range []string{"curl.txt", "go.txt", "chunked.txt", "pipelined.txt"} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		data := strings.ReplaceAll(string(text), "\n", "\r\n")
		want, err := follow(data)
		if err != nil || len(want) == 0 || want[len(want)-1] != len(data) {
			t.Errorf("%s: ends %v, %v", name, want, err)
		}
		if n := agree(t, []byte(data), 1); n != len(want) {
			t.Errorf("%s: fasthttp reads %d requests of %d", name, n, len(want))
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	body := `{"name":"cpu_usage","value":85}`
	small := []byte("POST /metrics HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n" + body)
	browser := []byte("POST /metrics HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: Go-http-client/1.1\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n" +
		"Content-Type: application/json\r\nX-Request-Id: 7b1f5ad2-9d5e-4f63-8f6e-6e3a0f2d8c11\r\nContent-Length: 31\r\n\r\n" + body)
	for name, request := range map[string][]byte{"small": small, "eight headers": browser} {
		for _, again := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/again=%t", name, again), func(b *testing.B) {
				var c Checker
				b.ReportAllocs()
				for b.Loop() {
					if !again {
						c.last = c.last[:0]
					}
					if _, err := c.Check(request); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
