package verify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// answerTimeout bounds one try of a query. The server may read a file of many
	// gigabytes before the first byte of its answer.
	answerTimeout = 2 * time.Minute
	healthTimeout = 5 * time.Second

	firstPause = 50 * time.Millisecond // doubled with every failed try
	maxPause   = 2 * time.Second

	// maxWindowRows bounds the memory for the values of one window to 16 MB. It is
	// above the server's own default limit, and takes its place when it has none.
	maxWindowRows = 2_000_000
	maxHealthBody = 64 << 10
	echoedBytes   = 200
)

// errTooMany is returned for a window that holds more samples than one answer may.
var errTooMany = errors.New("window holds too many samples")

// awayError is a failure that may pass: the server is restarting or overloaded.
type awayError struct {
	cause error
	after time.Duration // the server asked not to be asked again before
}

func (e *awayError) Error() string { return e.cause.Error() }
func (e *awayError) Unwrap() error { return e.cause }

// client asks one server.
type client struct {
	http   *http.Client
	base   *url.URL
	wait   time.Duration // for which a server may be away
	failed int64         // tries that were repeated
	rows   rowReader

	maxRows int       // of a window
	values  []float64 // of the window read last
}

func newClient(base *url.URL, secure *tls.Config, wait time.Duration) *client {
	return &client{
		base: base, wait: wait, maxRows: maxWindowRows,
		http: &http.Client{
			Transport: &http.Transport{
				TLSClientConfig: secure,
				// An idle connection would block a server that serves one at a time.
				DisableKeepAlives:      true,
				DisableCompression:     true,
				MaxResponseHeaderBytes: 64 << 10,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// get sends a request. The caller closes the body. The error of a server that does
// not answer is an awayError.
func (c *client) get(ctx context.Context, path string, query url.Values) (*http.Response, error) {
	u := url.URL{Scheme: c.base.Scheme, Host: c.base.Host, Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &awayError{cause: err}
	}
	return resp, nil
}

// window returns the values of a series with start ≤ timestamp ≤ end, in Unix ms.
// They are valid until the next call. While the server is away it tries again, for
// c.wait at most. The error is errTooMany, the context's, or says what the
// server did wrong.
func (c *client) window(ctx context.Context, name string, start, end int64) ([]float64, error) {
	pause := firstPause
	var deadline time.Time
	for {
		err := c.try(ctx, name, start, end)
		var away *awayError
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !errors.As(err, &away):
			return c.values, err
		}
		if deadline.IsZero() {
			deadline = time.Now().Add(c.wait)
		}
		sleep := max(pause, away.after)
		if time.Until(deadline) < sleep {
			return nil, fmt.Errorf("give up after %v: %w", c.wait, err)
		}
		c.failed++
		if err := rest(ctx, sleep); err != nil {
			return nil, err
		}
		pause = min(2*pause, maxPause)
	}
}

// try reads a window into c.values. A failed try may leave a part of it there.
func (c *client) try(ctx context.Context, name string, start, end int64) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	resp, err := c.get(ctx, "/query", url.Values{
		"name":  {name},
		"start": {strconv.FormatInt(start, 10)},
		"end":   {strconv.FormatInt(end, 10)},
	})
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // what was needed has been read
	if err := judge(resp); err != nil {
		return fmt.Errorf("query %s from %d to %d: %w", name, start, end, err)
	}
	if err := c.take(resp.Body, name, start, end); err != nil {
		return fmt.Errorf("query %s from %d to %d: %w", name, start, end, err)
	}
	return nil
}

// judge decides by the status what a failed query means.
func judge(resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	// The text only helps to explain; an incomplete one is as good.
	text, _ := io.ReadAll(io.LimitReader(resp.Body, echoedBytes))
	said := fmt.Errorf("server answered %d %q", resp.StatusCode, text)
	switch {
	case resp.StatusCode == http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: %w", errTooMany, said)
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return &awayError{cause: said, after: retryAfter(resp.Header)}
	}
	return said
}

// retryAfter understands the form in seconds, which is the one our server uses.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 3600)) * time.Second
}

// take reads the rows of an answer. One of another series or time would be
// counted again by the window it belongs to, or by none, so it is an error.
func (c *client) take(body io.Reader, name string, start, end int64) error {
	c.values = c.values[:0]
	c.rows.reset(body)
	for {
		r, err := c.rows.next()
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, errMalformed):
			return err
		case err != nil:
			return &awayError{cause: err}
		case string(r.name) != name:
			return fmt.Errorf("row %d is of series %.40q, which was not asked for", c.rows.rows, r.name)
		case r.timestamp < start || r.timestamp > end:
			return fmt.Errorf("row %d has timestamp %d, which was not asked for", c.rows.rows, r.timestamp)
		case len(c.values) == c.maxRows:
			return errTooMany
		}
		c.values = append(c.values, r.value)
	}
}

// health is what GET /health says.
type health struct {
	known   bool // the server has the endpoint and the field
	healthy bool // status 200
	queue   int64
}

// health asks for the depth of the server's queue. The error is that of a server
// that does not answer.
func (c *client) health(ctx context.Context) (health, error) {
	ctx, cancel := context.WithTimeout(ctx, min(healthTimeout, c.wait))
	defer cancel()
	resp, err := c.get(ctx, "/health", nil)
	if err != nil {
		return health{}, err
	}
	defer func() { _ = resp.Body.Close() }() // what was needed has been read
	if resp.StatusCode >= 500 {
		return health{known: true}, nil
	}
	var body struct {
		QueueSize *int64 `json:"queue_size"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, maxHealthBody)).Decode(&body)
	if err != nil || resp.StatusCode != http.StatusOK || body.QueueSize == nil {
		return health{}, nil
	}
	return health{known: true, healthy: true, queue: *body.QueueSize}, nil
}

// rest sleeps for d or until the context ends, whose error it returns.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
