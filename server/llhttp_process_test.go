package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// vector is one request of llhttp's test suite and what its strict parser makes of it.
type vector struct {
	name    string // file and heading
	raw     string
	refused bool
}

var (
	vectorBlock  = regexp.MustCompile("(?s)<!-- *meta=(\\{[^\n]*\\}) *-->\\s*```http\n(.*?)\n```\\s*```log\n(.*?)\n?```")
	vectorEscape = regexp.MustCompile(`\\(r|n|t|f|x[0-9a-fA-F]{2}|[0-7]{1,3})`)
	vectorError  = regexp.MustCompile(`error code=(\d+) `)
)

// readVectors reads the Markdown files of a folder. Those for lenient parsers, or that
// stop the parser half-way, say nothing about a strict one.
func readVectors(t *testing.T, folder string) (all []vector) {
	files, err := filepath.Glob(filepath.Join(folder, "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s: %v", folder, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range vectorBlock.FindAllSubmatchIndex(text, -1) {
			part := func(i int) string { return string(text[at[2*i]:at[2*i+1]]) }
			if strings.Contains(part(1), "lenient") || strings.Contains(part(1), "pause") || strings.Contains(part(1), "finish") {
				continue
			}
			before := string(text[:at[0]])
			heading, _, _ := strings.Cut(before[strings.LastIndex(before, "\n#")+1:], "\n")
			code := vectorError.FindStringSubmatch(part(3))
			all = append(all, vector{
				name: filepath.Base(file) + ": " + strings.TrimLeft(heading, "# "),
				raw:  unescapeVector(part(2)),
				// 22 and 23 hand over to another protocol, which nobody speaks here.
				refused: code != nil && code[1] != "22" && code[1] != "23",
			})
		}
	}
	return all
}

// unescapeVector undoes what makes a request readable in Markdown.
func unescapeVector(text string) string {
	text = strings.ReplaceAll(text, "\\\n", "")
	text = strings.ReplaceAll(text, "\n", "\r\n")
	return vectorEscape.ReplaceAllStringFunc(text, func(escape string) string {
		switch c := escape[1]; c {
		case 'r', 'n', 't', 'f':
			return map[byte]string{'r': "\r", 'n': "\n", 't': "\t", 'f': "\f"}[c]
		case 'x':
			b, _ := strconv.ParseUint(escape[2:], 16, 8)
			return string([]byte{byte(b)})
		default:
			b, _ := strconv.ParseUint(escape[1:], 8, 8)
			return string([]byte{byte(b)})
		}
	})
}

// addressed puts a Host where HTTP/1.1 wants one and the vector has none, so that its
// own subject decides.
func addressed(raw string) string {
	text := strings.TrimLeft(raw, "\r\n")
	empty := raw[:len(raw)-len(text)]
	line, rest, ok := strings.Cut(text, "\r\n")
	if !ok || !strings.HasSuffix(line, " HTTP/1.1") || regexp.MustCompile(`(?i)\nhost *:`).MatchString(raw) {
		return raw
	}
	return empty + line + "\r\nHost: x\r\n" + rest
}

// What llhttp accepts and this server calls malformed, with the reason.
var strangerThanLLHTTP = map[string]string{
	"method.md: CONNECT request":                                          tunnel,
	"method.md: CONNECT request with CAPS":                                tunnel,
	"method.md: CONNECT with body":                                        tunnel,
	"uri.md: Underscore in hostname":                                      tunnel,
	"method.md: M-SEARCH request":                                         asterisk,
	"method.md: PRI request HTTP2":                                        asterisk,
	"method.md: OPTIONS request with RTSP":                                otherProtocol,
	"method.md: ANNOUNCE request with RTSP":                               otherProtocol,
	"method.md: SOURCE request with ICE":                                  otherProtocol,
	"sample.md: No HTTP version":                                          otherProtocol,
	"transfer-encoding.md: POST with `chunked` as last transfer-encoding": coding,
	"transfer-encoding.md: POST with `chunked` as last transfer-encoding (multiple headers)": coding,
}

const (
	tunnel        = "CONNECT asks for a tunnel"
	asterisk      = "* is a target for OPTIONS only"
	otherProtocol = "it is not HTTP/1.1 or HTTP/1.0"
	coding        = "a transfer coding beside chunked would have to be undone"
)

// unknownMethod is refused by llhttp, which has a list of methods. Here it is answered 404 or
// 405; where it ends is certain, so the request behind it counts.
const unknownMethod = "invalid.md: Invalid method"

// TestLLHTTP runs llhttp's strict vectors, from a folder that PHASE0_LLHTTP names (test/request of
// its repository), each with a good sample behind it on the same connection. Nothing may be
// stored after what llhttp refuses; what it accepts is not called malformed.
func TestLLHTTP(t *testing.T) {
	folder := os.Getenv("PHASE0_LLHTTP")
	if folder == "" {
		t.Skip("PHASE0_LLHTTP names no folder")
	}
	vectors := readVectors(t, folder)
	inEveryMode(t, func(t *testing.T, mode string) {
		p := start(t, "-mode", mode, "-read-timeout", "500ms", "-idle-timeout", "300ms")
		malformed := map[string]string{}
		for i, v := range vectors {
			sample := fmt.Sprintf(`{"name":"after_%d","value":1}`, i)
			answers := p.exchange(addressed(v.raw)+post(sample), 20, false)
			if !v.refused && len(answers) > 0 && answers[0].code == "bad_request" {
				malformed[v.name] = answers[0].body
			}
		}
		for name, body := range malformed {
			if strangerThanLLHTTP[name] == "" {
				t.Errorf("%s: llhttp accepts, the answer is %s", name, body)
			}
		}
		for name := range strangerThanLLHTTP {
			if malformed[name] == "" {
				t.Errorf("%s: is no exception", name)
			}
		}
		p.post(good) // in single nothing else is stored: a connection is closed after its first request
		p.settle()
		p.stop()
		stored, refused := 0, 0
		file := strings.Join(p.lines(), "\n")
		for i, v := range vectors {
			if v.refused {
				refused++
			}
			if !strings.Contains(file, fmt.Sprintf(`"after_%d"`, i)) {
				continue
			}
			if stored++; v.refused && v.name != unknownMethod {
				t.Errorf("%s: llhttp refuses, but the request behind it was taken", v.name)
			}
		}
		t.Logf("%d vectors, %d refused by llhttp; %d samples behind the others were stored; %d exceptions", len(vectors), refused, stored, len(malformed))
	})
}
