package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxResultSize bounds what Read accepts, in bytes. A result takes some tens of
// kilobytes, or a few megabytes with a wide spread in every distribution.
const maxResultSize = 64 << 20

// Read reads the JSON form of a Result, at most 64 MiB, and validates it. Fields
// that are not known are passed over, because a later version may have added them.
// The error names the field, or the place in the text.
func Read(r io.Reader) (Result, error) {
	data, err := readAll(r, maxResultSize)
	if err != nil {
		return Result{}, fmt.Errorf("read result: %w", err)
	}
	// The schema comes first: what another version means by the other fields is
	// not known.
	var head struct {
		Schema int `json:"schema"`
	}
	if err := decodeJSON(data, &head); err != nil {
		return Result{}, err
	}
	if head.Schema != SchemaVersion {
		return Result{}, fmt.Errorf("read result: schema is %d, want %d: not a result of loadgen, or of another version",
			head.Schema, SchemaVersion)
	}
	var res Result
	if err := decodeJSON(data, &res); err != nil {
		return Result{}, err
	}
	if err := res.Validate(); err != nil {
		return Result{}, fmt.Errorf("read result: %w", err)
	}
	return res, nil
}

// readAll reads at most limit bytes; more is an error.
func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("longer than %d bytes", limit)
	}
	return data, err
}

func decodeJSON(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return fmt.Errorf("read result: not JSON at byte %d of %d: %w", syntax.Offset, len(data), err)
	default: // says which field and which type
		return fmt.Errorf("read result: %w", err)
	}
}
