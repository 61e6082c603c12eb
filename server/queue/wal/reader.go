package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"phase0/server/disk"
)

const suffix = ".wal"

func segmentPath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016x%s", number, suffix))
}

// segment is a file of the log.
type segment struct {
	number  uint64
	size    int64
	first   uint64 // of the header
	known   bool   // the header could be read
	damaged bool   // a reader met what could not be read
}

// listSegments returns the segments of a directory in order.
func listSegments(fsys disk.FS, dir string) ([]segment, error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var segments []segment
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), suffix)
		number, err := strconv.ParseUint(digits, 16, 64)
		if !ok || err != nil || len(digits) != 16 {
			continue
		}
		s, err := inspect(fsys, dir, number)
		if err != nil {
			return nil, err
		}
		segments = append(segments, s)
	}
	return segments, nil
}

// inspect reads a segment's header.
func inspect(fsys disk.FS, dir string, number uint64) (segment, error) {
	path := segmentPath(dir, number)
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return segment{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return segment{}, err
	}
	var b [segmentHeaderBytes]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return segment{}, err
	}
	s := segment{number: number, size: info.Size()}
	header, err := parseSegmentHeader(b[:n])
	switch {
	case errors.Is(err, errVersion), err == nil && header.number != number:
		return segment{}, fmt.Errorf("%s: %w", path, errVersion)
	case err == nil:
		s.first, s.known = header.first, true
	}
	return s, nil
}

// Damage counts what a reader met.
type Damage struct {
	// Corrupt is how many times something that was on the disk could not be read, or is not
	// there: a record, several beside each other, or the header of a segment.
	Corrupt int
	// Truncated is how many bytes of records that were never completed were cut off.
	Truncated int64
	// Lost is how many samples the damage took, of those that the storage file lacks. A
	// reader leaves it 0: it yields them.
	Lost uint64
}

// reader yields the records of some segments in order, and marks those segments that are
// damaged. A stretch of samples that is missing is yielded as a record without a payload.
// One segment at a time is in memory.
type reader struct {
	fsys     disk.FS
	dir      string
	segments []segment
	expected uint64 // sequence number of the next sample
	damage   Damage
	counted  bool // damage was, since the last record: it explains what is missing

	at     int    // index of the segment in text
	text   []byte // the segment's contents; nil before it is loaded
	off    int
	buffer []byte // where text is
}

// newReader returns a reader of the samples from next on.
func newReader(fsys disk.FS, dir string, segments []segment, next uint64) *reader {
	return &reader{fsys: fsys, dir: dir, segments: segments, expected: next}
}

// next returns the next record, valid until the next call, or io.EOF. Its samples begin
// with the one that is expected: those that the reader was told to leave out are cut off
// by the caller, who knows how many from record.first.
func (r *reader) next() (record, error) {
	for r.at < len(r.segments) {
		if r.text == nil {
			if err := r.load(); err != nil {
				return record{}, err
			}
			if s := r.segments[r.at]; s.known && s.first > r.expected {
				return r.missing(s.first), nil
			}
		}
		rec, ok := r.scan()
		if !ok {
			r.at, r.text = r.at+1, nil
			continue
		}
		if rec.first > r.expected {
			return r.missing(rec.first), nil // and the record itself the next time
		}
		r.off += int(rec.size)
		if rec.end() > r.expected {
			r.expected, r.counted = rec.end(), false
			return rec, nil
		}
	}
	return record{}, io.EOF
}

// skim goes over records that next would leave out, or yield one after another, up to some
// number of them. It stops before whatever needs a closer look.
func (r *reader) skim(most int) {
	if r.at >= len(r.segments) || r.text == nil {
		return
	}
	number := r.segments[r.at].number
	limit, limited := r.limit()
	for ; most > 0 && r.off < len(r.text); most-- {
		rec, err := parseRecord(r.text[r.off:], number)
		if err != nil || limited && rec.end() > limit {
			break
		}
		if rec.end() > r.expected {
			if rec.first != r.expected {
				break
			}
			r.expected, r.counted = rec.end(), false
		}
		r.off += int(rec.size)
	}
}

// corrupt counts damage.
func (r *reader) corrupt() {
	r.damage.Corrupt++
	r.counted = true
}

// missing yields the stretch up to a sequence number.
func (r *reader) missing(until uint64) record {
	if !r.counted {
		r.corrupt()
	}
	gap := record{first: r.expected, samples: int(until - r.expected)}
	r.expected, r.counted = until, false
	return gap
}

