package disk

import (
	"fmt"
	"hash/crc32"
)

// tailBytes is how much of a file's end a Mark knows: more than a line of samples, and a
// single read.
const tailBytes = 4 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Mark tells what a file that only grows held at some time: its size, and the CRC32C of its
// last bytes, 4 KiB or all that there were.
type Mark struct {
	Size int64
	CRC  uint32
}

// MarkOf returns the mark of the first size bytes of f.
func MarkOf(f File, size int64) (Mark, error) {
	tail := make([]byte, min(size, tailBytes))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && len(tail) > 0 {
		return Mark{}, fmt.Errorf("read the last of %d bytes: %w", size, err)
	}
	return Mark{Size: size, CRC: crc32.Checksum(tail, castagnoli)}, nil
}

// rewriteBytes is how much is rewritten at a time.
const rewriteBytes = 256 << 10

// Rewrite writes what f holds between two offsets over itself, so that the next Sync brings
// it to the disk even if an earlier one failed. f is not open for appending.
func Rewrite(f File, from, to int64) error {
	buffer := make([]byte, min(rewriteBytes, to-from))
	for from < to {
		part := buffer[:min(rewriteBytes, to-from)]
		if _, err := f.ReadAt(part, from); err != nil {
			return err
		}
		if _, err := f.WriteAt(part, from); err != nil {
			return err
		}
		from += int64(len(part))
	}
	return nil
}
