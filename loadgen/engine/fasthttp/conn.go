package fasthttp

import (
	"bufio"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	codec "github.com/valyala/fasthttp"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

var (
	errTooLarge  = errors.New("response exceeds the limits")
	errMalformed = errors.New("malformed response")
)

// stream is a connection's byte stream: a net.Conn, an *os.File of a socket, or
// TLS over a net.Conn. Its deadlines hold for writing too, so that a server that
// does not read cannot hold a run up.
type stream interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
}

// conn is a connection with at most one request in flight. It is used again,
// with its buffers, for another stream when the first has ended.
type conn struct {
	stream stream
	source source
	in     *bufio.Reader
	shard  *record.Shard

	template *engine.Template
	request  []byte // the request's bytes, patched for each
	response codec.Response
	limited  io.LimitedReader
	farewell bool // the server announced that it closes

	// writing is held from the moment a request is assigned until it is written
	// and recorded as sent.
	writing sync.Mutex

	// Guarded by the pool's mutex in the open model.
	busy     bool
	flight   record.Flight
	writeErr error
	deadline time.Time // of the stream; zero without
}

func newConn(t *engine.Template, shard *record.Shard) *conn {
	c := &conn{template: t, request: t.Copy(), shard: shard}
	c.in = bufio.NewReaderSize(&c.source, engine.HeaderLimit)
	c.response.StreamBody = true
	return c
}

// open makes c a connection over st.
func (c *conn) open(st stream) {
	c.stream = st
	c.source = source{from: st}
	c.in.Reset(&c.source)
	c.busy, c.writeErr, c.deadline, c.farewell = false, nil, time.Time{}, false
}

// close ends the stream and returns when nobody writes on it any more.
func (c *conn) close() {
	c.stream.Close()
	c.writing.Lock()
	defer c.writing.Unlock()
}

// written waits until a small request is written and recorded, which takes no
// time worth mentioning once its answer is there. For a large one it reports
// whether it is: a server may answer before it has read all.
func (c *conn) written() bool {
	if len(c.request) <= inlineWrite {
		c.writing.Lock()
	} else if !c.writing.TryLock() {
		return false
	}
	c.writing.Unlock()
	return true
}

// renew makes sure that the stream does not end before a timeout from now, and
// moves the deadline only when it must: moving it is not free.
func (c *conn) renew(now time.Time, timeout time.Duration) {
	if c.deadline.Sub(now) >= timeout {
		return
	}
	c.deadline = now.Add(timeout + slack(timeout))
	// Only a closed connection refuses, and reading it then says so.
	_ = c.stream.SetDeadline(c.deadline)
}

// relax removes the deadline.
func (c *conn) relax() {
	c.deadline = time.Time{}
	_ = c.stream.SetDeadline(c.deadline)
}

// write sends request i.
func (c *conn) write(i int64) error {
	c.template.Fill(c.request, i)
	_, err := c.stream.Write(c.request)
	return err
}

// awaitData blocks until an answer begins, the deadline passes or the
// connection ends.
func (c *conn) awaitData() error {
	_, err := c.in.Peek(1)
	return err
}

// readAnswer reads one answer and drops its body. Last means that the
// connection cannot carry another request.
func (c *conn) readAnswer() (status int, last bool, err error) {
	h := &c.response.Header
	for range engine.InterimLimit {
		if err := h.Read(c.in); err != nil {
			return 0, true, err
		}
		if status = h.StatusCode(); status >= 200 || status == codec.StatusSwitchingProtocols {
			break
		}
	}
	if status < 100 || status > 599 || (status < 200 && status != codec.StatusSwitchingProtocols) {
		return 0, true, errMalformed
	}
	if err := c.drainBody(status); err != nil {
		return 0, true, err
	}
	foreign := status < 200 || c.in.Buffered() > 0
	c.farewell = !foreign && h.ConnectionClose()
	return status, foreign || c.farewell, nil
}

func (c *conn) drainBody(status int) error {
	h := &c.response.Header
	if c.template.Head() || status < 200 || status == codec.StatusNoContent || status == codec.StatusNotModified {
		return nil
	}
	length := h.ContentLength()
	switch {
	case length > engine.BodyLimit:
		return errTooLarge
	case length >= 0:
		_, err := c.in.Discard(length)
		return err
	}
	return c.drainStream()
}

// drainStream reads a body of unknown length: chunked, or up to the close.
func (c *conn) drainStream() error {
	if err := c.response.ReadBody(c.in, 0); err != nil {
		return err
	}
	c.limited = io.LimitedReader{R: c.response.BodyStream(), N: engine.BodyLimit + 1}
	_, err := io.Copy(io.Discard, &c.limited)
	if closeErr := c.response.CloseBodyStream(); err == nil {
		err = closeErr
	}
	if err == nil && c.limited.N == 0 {
		return errTooLarge
	}
	return err
}

// awaitClose reads until the server closes, or has had time to.
func (c *conn) awaitClose() {
	_ = c.stream.SetDeadline(time.Now().Add(engine.CloseGrace))
	if s, ok := c.stream.(*secure); ok {
		s.awaitEnd()
		return
	}
	_, _ = c.in.Discard(engine.HeaderLimit)
}

// failure classifies why no answer came. What happened to the connection tells
// more than the codec's error.
func (c *conn) failure(err, writeErr error) record.Kind {
	cause := c.source.err
	if writeErr != nil {
		cause = writeErr
	}
	var small *codec.ErrSmallBuffer
	switch {
	case errors.As(err, &small), errors.Is(err, errTooLarge):
		return record.TooLarge
	case cause == nil:
		return record.BadResponse
	case isEnd(cause):
		return record.EOF
	default:
		return engine.BrokenKind(cause)
	}
}

// isEnd reports whether the server closed the connection, be it within a record
// of TLS.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// source remembers the error that ended reading, which the codec hides. An error
// that comes with data, as from TLS, is left to the next Read: what is wrong with
// the data is not due to it.
type source struct {
	from io.Reader
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if n > 0 {
		err = nil
	}
	s.err = err
	return n, err
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
