package trial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// prepared is a storage file that several trials read. It is written once and lies in
// the harness' directory until that is removed.
type prepared struct {
	path     string
	size     int64
	modified time.Time
	answers  map[question]truth // what was already worked out
}

// question is what a truth depends on beside the file.
type question struct {
	series     int
	start, end int64
}

// prepare returns the file of these points and writes it the first time.
func (h *Harness) prepare(ctx context.Context, p Points) (*prepared, error) {
	if file := h.files[p]; file != nil {
		return file, nil
	}
	file := &prepared{path: filepath.Join(h.Dir, fmt.Sprintf("points-%d-%d.jsonl", p.N, p.Seed)), answers: map[question]truth{}}
	if err := file.write(ctx, p); err != nil {
		return nil, errors.Join(err, forget(file.path))
	}
	if h.files == nil {
		h.files = map[Points]*prepared{}
	}
	h.files[p] = file
	return file, nil
}

func (f *prepared) write(ctx context.Context, p Points) error {
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("create points: %w", err)
	}
	_, err = p.Write(untilDone{ctx, file})
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return fmt.Errorf("create points: %w", err)
	}
	f.size, f.modified = info.Size(), info.ModTime()
	return nil
}

// untilDone fails when its context has ended: a large file takes seconds.
type untilDone struct {
	ctx context.Context
	to  io.Writer
}

// Write implements io.Writer.
func (u untilDone) Write(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.to.Write(p)
}

// forget removes a file that may not be there.
func forget(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove points: %w", err)
	}
	return nil
}

// lend gives the file a second name, under which a server that only reads may have
// it. Where there are no hard links it is copied.
func (f *prepared) lend(path string) error {
	if os.Link(f.path, path) == nil {
		return nil
	}
	return f.copy(path)
}

// copy makes a file of its own, for a server that writes.
func (f *prepared) copy(path string) error {
	from, err := os.Open(f.path)
	if err != nil {
		return fmt.Errorf("copy points: %w", err)
	}
	defer from.Close()
	to, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("copy points: %w", err)
	}
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Close(), os.Chtimes(path, f.modified, f.modified)); err != nil {
		return fmt.Errorf("copy points: %w", err)
	}
	return nil
}

// giveBack returns an error if what was lent at path is not what it was. The file is
// then written again for the next trial.
func (h *Harness) giveBack(p Points, path string) error {
	file := h.files[p]
	for _, name := range []string{path, file.path} {
		info, err := os.Stat(name)
		if err != nil || info.Size() != file.size || info.ModTime().After(file.modified) {
			delete(h.files, p)
			return errors.Join(fmt.Errorf("the server changed the prepared file of %d points", p.N), err, forget(file.path))
		}
	}
	return nil
}

// truth returns what a question must be answered with.
func (f *prepared) truth(p Points, q question) truth {
	t, known := f.answers[q]
	if !known {
		t = p.truth(q.series, q.start, q.end)
		f.answers[q] = t
	}
	return t
}
