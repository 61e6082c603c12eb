package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"phase0/server/disk"
)

// damagedSuffix comes behind the name of a segment that is set aside. It is no part of the
// log any more, and nothing reads it.
const damagedSuffix = suffix + ".damaged"

// Bounds of what is set aside. They come on top of Config.Bytes: evidence takes no room
// from samples. A segment that is larger than all of it is removed.
const (
	mostAside      = 8
	mostAsideBytes = 8 * segmentBytes
)

// asideSegment is a damaged segment whose intact samples are stored.
type asideSegment struct {
	name string
	size int64
}

// Aside counts the segments that are set aside.
type Aside struct {
	Segments int
	Bytes    int64
}

func sumOf(aside []asideSegment) (sum Aside) {
	for _, s := range aside {
		sum.Segments++
		sum.Bytes += s.size
	}
	return sum
}

// listAside returns what is set aside in a directory, oldest first.
func listAside(fsys disk.FS, dir string) ([]asideSegment, error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var aside []asideSegment
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), damagedSuffix)
		if _, err := strconv.ParseUint(digits, 16, 64); !ok || err != nil || len(digits) != 16 {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // somebody has taken it away meanwhile
		}
		if err != nil {
			return nil, err
		}
		aside = append(aside, asideSegment{name: e.Name(), size: info.Size()})
	}
	return aside, nil
}

// setAside renames a consumed segment that was damaged, and removes the oldest of its kind
// when there are too many.
func (q *Queue) setAside(s segment) error {
	path := segmentPath(q.dir, s.number)
	if s.size > mostAsideBytes {
		q.cfg.Log.Warn().Str("segment", path).Int64("bytes", s.size).Msg("damaged segment of the log is too large to be set aside; it is removed")
		return q.cfg.FS.Remove(path)
	}
	kept := asideSegment{name: fmt.Sprintf("%016x%s", s.number, damagedSuffix), size: s.size}
	if err := q.cfg.FS.Rename(path, filepath.Join(q.dir, kept.name)); err != nil {
		return err
	}
	q.aside = append(q.aside, kept)
	q.cfg.Log.Warn().Str("segment", filepath.Join(q.dir, kept.name)).Int64("bytes", kept.size).
		Msg("damaged segment of the log is set aside; what could be read of it is stored")
	q.boundAside()
	return nil
}

// boundAside removes the oldest of what is set aside until the rest is within the bounds.
// One that cannot be removed is forgotten until the next start.
func (q *Queue) boundAside() {
	for sum := sumOf(q.aside); sum.Segments > mostAside || sum.Bytes > mostAsideBytes; sum = sumOf(q.aside) {
		if err := q.cfg.FS.Remove(filepath.Join(q.dir, q.aside[0].name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			q.cfg.Log.Warn().Err(err).Msg("damaged segment of the log cannot be removed")
		}
		q.aside = q.aside[1:]
	}
}
