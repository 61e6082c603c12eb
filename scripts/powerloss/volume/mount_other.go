//go:build !linux

package volume

import "errors"

// Mounted is a volume under a directory.
type Mounted struct{}

// Mount needs Linux.
func Mount(*Volume, string) (*Mounted, error) { return nil, errors.ErrUnsupported }

// Unmount ends it.
func (*Mounted) Unmount() error { return nil }
