package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"phase0/server/disk"
)

// How a disk is asked what a sync takes.
const (
	probeSyncs = 200
	probeBytes = 128
)

// probe returns the median time, in nanoseconds, of a write of some bytes and a sync, one
// after the other into a file that was written before: what a log cannot do without.
func probe(dir string) (nanoseconds float64, err error) {
	path := filepath.Join(dir, "probe")
	f, err := disk.OS{}.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, fmt.Errorf("probe disk: %w", err)
	}
	nanoseconds, err = timeSyncs(f)
	if err := errors.Join(err, f.Close(), os.Remove(path)); err != nil {
		return 0, fmt.Errorf("probe disk: %w", err)
	}
	return nanoseconds, nil
}

func timeSyncs(f disk.File) (float64, error) {
	if _, err := f.WriteAt(make([]byte, probeSyncs*probeBytes), 0); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	record := slices.Repeat([]byte{1}, probeBytes)
	var took []time.Duration
	for i := range probeSyncs {
		begin := time.Now()
		if _, err := f.WriteAt(record, int64(i*probeBytes)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return float64(took[len(took)/2]), nil
}
