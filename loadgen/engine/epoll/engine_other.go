//go:build !linux

package epoll

import (
	"context"
	"errors"

	"phase0/loadgen/engine"
	"phase0/loadgen/record"
)

// Available says whether this platform has the engine.
const Available = false

// Run implements engine.Engine.
func (Engine) Run(context.Context, engine.Plan, *record.Recorder) (engine.Outcome, error) {
	return engine.Outcome{}, errors.New("the epoll engine needs Linux")
}
