package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"phase0/bench/experiment"
)

// Errors of Load and Verify.
var (
	// ErrForeign is returned for a run.json that no run of bench wrote.
	ErrForeign = errors.New("not a run of bench")
	// ErrSchema is returned for a run of another schema version.
	ErrSchema = errors.New("schema version is not known here")
	// ErrTooLarge is returned for a file above MaxFileBytes.
	ErrTooLarge = errors.New("file is too large for a result")
)

// MaxFileBytes bounds every file that is read. A full run takes a few megabytes.
const MaxFileBytes = 64 << 20

// RunFile is the name of the raw data in a directory of results.
const RunFile = "run.json"

// Load reads a directory's run.json. The error wraps one of this package's or the
// operating system's.
func Load(dir string) (*experiment.Run, error) {
	text, err := readFile(filepath.Join(dir, RunFile))
	if err != nil {
		return nil, err
	}
	r, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, RunFile), err)
	}
	return r, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, MaxFileBytes+1))
	if err == nil && len(text) > MaxFileBytes {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return text, nil
}

// decode takes what a run of this schema can be. Fields that are not known are left to
// Verify, which names them.
func decode(text []byte) (*experiment.Run, error) {
	var head struct {
		Schema *int             `json:"schema"`
		Trials *json.RawMessage `json:"trials"`
	}
	if err := unmarshal(text, &head); err != nil {
		return nil, err
	}
	if head.Schema == nil || head.Trials == nil {
		return nil, fmt.Errorf("%w: schema or trials are missing", ErrForeign)
	}
	if *head.Schema != experiment.SchemaVersion {
		return nil, fmt.Errorf("%w: it is %d, this program knows %d", ErrSchema, *head.Schema, experiment.SchemaVersion)
	}
	r := &experiment.Run{}
	if err := unmarshal(text, r); err != nil {
		return nil, err
	}
	if err := r.Profile.Validate(); err != nil {
		return nil, fmt.Errorf("%w: profile: %w", ErrForeign, err)
	}
	return r, nil
}

// unmarshal explains where a text is no JSON, or none of the right form.
func unmarshal(text []byte, into any) error {
	err := json.Unmarshal(text, into)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax) && syntax.Offset >= int64(len(bytes.TrimSpace(text))):
		return fmt.Errorf("%w: it ends in the middle, after %d bytes", ErrForeign, len(text))
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: line %d: %w", ErrForeign, lineOf(text, syntax.Offset), err)
	case errors.As(err, &kind):
		return fmt.Errorf("%w: line %d: %s is a %s", ErrForeign, lineOf(text, kind.Offset), kind.Field, kind.Value)
	}
	return fmt.Errorf("%w: %w", ErrForeign, err)
}

func lineOf(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(max(offset, 0), int64(len(text)))], []byte("\n"))
}
