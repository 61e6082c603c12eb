package engine

import (
	"bufio"
	"bytes"
	"fmt"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

// SeriesCount is how many series the default body spreads its samples over.
const SeriesCount = 8

// Limits of a request, in bytes and in samples of the default body.
const (
	MaxBody  = 64 << 20
	MaxBatch = 100_000
)

// Header is one request header.
type Header struct{ Name, Value string }

// Request describes what a Template is built from.
type Request struct {
	Method  string
	URL     *url.URL
	Headers []Header
	// Body of a method that carries one. Nil stands for the default body: Batch
	// samples with the run id in the series' names.
	Body      []byte
	Batch     int // samples in the default body; 0 counts as 1
	RunID     string
	Seed      uint64 // of random slots
	KeepAlive bool
	// Literal sends {{...}} as it stands. Otherwise slots are filled in the URL, the
	// headers' values and the body; see Slots.
	Literal bool
}

// Template is a request's bytes, serialized once. What differs between requests are
// slots of fixed width, which Fill patches in place.
type Template struct {
	raw   []byte
	slots []slot
	seed  uint64
	batch int64
	timed bool // some slot shows the time
	head  bool
}

// CarriesBody reports whether requests of a method have a body.
func CarriesBody(method string) bool {
	switch method {
	case fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodOptions, fasthttp.MethodTrace:
		return false
	}
	return true
}

// NewTemplate serializes a request. Headers that frame the message and unknown
// slots are refused.
func NewTemplate(r Request) (*Template, error) {
	var req fasthttp.Request
	req.Header.SetMethod(r.Method)
	req.Header.SetUserAgent("phase0-loadgen")
	req.Header.SetRequestURI(r.URL.RequestURI())
	req.Header.SetHost(r.URL.Host)
	body, slots, err := r.body()
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
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
	t := &Template{seed: r.Seed, batch: int64(max(r.Batch, 1)), head: r.Method == fasthttp.MethodHead}
	if err := t.assemble(r, raw[:len(raw)-len(body)], body, slots); err != nil {
		return nil, err
	}
	t.Fill(t.raw, 0)
	return t, nil
}

// assemble joins the header with its slots and the body with its own.
func (t *Template) assemble(r Request, header, body []byte, slots []slot) error {
	if !r.Literal {
		var err error
		if header, t.slots, err = findSlots(unescapeSlots(header), r.RunID); err != nil {
			return fmt.Errorf("url or header: %w", err)
		}
		for _, s := range t.slots {
			if s.kind == sequenceSlot {
				return fmt.Errorf("url or header: {{seq}} is padded with blanks: write {{seq:N}} for N digits")
			}
		}
	}
	for _, s := range slots {
		s.at += len(header)
		t.slots = append(t.slots, s)
	}
	for _, s := range t.slots {
		t.timed = t.timed || s.kind.isTime()
	}
	t.raw = append(bytes.Clone(header), body...)
	return nil
}

// body returns the body and its slots.
func (r Request) body() ([]byte, []slot, error) {
	switch {
	case !CarriesBody(r.Method):
		return nil, nil, nil
	case r.Body == nil:
		body, slots := samples(r.RunID, max(r.Batch, 1))
		return body, slots, nil
	case r.Literal:
		return r.Body, nil, nil
	}
	return findSlots(r.Body, r.RunID)
}

// samples returns the default body: one sample by itself, or several in an object
// with the key metrics.
func samples(runID string, batch int) ([]byte, []slot) {
	// JSON allows blanks before a number but no leading zeros.
	blank := strings.Repeat(" ", valueWidth)
	var body []byte
	var slots []slot
	if batch > 1 {
		body = append(body, `{"metrics":[`...)
	}
	for j := range batch {
		if j > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"name":"loadgen_%s_`, runID)
		slots = append(slots, slot{at: len(body), width: 1, kind: seriesSlot, arg: int64(j)})
		body = append(body, `0","value":`...)
		slots = append(slots, slot{at: len(body), width: valueWidth, kind: valueSlot, arg: int64(j)})
		body = append(append(body, blank...), '}')
	}
	if batch > 1 {
		body = append(body, "]}"...)
	}
	return body, slots
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
		req.Header.Add(h.Name, h.Value)
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
	if len(t.slots) == 0 {
		return t.raw
	}
	return bytes.Clone(t.raw)
}
