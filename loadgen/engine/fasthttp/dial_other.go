//go:build !linux

package fasthttp

import (
	"context"
	"time"
)

// attempt is a connection being made without blocking, which this platform
// leaves to dial.
type attempt struct{}

// prepared is empty where nothing can be prepared.
type prepared struct{}

func (d *dialer) prepare() {}

func (d *dialer) close() {}

func (d *dialer) begin() (a *attempt, ready bool, err error) { return nil, false, nil }

func (a *attempt) stream() stream { return nil }

func (a *attempt) finish(context.Context, time.Duration) error { return nil }
