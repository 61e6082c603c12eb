package wal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"phase0/server/disk"
	"phase0/server/sample"
)

// ErrForeign is returned when the storage file is not the one that the log was written for.
var ErrForeign = errors.New("storage file and log do not belong together")

// gone says that the storage file is not there, of which the cursor knows.
func gone(data string, c cursor) error {
	return fmt.Errorf("%s: %w: it is not there, and the log has put %d bytes there", data, ErrForeign, c.mark.Size)
}

// reconciled says what of a storage file is kept.
type reconciled struct {
	next uint64 // the samples before it are in the file
	size int64  // which is that long
	cut  int64  // bytes that follow and do not count
	// ours: the log has all that is kept, and what is cut off is the beginning of the line
	// that comes next. Whatever of it the file may lose, the log writes the same there again.
	ours bool
}

// reconcile compares what the storage file holds beyond the cursor with what the log would
// write there. The consumer appends in order, so it is the same up to where a crash
// stopped it; then comes the rest of a line, or zeros where the machine lost a write.
// Of samples that the log has lost, any line will do. All else is somebody else's data,
// and is neither cut off nor overwritten. Of neither more than a segment and a line are in
// memory.
func reconcile(f disk.File, c cursor, r *reader, tell Progress) (reconciled, error) {
	info, err := f.Stat()
	if err != nil {
		return reconciled{}, err
	}
	if info.Size() < c.mark.Size {
		return reconciled{}, fmt.Errorf("%w: it has %d bytes, of which the log has put %d there", ErrForeign, info.Size(), c.mark.Size)
	}
	if mark, err := disk.MarkOf(f, c.mark.Size); err != nil || mark != c.mark {
		return reconciled{}, errors.Join(fmt.Errorf("%w: what stands before byte %d was changed", ErrForeign, c.mark.Size), err)
	}
	behind := info.Size() - c.mark.Size
	x := comparison{
		tail: bufio.NewReaderSize(io.NewSectionReader(f, c.mark.Size, behind), sample.MaxLineBytes),
		want: expectation{reader: r, next: c.next},
		kept: reconciled{next: c.next, size: c.mark.Size, ours: true},
	}
	for n, more := 0, true; more; n++ {
		if n%tellLines == 0 {
			if err := tell.told("compare", x.kept.size-c.mark.Size, behind); err != nil {
				return reconciled{}, err
			}
		}
		if more, err = x.line(); err != nil {
			return reconciled{}, err
		}
	}
	kept := x.kept
	kept.cut = info.Size() - kept.size
	return kept, nil
}

// comparison is that of a file's end with the log.
type comparison struct {
	tail *bufio.Reader
	want expectation
	kept reconciled
}

// line judges the next line of the file. Nothing more is kept behind the last one.
func (x *comparison) line() (more bool, err error) {
	got, err := x.tail.ReadSlice('\n')
	if len(got) == 0 && errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return false, err
	}
	line, known, err := x.want.line()
	if err != nil {
		return false, err
	}
	if !known && line != nil && bytes.Equal(got, line) {
		x.want.leaveOut() // the gap, as an earlier start has done
		x.kept.ours, known = false, true
	}
	x.kept.ours = x.kept.ours && known
	switch compare(got, line, known) {
	case lineForeign:
		return false, fmt.Errorf("%w: the line at byte %d is not the one that the log has for sample %d", ErrForeign, x.kept.size, x.kept.next)
	case lineBegun:
		return false, nil
	case lineTorn:
		x.kept.ours = false
		return false, nil
	case lineKept:
		x.want.advance()
		x.kept.next = x.want.next
	}
	x.kept.size += int64(len(got))
	return true, nil
}

type verdict int

const (
	lineKept  verdict = iota
	lineJunk          // begun, and ended by an append that could not cut it off
	lineBegun         // and the file ends there
	lineTorn
	lineForeign
)

// compare judges a line of the file, which may lack its end, by what the log has for it.
func compare(got, want []byte, known bool) verdict {
	if known && bytes.Equal(got, want) { // as a rule
		return lineKept
	}
	complete := bytes.HasSuffix(got, []byte("\n"))
	if !known {
		if complete && bytes.IndexByte(got, 0) < 0 {
			return lineKept
		}
		return lineTorn
	}
	same := 0
	for same < len(got) && same < len(want) && got[same] == want[same] {
		same++
	}
	switch {
	case complete && same == len(got)-1:
		return lineJunk
	case same == len(got):
		return lineBegun
	case got[same] == 0:
		return lineTorn
	default:
		return lineForeign
	}
}

// expectation yields the lines that the log would write.
type expectation struct {
	reader  *reader
	decoder decoder
	samples []sample.Sample // of the record, those that were yielded cut off
	decoded []sample.Sample // where samples are
	unknown int             // so many of a gap are left
	ended   bool
	next    uint64 // number of the sample of the line
	text    []byte
}

// line returns the line that is due. What the log has lost, and what comes after its end,
// is not known; then it is the line that comes after the gap, or nil.
func (e *expectation) line() (text []byte, known bool, err error) {
	for len(e.samples) == 0 && !e.ended {
		if err := e.load(); err != nil {
			return nil, false, err
		}
	}
	if len(e.samples) == 0 {
		return nil, false, nil
	}
	e.text = sample.AppendLine(e.text[:0], e.samples[0])
	return e.text, e.unknown == 0, nil
}

// advance goes on to the next line.
func (e *expectation) advance() {
	e.next++
	if e.unknown > 0 {
		e.unknown--
	} else if len(e.samples) > 0 {
		e.samples = e.samples[1:]
	}
}

// leaveOut goes on behind the gap.
func (e *expectation) leaveOut() {
	e.next += uint64(e.unknown)
	e.unknown = 0
}

// load reads the next record.
func (e *expectation) load() error {
	r, err := e.reader.next()
	switch {
	case errors.Is(err, io.EOF):
		e.ended = true
		return nil
	case err != nil:
		return err
	case r.payload == nil:
		e.unknown += r.samples
		return nil
	}
	e.decoded, err = e.decoder.decode(e.decoded[:0], r)
	if err != nil {
		return err
	}
	e.samples = e.decoded
	if r.first < e.next { // the first one, when the cursor stands within it
		e.samples = e.samples[e.next-r.first:]
	}
	return nil
}
