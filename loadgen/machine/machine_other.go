//go:build !linux

package machine

import "time"

// Read reads the time; this platform's counters are not known.
func Read() Reading { return Reading{at: time.Now()} }

// sampleThreads knows nothing on this platform.
func sampleThreads(func(id int, t turns)) {}
