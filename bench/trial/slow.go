package trial

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// SlowBody is how long the slow client takes to send one body.
const SlowBody = 500 * time.Millisecond

// slowPieces is the number of parts the body is sent in, so that a server that
// watches for progress sees some.
const slowPieces = 5

const slowSample = `{"name":"slow_client","value":1.0000000}`

// slowClient sends requests back to back, each body spread over SlowBody.
type slowClient struct {
	to *url.URL
	// Valid after stop.
	accepted, unknown int64
}

// start begins sending. The returned function ends it, lets the request under way
// finish, and waits.
func (c *slowClient) start(ctx context.Context) (stop func()) {
	sending, cancel := context.WithCancel(ctx)
	var worker sync.WaitGroup
	worker.Go(func() {
		for sending.Err() == nil {
			if err := c.send(ctx); err != nil {
				c.unknown++
				pause(sending, SlowBody/10) // a server that refuses is not hammered
				continue
			}
			c.accepted++
		}
	})
	return func() { cancel(); worker.Wait() }
}

// send makes one slow request on a connection of its own and returns an error
// unless it was accepted.
func (c *slowClient) send(ctx context.Context) error {
	dialer := net.Dialer{Timeout: requestTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", c.to.Host)
	if err != nil {
		return fmt.Errorf("send slowly: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return fmt.Errorf("send slowly: %w", err)
	}
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		c.to.RequestURI(), c.to.Host, len(slowSample))
	for i := 0; i < slowPieces && err == nil; i++ {
		pause(ctx, SlowBody/slowPieces)
		_, err = conn.Write([]byte(slowSample[i*len(slowSample)/slowPieces : (i+1)*len(slowSample)/slowPieces]))
	}
	if err != nil {
		return fmt.Errorf("send slowly: %w", err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return fmt.Errorf("send slowly: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return fmt.Errorf("send slowly: status %d", response.StatusCode)
	}
	return nil
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
