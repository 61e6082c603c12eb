package ingest

import (
	"context"
	"sync"
)

// Lifecycle is what the mechanisms share of starting and ending: whichever of Serve
// and Shutdown comes first, the listener is closed once and both return. Create it
// with NewLifecycle.
type Lifecycle struct {
	served chan struct{} // closed when the accept loop has ended

	mu       sync.Mutex
	ln       *Listener
	shutdown bool
}

// NewLifecycle returns one for a server that has not started.
func NewLifecycle() *Lifecycle { return &Lifecycle{served: make(chan struct{})} }

// Serve runs the accept loop on ln, unless Shutdown came first.
func (l *Lifecycle) Serve(ln *Listener, loop func(*Listener) error) error {
	defer close(l.served)
	l.mu.Lock()
	l.ln = ln
	ended := l.shutdown
	l.mu.Unlock()
	if ended {
		return nil
	}
	return loop(ln)
}

// Shutdown closes the listener, drops silent connections, and lets finish wait for
// requests in flight. When ctx ends first it cuts off what is open.
func (l *Lifecycle) Shutdown(ctx context.Context, finish func(context.Context) error) error {
	l.mu.Lock()
	l.shutdown = true
	ln := l.ln
	l.mu.Unlock()
	if ln == nil {
		return nil
	}
	_ = ln.Close() // it was open; nothing to do about an error
	ln.DropSilent()
	err := finish(ctx)
	if ctx.Err() != nil {
		ln.CutOff()
	}
	<-l.served
	return err
}

// AwaitServed waits until the accept loop has ended.
func (l *Lifecycle) AwaitServed(ctx context.Context) error {
	select {
	case <-l.served:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
