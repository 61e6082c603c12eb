package freshness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/valyala/fasthttp"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

// Limits of an answer, in bytes.
const (
	headerLimit = 8 << 10
	bodyLimit   = 1 << 20 // a probe's series has one row per probe
)

// fault is why a request got no answer, or none that can be used.
type fault struct {
	kind  string // the key in record.Freshness
	cause error  // nil when there is nothing to add
}

// link is a connection that carries one request after the other and is dialled
// again when the server has closed it. Only one goroutine may use it.
type link struct {
	address string
	conn    net.Conn // nil when there is none
	source  source
	in      *bufio.Reader
	out     *bufio.Writer
}

// exchange sends req and reads the whole answer into resp, until the deadline or
// the end of the context. Sent is an instant before the first byte was written,
// done one after the last was read.
func (l *link) exchange(ctx context.Context, deadline time.Time, req *fasthttp.Request, resp *fasthttp.Response) (sent, done time.Time, f *fault) {
	if f := l.open(ctx, deadline); f != nil {
		return sent, done, f
	}
	conn := l.conn
	// Only a closed connection refuses, and using it then says so.
	_ = conn.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	sent = time.Now()
	err := req.Write(l.out)
	if err == nil {
		err = l.out.Flush()
	}
	if err != nil {
		l.close()
		return sent, done, &fault{kind: brokenKind(err), cause: fmt.Errorf("send: %w", err)}
	}
	if err = resp.ReadLimitBody(l.in, bodyLimit); err != nil {
		l.close()
		return sent, done, &fault{kind: answerKind(err, l.source.err), cause: fmt.Errorf("read answer: %w", err)}
	}
	done = time.Now()
	if resp.ConnectionClose() || l.in.Buffered() > 0 {
		l.close()
	}
	return sent, done, nil
}

// open dials unless there is a connection.
func (l *link) open(ctx context.Context, deadline time.Time) *fault {
	if l.conn != nil {
		return nil
	}
	conn, err := (&net.Dialer{Deadline: deadline}).DialContext(ctx, "tcp", l.address)
	if err != nil {
		return &fault{kind: engine.DialKind(err).String(), cause: err}
	}
	l.conn = conn
	l.source = source{from: conn}
	l.in = bufio.NewReaderSize(&l.source, headerLimit)
	l.out = bufio.NewWriter(conn)
	return nil
}

// close ends the connection, if there is one.
func (l *link) close() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

// source remembers the error that ended reading, which the codec hides.
type source struct {
	from io.Reader
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	s.err = err
	return n, err
}

// answerKind classifies a failure to read an answer. What happened to the
// connection, if anything did, tells more than the codec's error.
func answerKind(err, broken error) string {
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge), errors.As(err, &small):
		return record.TooLarge.String()
	case broken == nil:
		return record.BadResponse.String()
	}
	return brokenKind(broken)
}

// brokenKind classifies the failure of an established connection.
func brokenKind(err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	case errors.Is(err, io.EOF):
		return record.EOF.String()
	}
	return engine.BrokenKind(err).String()
}