// load reads the segment at r.at.
func (r *reader) load() error {
	s := r.segments[r.at]
	f, err := r.fsys.OpenFile(segmentPath(r.dir, s.number), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		r.text, r.off = []byte{}, 0 // consumed and removed meanwhile; if not, its samples are found missing
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if int64(cap(r.buffer)) < s.size {
		r.buffer = make([]byte, s.size)
	}
	n, err := f.ReadAt(r.buffer[:s.size], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	r.text, r.off = r.buffer[:n:n], segmentHeaderBytes
	if !s.known && !allZero(r.text) && r.find(r.off) >= 0 {
		r.corrupt() // only its header
		r.segments[r.at].damaged = true
	}
	return nil
}

// bytes returns the size of all segments, and how much of it was read.
func (r *reader) bytes() (done, total int64) {
	for i, s := range r.segments {
		if i < r.at {
			done += s.size
		}
		total += s.size
	}
	return done + int64(min(r.off, len(r.text))), total
}

// limit is where the samples of the current segment end at the latest: a later segment
// has them, or what was tried in this one failed.
func (r *reader) limit() (first uint64, ok bool) {
	for _, s := range r.segments[r.at+1:] {
		if s.known {
			return s.first, true
		}
	}
	return 0, false
}

// scan returns the next record of the segment, leaving out what is damaged, and leaves
// r.off at it. False means that there is no more.
func (r *reader) scan() (record, bool) {
	number := r.segments[r.at].number
	for r.off < len(r.text) {
		rec, err := parseRecord(r.text[r.off:], number)
		if err != nil {
			if !r.resume(rec) {
				return record{}, false
			}
			continue
		}
		// One that reaches across the limit is stored up to there, by a line that
		// survived it.
		if limit, ok := r.limit(); ok && rec.end() > limit {
			r.damage.Truncated += r.remaining(r.off)
			return record{}, false
		}
		return rec, true
	}
	return record{}, false
}

// resume goes on behind damage, or says that nothing is there. Header is what could be
// read of the damaged record.
func (r *reader) resume(header record) bool {
	if allZero(r.text[r.off:]) {
		return false // what was allocated and never written
	}
	limit, limited := r.limit()
	found := r.find(r.off + alignment)
	if header.size > 0 { // do not look for records within another one
		found = r.find(r.off + int(header.size))
	}
	torn := found < 0 || r.isTorn(found)
	if limited {
		torn = limit <= r.expected
	}
	if torn {
		r.damage.Truncated += r.remaining(r.off)
		return false
	}
	r.segments[r.at].damaged = true
	r.corrupt()
	if found < 0 {
		return false
	}
	r.off = found
	return true
}

// isTorn tells whether the damage at r.off may be of a write that never ended: no record
// from there on claims that what is damaged was on the disk. A damage in an earlier
// segment never is.
func (r *reader) isTorn(found int) bool {
	for at := found; at >= 0; {
		rec, err := parseRecord(r.text[at:], r.segments[r.at].number)
		if err == nil && rec.synced > int64(r.off) {
			return false
		}
		if err == nil {
			at += int(rec.size)
		} else {
			at = r.find(at + alignment)
		}
		if at >= len(r.text) {
			break
		}
	}
	return r.at == len(r.segments)-1
}

// find returns where the first undamaged record at or behind an offset is, or -1.
func (r *reader) find(from int) int {
	number := r.segments[r.at].number
	for at := from; at+recordHeaderBytes <= len(r.text); at += alignment {
		if le.Uint32(r.text[at:]) == 0 {
			continue
		}
		if rec, err := parseRecord(r.text[at:], number); err == nil && rec.first >= r.expected {
			return at
		}
	}
	return -1
}

// remaining counts the bytes from an offset on, without the zeros at the end.
func (r *reader) remaining(from int) int64 { return int64(len(trimZeros(r.text[from:]))) }

// readCursor returns the cursor of a directory; fs.ErrNotExist when there is none.
func readCursor(fsys disk.FS, dir string) (c cursor, damaged int, err error) {
	f, err := fsys.OpenFile(cursorPath(dir), os.O_RDONLY, 0)
	if err != nil {
		return cursor{}, 0, err
	}
	defer f.Close()
	b := make([]byte, cursorBytes)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return cursor{}, 0, err
	}
	c, damaged, err = parseCursor(b[:n])
	if err != nil {
		return cursor{}, damaged, fmt.Errorf("%s: %w", cursorPath(dir), err)
	}
	return c, damaged, nil
}

func cursorPath(dir string) string { return filepath.Join(dir, "cursor") }

// damageError makes an error of damage.
type damageError Damage

func (d damageError) Error() string {
	return fmt.Sprintf("log is damaged at %d places, %d accepted samples are lost", d.Corrupt, d.Lost)
}
