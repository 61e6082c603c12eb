package api

import (
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"phase0/server/queue"
	"phase0/server/sample"
)

// reading asks for something while it is read.
type reading struct {
	*strings.Reader
	meanwhile func()
}

func (r *reading) Read(p []byte) (int, error) {
	if r.meanwhile != nil && r.Len() == 0 {
		r.meanwhile()
		r.meanwhile = nil
	}
	return r.Reader.Read(p)
}

// The bodies under way share a bound of memory: one that wants more than is left is
// refused, small ones are not, and what is over leaves its share to others.
func TestBodiesUnderWay(t *testing.T) {
	p, h := newParts(t, t.Context())
	h.cfg.MaxBodiesBytes = 2 << 20
	long := good + strings.Repeat(" ", 1<<20-len(good))
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.SetRequestURI("/metrics")
	ctx.Request.Header.SetMethod("POST")
	other := &reading{Reader: strings.NewReader(long)}
	other.meanwhile = func() {
		if refused := push(h, nil, long); refused.Response.StatusCode() != 503 {
			t.Errorf("two large bodies at once: %d", refused.Response.StatusCode())
		} else {
			wantFault(t, p, refused, 503, "bodies_full")
			if !refused.Response.ConnectionClose() {
				t.Error("the connection goes on, with half a body on it")
			}
		}
		if small := push(h, nil, good); small.Response.StatusCode() != 202 {
			t.Errorf("a small body: %d %s", small.Response.StatusCode(), small.Response.Body())
		}
	}
	ctx.Request.SetBodyStream(other, len(long))
	h.Serve(ctx)
	if ctx.Response.StatusCode() != 202 || other.meanwhile != nil {
		t.Fatalf("the first body: %d %s", ctx.Response.StatusCode(), ctx.Response.Body())
	}
	for range 3 {
		if again := push(h, nil, long); again.Response.StatusCode() != 202 {
			t.Fatalf("afterwards: %d %s", again.Response.StatusCode(), again.Response.Body())
		}
	}
	if left := h.bodies.Load(); left != 0 {
		t.Errorf("%d bytes still counted", left)
	}
}

// waiting is a queue whose pushes wait for something.
type waiting struct {
	queue.Queue
	pushed    []sample.Sample
	before    func() // called before the samples are copied; may be nil
	meanwhile func() error
}

func (q *waiting) Begin(samples []sample.Sample) (queue.Pending, error) {
	if q.before != nil {
		q.before()
	}
	q.pushed = append(q.pushed, samples...)
	return q, nil
}

func (q *waiting) Wait() error { return q.meanwhile() }

// Who waits for a disk has given its memory to others, and hears what became of its samples.
func TestMemoryIsFreeDuringTheWait(t *testing.T) {
	p, h := newParts(t, t.Context())
	h.cfg.MaxBodiesBytes = 2 << 20 // one large body
	q := &waiting{Queue: h.cfg.Queue}
	h.cfg.Queue = q
	only := h.buffers.Get()
	h.buffers.New = func() any { return only } // or else the pool might have another one
	h.buffers.Put(only)
	long := func(name string) string {
		body := `{"name":"` + name + `","value":1}`
		return body + strings.Repeat(" ", 1<<20-len(body))
	}
	q.meanwhile = func() error {
		q.meanwhile = func() error { return queue.ErrUnavailable }
		if left := h.bodies.Load(); left != 0 {
			t.Errorf("%d bytes are held", left)
		}
		if second := push(h, nil, long("second")); second.Response.StatusCode() != 503 {
			t.Errorf("the second, which the queue refuses late: %d", second.Response.StatusCode())
		} else {
			wantFault(t, p, second, 503, "storage_unavailable")
		}
		return nil
	}
	if first := push(h, nil, long("former")); first.Response.StatusCode() != 202 {
		t.Errorf("the first: %d %s", first.Response.StatusCode(), first.Response.Body())
	}
	if len(q.pushed) != 2 || q.pushed[0].Name != "former" || q.pushed[1].Name != "second" {
		t.Errorf("pushed %+v", q.pushed)
	}
}

// Who has not been copied yet keeps its memory: nobody else decodes into it.
func TestMemoryIsHeldUntilItIsCopied(t *testing.T) {
	_, h := newParts(t, t.Context())
	q := &waiting{Queue: h.cfg.Queue, meanwhile: func() error { return nil }}
	h.cfg.Queue = q
	for range 20 { // a pool need not give back what it has just got, but mostly does
		q.pushed = q.pushed[:0]
		q.before = func() {
			q.before = nil
			if other := push(h, nil, `{"name":"b","value":2}`); other.Response.StatusCode() != 202 {
				t.Errorf("the other: %d %s", other.Response.StatusCode(), other.Response.Body())
			}
		}
		if first := push(h, nil, good); first.Response.StatusCode() != 202 {
			t.Errorf("the first: %d %s", first.Response.StatusCode(), first.Response.Body())
		}
		if len(q.pushed) != 2 || q.pushed[0].Name != "b" || q.pushed[1].Name != "a" || q.pushed[1].Value != 1 {
			t.Fatalf("pushed %+v", q.pushed)
		}
	}
}
