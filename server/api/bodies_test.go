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
	meanwhile func() error
}

func (q *waiting) Begin(samples []sample.Sample) (queue.Pending, error) {
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
	long := good + strings.Repeat(" ", 1<<20-len(good))
	q.meanwhile = func() error {
		q.meanwhile = func() error { return queue.ErrUnavailable }
		if left := h.bodies.Load(); left != 0 {
			t.Errorf("%d bytes are held", left)
		}
		if second := push(h, nil, long); second.Response.StatusCode() != 503 {
			t.Errorf("the second, which the queue refuses late: %d", second.Response.StatusCode())
		} else {
			wantFault(t, p, second, 503, "storage_unavailable")
		}
		return nil
	}
	if first := push(h, nil, long); first.Response.StatusCode() != 202 {
		t.Errorf("the first: %d %s", first.Response.StatusCode(), first.Response.Body())
	}
	if len(q.pushed) != 2 || q.pushed[0].Name != q.pushed[1].Name {
		t.Errorf("pushed %+v", q.pushed)
	}
}
