package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"phase0/bench/experiment"
)

// Errors of Open.
var (
	// ErrExists is returned for a name under which there are results already.
	ErrExists = errors.New("results of that name exist, choose another with -name")
	// ErrBusy is returned while another run writes to the same directory: the two
	// would measure each other.
	ErrBusy = errors.New("another run is measuring")
	// ErrName is returned for a name that is not a plain directory name.
	ErrName = errors.New("name must be letters, digits, dots, hyphens and underscores")
)

// maxSuffix bounds the search for a free name.
const maxSuffix = 1000

// Store is a directory of results in the making.
type Store struct {
	root    string // "results"
	staging *staging
	lock    *os.File
}

// Open creates root where it is missing, locks it, and proves that results can be
// written there. name may be empty; a name that exists is refused at once, before
// anything is measured.
func Open(root, name string) (*Store, error) {
	if name != "" && !regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$`).MatchString(name) {
		return nil, fmt.Errorf("open results %q: %w", name, ErrName)
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("open results: %w", err)
	}
	if _, err := os.Lstat(filepath.Join(root, name)); name != "" && err == nil {
		return nil, fmt.Errorf("open results %s: %w", filepath.Join(root, name), ErrExists)
	}
	lock, err := lockDir(root)
	if err != nil {
		return nil, err
	}
	s := &Store{root: root, lock: lock}
	if err := sweep(root); err != nil {
		return nil, errors.Join(fmt.Errorf("open results: %w", err), lock.Close())
	}
	if s.staging, err = newStaging(root); err != nil {
		return nil, errors.Join(fmt.Errorf("open results: %w", err), lock.Close())
	}
	if err := s.probe(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func lockDir(root string) (*os.File, error) {
	path := filepath.Join(root, ".lock")
	lock, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open results: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("lock %s: %w", path, ErrBusy)
	}
	return lock, nil
}

// probeBytes is about what a report takes. Writing as much before the first trial
// finds a full disk before minutes are spent.
const probeBytes = 4 << 20

func (s *Store) probe() error {
	path := filepath.Join(s.staging.dir, "probe")
	if err := os.WriteFile(path, make([]byte, probeBytes), 0o644); err != nil {
		return fmt.Errorf("probe results directory: %w", err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("probe results directory: %w", err)
	}
	return nil
}

// DataDir returns a directory for the trials' data, on the results' file system.
func (s *Store) DataDir() (string, error) {
	dir := filepath.Join(s.staging.dir, "data")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("create data directory: %w", err)
	}
	return dir, nil
}

// Close removes what was not published and unlocks the directory. It may be
// called after Publish.
func (s *Store) Close() error {
	return errors.Join(s.staging.remove(), s.lock.Close())
}

// Publish writes all files of the run and makes them visible under its name, with
// a suffix where that is taken meanwhile. It sets the run's name to the one used
// and returns the directory.
func (s *Store) Publish(r *experiment.Run) (string, error) {
	if err := os.RemoveAll(filepath.Join(s.staging.dir, "data")); err != nil {
		return "", fmt.Errorf("publish results: %w", err)
	}
	wanted := r.Name
	for suffix := 1; suffix <= maxSuffix; suffix++ {
		if suffix > 1 {
			r.Name = fmt.Sprintf("%s-%d", wanted, suffix)
		}
		dir := filepath.Join(s.root, r.Name)
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		files, err := Files(r)
		if err != nil {
			return "", fmt.Errorf("publish results: %w", err)
		}
		if err := s.staging.publish(files, dir); err != nil {
			return "", fmt.Errorf("publish results: %w", err)
		}
		return dir, nil
	}
	return "", fmt.Errorf("publish results %s: %w", wanted, ErrExists)
}

// Files renders all files of a run's directory, by name. The same run gives the same
// bytes.
func Files(r *experiment.Run) (map[string][]byte, error) {
	files, err := Of(r).Files()
	if err != nil {
		return nil, err
	}
	rest, err := render(map[string]func(io.Writer) error{
		"run.json":  func(w io.Writer) error { return WriteJSON(w, r) },
		"bench.txt": func(w io.Writer) error { return WriteBenchmarks(w, r) },
	})
	maps.Copy(files, rest)
	files[SumsFile] = Sums(files)
	return files, err
}

// Files renders the document's pages and figures, by name.
func (d *Document) Files() (map[string][]byte, error) {
	writers := map[string]func(io.Writer) error{"report.md": d.WriteMarkdown, "report.html": d.WriteHTML}
	for _, f := range d.Figures() {
		writers[f.File] = func(w io.Writer) error {
			_, err := f.Plot.WriteTo(w)
			return err
		}
	}
	return render(writers)
}

// WriteDir writes files by name into a new directory, which appears complete or not at
// all. The error wraps fs.ErrExist where there is one already.
func WriteDir(files map[string][]byte, dir string) error {
	dir = filepath.Clean(dir)
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("write report %s: %w", dir, fs.ErrExist)
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	s, err := newStaging(parent)
	if err == nil {
		err = errors.Join(s.publish(files, dir), s.remove())
	}
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func render(writers map[string]func(io.Writer) error) (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, write := range writers {
		var content bytes.Buffer
		if err := write(&content); err != nil {
			return nil, fmt.Errorf("render %s: %w", name, err)
		}
		files[name] = content.Bytes()
	}
	return files, nil
}

// WriteJSON writes run.json.
func WriteJSON(w io.Writer, r *experiment.Run) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("encode run: %w", err)
	}
	return nil
}
