package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// SeriesCount is how many series the default body spreads its samples over.
const SeriesCount = 8

// MaxBody bounds a request's body, in bytes.
const MaxBody = 64 << 20

// valueWidth is the width of the slot for a sequence number: all integers that a
// float64 holds exactly.
const valueWidth = 16

// Header is one request header.
type Header struct{ Name, Value string }

// Request describes what a Template is built from.
type Request struct {
	Method  string
	URL     *url.URL
	Headers []Header
	// Body is sent as it is. A nil Body of a method that carries one becomes the
	// default body with the run id in the series' names.
	Body      []byte
	RunID     string
	KeepAlive bool
}

// Template is a request's bytes, serialized once. In the default body the series
// and the value are slots of fixed width, which Fill patches in place.
type Template struct {
	raw           []byte
	series, value int // offsets of the slots; 0 without
	head          bool
}

// CarriesBody reports whether requests of a method have a body.
func CarriesBody(method string) bool {
	switch method {
	case fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodOptions, fasthttp.MethodTrace:
		return false
	}
	return true
}

// NewTemplate serializes a request. Headers that frame the message are refused.
func NewTemplate(r Request) (*Template, error) {
	var req fasthttp.Request
	req.Header.SetMethod(r.Method)
	req.Header.SetUserAgent("phase0-loadgen")
	req.Header.SetRequestURI(r.URL.RequestURI())
	req.Header.SetHost(r.URL.Host)
	body, slots := r.body()
	if CarriesBody(r.Method) {
		req.Header.SetContentType("application/json")
		req.SetBody(body)
	}
	if err := setHeaders(&req, r.Headers); err != nil {
		return nil, err
	}
	if !r.KeepAlive {
		req.SetConnectionClose()
	}
	raw, err := serialize(&req)
	if err != nil {
		return nil, err
	}
	t := &Template{raw: raw, head: r.Method == fasthttp.MethodHead}
	if slots {
		start := len(raw) - len(body)
		t.series = start + bytes.Index(body, []byte(`","value":`)) - 1
		t.value = len(raw) - 1 - valueWidth
		t.Fill(t.raw, 0)
	}
	return t, nil
}

// body returns the body and whether it has slots.
func (r Request) body() ([]byte, bool) {
	if r.Body != nil || !CarriesBody(r.Method) {
		return r.Body, false
	}
	// JSON allows blanks before a number but no leading zeros.
	blank := strings.Repeat(" ", valueWidth)
	return fmt.Appendf(nil, `{"name":"loadgen_%s_0","value":%s}`, r.RunID, blank), true
}

// Frames reports whether a header decides where a message or its connection
// ends, which is not the user's to choose.
func Frames(header string) bool {
	switch strings.ToLower(header) {
	case "content-length", "transfer-encoding", "connection", "expect", "trailer", "upgrade":
		return true
	}
	return false
}

func setHeaders(req *fasthttp.Request, headers []Header) error {
	for _, h := range headers {
		if Frames(h.Name) {
			return fmt.Errorf("header %s frames the message and cannot be chosen", h.Name)
		}
		req.Header.Set(h.Name, h.Value)
	}
	return nil
}

func serialize(req *fasthttp.Request) ([]byte, error) {
	var buf bytes.Buffer
	w := bufio.NewWriter(&buf)
	if err := req.Write(w); err != nil {
		return nil, fmt.Errorf("serialize request: %w", err)
	}
	if err := w.Flush(); err != nil {
		return nil, fmt.Errorf("serialize request: %w", err)
	}
	return buf.Bytes(), nil
}

// Size is the length of the request, in bytes.
func (t *Template) Size() int { return len(t.raw) }

// Head reports whether answers have no body whatever their header says.
func (t *Template) Head() bool { return t.head }

// Copy returns bytes for Fill that the caller owns. Requests without slots are
// all equal and share theirs.
func (t *Template) Copy() []byte {
	if t.value == 0 {
		return t.raw
	}
	return bytes.Clone(t.raw)
}

// Fill makes raw, got from Copy, the i-th request: sample i ÷ SeriesCount of
// series i mod SeriesCount. It does not allocate.
func (t *Template) Fill(raw []byte, i int64) {
	if t.value == 0 {
		return
	}
	raw[t.series] = '0' + byte(i%SeriesCount)
	slot := raw[t.value : t.value+valueWidth]
	var digits [valueWidth]byte
	number := strconv.AppendInt(digits[:0], i/SeriesCount, 10)
	blank := copy(slot, blanks[:valueWidth-len(number)])
	copy(slot[blank:], number)
}

const blanks = "                "
