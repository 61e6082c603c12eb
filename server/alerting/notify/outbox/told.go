package outbox

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"strings"

	"phase0/server/alerting"
	"phase0/server/disk"
)

// maxTold bounds what is remembered. An alert that is forgotten is told again by an
// engine that is started again, with the same key.
const maxTold = 100_000

// toldPart is the part of an outbox that may remember: a quarter. Two snapshots, the old one
// and the new one, leave the segments half of it.
const toldPart = 4

// told remembers the alerts that were last told as firing, by identity.
type told map[string]toldAlert

type toldAlert struct {
	alerting.Notification
	sequence uint64
}

// apply takes in a record.
func (t told) apply(r record) {
	for i, n := range r.batch {
		identity := alerting.Identity(n.Alert.Labels)
		if n.Status != alerting.StatusFiring {
			delete(t, identity)
			continue
		}
		if _, known := t[identity]; known || len(t) < maxTold {
			t[identity] = toldAlert{n, r.sequence + uint64(i)}
		}
	}
}

// sorted returns what is remembered, in the order in which it was told.
func (t told) sorted() []toldAlert {
	all := make([]toldAlert, 0, len(t))
	for _, a := range t {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b toldAlert) int { return cmp.Compare(a.sequence, b.sequence) })
	return all
}

// snapshot returns the content of a file that load understands, and how many of the alerts
// that were told last it has no room for.
func snapshot(all []toldAlert, most int64) (content []byte, left int, err error) {
	content = []byte(magic)
	for i, a := range all {
		payload, err := encode([]alerting.Notification{a.Notification})
		if err != nil {
			return nil, 0, err
		}
		if int64(len(content)+headBytes+len(payload)) > most {
			return content, len(all) - i, nil
		}
		content = appendRecord(content, a.sequence, payload)
	}
	return content, 0, nil
}

// toldBytes returns what snapshots take on disk, one that is unfinished included.
func toldBytes(fsys disk.FS, dir string) (sum int64, err error) {
	entries, err := fsys.ReadDir(dir)
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), unfinished); !strings.HasSuffix(name, toldSuffix) {
			continue
		}
		info, failed := e.Info()
		if failed != nil {
			err = errors.Join(err, ignoreMissing(failed))
			continue
		}
		sum += info.Size()
	}
	return sum, err
}

// loadTold reads the newest snapshot, and returns the sequence number that it stands
// before, 0 when there is none. One that is damaged is read as far as possible: what is
// missing in it will be told again.
func loadTold(fsys disk.FS, dir string) (told, uint64, int64, error) {
	t := told{}
	files, err := numbered(fsys, dir, toldSuffix)
	if err != nil || len(files) == 0 {
		return t, 0, 0, err
	}
	newest := files[len(files)-1]
	_, damaged, tail, err := readSegment(fsys, segment{path: newest.path}, 0, t.apply)
	return t, newest.first, damaged + tail, err
}

// saveTold writes a snapshot that stands before next and removes those before it.
func saveTold(fsys disk.FS, dir string, content []byte, next uint64) error {
	path := name(dir, next, toldSuffix)
	if err := replace(fsys, path, content); err != nil {
		return err
	}
	files, err := numbered(fsys, dir, toldSuffix)
	for _, f := range files {
		if f.first < next {
			err = errors.Join(err, ignoreMissing(fsys.Remove(f.path)))
		}
	}
	return err
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
