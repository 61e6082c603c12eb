package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"phase0/server/disk"
)

// Report says what Check found.
type Report struct {
	Recovery
	Stored    int64  // bytes of the storage file that the cursor vouches for
	Beyond    int64  // bytes behind them that are kept
	Next      uint64 // samples before this number are stored, or were lost earlier
	End       uint64 // the number behind the last sample
	BadSlots  int    // slots of the cursor that cannot be read
	Aside     Aside  // segments that an earlier start found damaged
	FileSize  int64
	Directory string
}

// Damaged tells whether there is anything that a clean shutdown or a crash of the process
// does not leave. What was set aside is no part of the log any more.
func (r Report) Damaged() bool {
	return r.Corrupt > 0 || r.Lost > 0 || r.Truncated > 0 || r.BadSlots > 0
}

// Check reads a log and its storage file, and changes nothing. The error says what made it
// impossible to read on, or that the two do not belong together.
func Check(fsys disk.FS, data string) (Report, error) {
	r := Report{Directory: Dir(data)}
	c, bad, err := readCursor(fsys, r.Directory)
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%s has no cursor: no server has used it, or somebody has removed it: %w", r.Directory, err)
	}
	if err != nil {
		return r, err
	}
	r.BadSlots, r.Stored = bad, c.mark.Size
	segments, err := listSegments(fsys, r.Directory)
	if err != nil {
		return r, err
	}
	aside, err := listAside(fsys, r.Directory)
	if err != nil {
		return r, err
	}
	r.Aside = sumOf(aside)
	f, err := fsys.OpenFile(data, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return r, gone(data, c)
	}
	if err != nil {
		return r, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return r, err
	}
	r.FileSize = info.Size()
	kept, err := reconcile(f, c, newReader(fsys, r.Directory, segments, c.next), nil)
	if err != nil {
		return r, fmt.Errorf("%s: %w", data, err)
	}
	r.Beyond, r.Next = kept.size-c.mark.Size, kept.next
	r.Recovery, r.End, err = survey(newReader(fsys, r.Directory, segments, c.next), kept.next, nil, tellRecords)
	r.Cut = kept.cut
	return r, err
}

// Print writes the report.
func (r Report) Print(w io.Writer) error {
	_, err := fmt.Fprintf(w, `log               %s
segments          %d, %d bytes
storage file      %d bytes: %d by the cursor, %d more that are kept, %d incomplete
samples           %d stored or lost earlier, %d only in the log, %d lost, %d behind the log's end
damage            %d places, %d bytes of incomplete writes, %d slots of the cursor
set aside         %d damaged segments of earlier starts, %d bytes
`, r.Directory, r.Segments, r.Bytes, r.FileSize, r.Stored, r.Beyond, r.Cut, r.Next, r.Samples, r.Lost, r.Behind, r.Corrupt, r.Truncated, r.BadSlots,
		r.Aside.Segments, r.Aside.Bytes)
	return err
}
