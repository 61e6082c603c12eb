//go:build !linux

package disk

import "os"

// allocate sets the size; the blocks come when they are written.
func allocate(f *os.File, size int64) error { return f.Truncate(size) }
