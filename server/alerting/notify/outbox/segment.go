package outbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"phase0/server/disk"
)

const (
	segmentSuffix = ".seg"
	toldSuffix    = ".told"
	cursorSuffix  = ".cursor"
	// unfinished is added to the name of a file that is put in place by renaming.
	unfinished = ".new"
)

// segment is one file of the log.
type segment struct {
	path  string
	first uint64 // sequence number of its first notification
	next  uint64 // and of the one after its last
	size  int64  // up to the end of the last record
}

// name returns the path of a file that is named by a sequence number.
func name(dir string, sequence uint64, suffix string) string {
	return filepath.Join(dir, fmt.Sprintf("%016x%s", sequence, suffix))
}

// numbered lists the files of dir with that suffix, by rising sequence number.
func numbered(fsys disk.FS, dir, suffix string) ([]segment, error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []segment
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), suffix)
		if !ok || len(digits) != 16 {
			continue
		}
		if first, err := strconv.ParseUint(digits, 16, 64); err == nil {
			found = append(found, segment{path: filepath.Join(dir, e.Name()), first: first, next: first})
		}
	}
	return found, nil // names have the order of their numbers
}

// appender writes the newest segment. Only the writer's goroutine uses it.
type appender struct {
	fs   disk.FS
	dir  string
	file disk.File // nil: the next append begins a segment
	size int64
}

// resume goes on in a segment that was read up to its size, and cuts what follows.
func (a *appender) resume(s segment) error {
	file, err := a.fs.OpenFile(s.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Truncate(s.size), file.Sync()); err != nil {
		return errors.Join(err, file.Close())
	}
	a.file, a.size = file, s.size
	return nil
}

// begin closes the segment that is written and starts one for that number.
func (a *appender) begin(first uint64) (segment, error) {
	if err := a.seal(); err != nil {
		return segment{}, err
	}
	path := name(a.dir, first, segmentSuffix)
	// A segment of that number can only be one whose first write failed.
	file, err := a.fs.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return segment{}, err
	}
	if _, err = file.Write([]byte(magic)); err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = syncDir(a.fs, a.dir)
	}
	if err != nil {
		return segment{}, errors.Join(err, file.Close(), a.fs.Remove(path))
	}
	a.file, a.size = file, int64(len(magic))
	return segment{path: path, first: first, next: first, size: a.size}, nil
}

// append writes records and syncs them. After an error nothing of them counts, and the
// segment is never written again: what a failed sync left on disk cannot be known.
func (a *appender) append(records []byte) error {
	_, err := a.file.Write(records)
	if err == nil {
		err = a.file.Sync()
	}
	if err != nil {
		return errors.Join(err, a.file.Truncate(a.size), a.seal())
	}
	a.size += int64(len(records))
	return nil
}

// seal closes the segment that is written.
func (a *appender) seal() error {
	if a.file == nil {
		return nil
	}
	file := a.file
	a.file = nil
	return file.Close()
}

// syncDir makes names durable.
func syncDir(fsys disk.FS, dir string) error {
	d, err := fsys.OpenFile(dir, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// replace puts a file with that content in place of path, in one step.
func replace(fsys disk.FS, path string, content []byte) error {
	file, err := fsys.OpenFile(path+unfinished, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err = file.Write(content); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, fsys.Remove(path+unfinished))
	}
	if err := fsys.Rename(path+unfinished, path); err != nil {
		return errors.Join(err, fsys.Remove(path+unfinished))
	}
	return syncDir(fsys, filepath.Dir(path))
}

// readSegment passes every record of a segment to f, and returns the segment with its
// end and how many bytes were damaged, and how many follow the last record.
func readSegment(fsys disk.FS, s segment, least uint64, f func(record)) (read segment, damaged, tail int64, err error) {
	file, err := fsys.OpenFile(s.path, os.O_RDONLY, 0)
	if err != nil {
		return s, 0, 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return s, 0, 0, err
	}
	if err := checkMagic(file, info.Size()); err != nil {
		return s, 0, 0, fmt.Errorf("%s: %w", s.path, err)
	}
	if info.Size() < int64(len(magic)) {
		return s, 0, info.Size(), nil // torn at birth: nothing was ever synced into it
	}
	scan := scanner{r: file, at: int64(len(magic)), least: max(least, s.first)}
	for {
		r, err := scan.next(info.Size())
		if err == io.EOF {
			break
		}
		if err != nil {
			return s, 0, 0, err
		}
		f(r)
	}
	s.next, s.size = max(scan.least, s.first), scan.at
	return s, scan.damaged, info.Size() - scan.at, nil
}

// errForeign is returned for a file that is not ours to change.
var errForeign = errors.New("not a segment of an outbox of this version")

func checkMagic(file disk.File, size int64) error {
	head := make([]byte, min(size, int64(len(magic))))
	if err := readFull(file, head, 0); err != nil {
		return err
	}
	if !strings.HasPrefix(magic, string(head)) && !slices.Equal(head, make([]byte, len(head))) {
		return errForeign
	}
	return nil
}
