package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"phase0/server/alerting"
)

// Batch is what one delivery carries.
type Batch struct {
	// Key is the same whenever the same notifications are delivered again.
	Key           string
	Notifications []alerting.Notification
}

// Receiver is somebody who gets notifications out of an outbox. Its methods are called
// one at a time.
type Receiver interface {
	// Name is that of the flag that asked for it: of the letters a to z.
	Name() string
	// Deliver hands over a batch and waits until it was taken, for a bounded time. The
	// error wraps ErrRefused when to try again is of no use; a RetryError in it says when
	// to try again. It holds no secret.
	Deliver(context.Context, Batch) error
}

// Refresher is a Receiver that forgets what is not repeated.
type Refresher interface {
	Receiver
	// Interval is the time between two refreshes.
	Interval() time.Duration
	// Refresh repeats alerts that are firing, and were delivered.
	Refresh(context.Context, []alerting.Notification) error
}

// ErrRefused is wrapped by the error of a delivery that the receiver will never take.
var ErrRefused = errors.New("refused for good")

// RetryError is a failed delivery whose receiver said when to try again.
type RetryError struct {
	After time.Duration
	Err   error
}

func (e *RetryError) Error() string { return fmt.Sprintf("%v, retry after %v", e.Err, e.After) }

func (e *RetryError) Unwrap() error { return e.Err }

// Usage tells how full an outbox is.
type Usage struct {
	Queued   int    // notifications that are not on disk yet
	Recorded uint64 // notifications, by this process and those before it
	Bytes    int64  // that they and what was told take on disk
	Told     int    // alerts remembered as firing
	// Lost are notifications that never reached the disk, by reason.
	Lost        map[string]uint64
	WriteErrors uint64 // writes that failed, and were tried again
	Damaged     uint64 // bytes found unreadable at the start
}

// Delivery counts the notifications of one receiver.
type Delivery struct {
	Receiver string
	Pending  uint64 // recorded, and not delivered yet
	Sent     uint64
	Refused  uint64 // for good
	Missed   uint64 // dropped because the outbox was full or damaged
	Retries  uint64 // attempts that failed
}
