package freshness

import (
	"encoding/json"
	"errors"
	"fmt"
)

// form is what an answer to GET /query must look like.
const form = `want a JSON array of {"name":"cpu","value":1,"timestamp":1700000000000}`

// row is one sample of an answer. Timestamp is in Unix ms and may be missing.
type row struct {
	Name      *string  `json:"name"`
	Value     *float64 `json:"value"`
	Timestamp *float64 `json:"timestamp"`
}

// find looks for a sample in an answer to GET /query, which is the body. The
// result is nil when the sample is not there. A server that makes no difference
// between no rows and null is understood. The error says where the body is not
// such an answer.
func find(body []byte, series string, value float64) (*row, error) {
	var rows []row
	if err := json.Unmarshal(body, &rows); err != nil {
		return nil, fmt.Errorf("parse answer: %s%w; %s", place(err), err, form)
	}
	var found *row
	for i := range rows {
		switch r := &rows[i]; {
		case r.Name == nil:
			return nil, fmt.Errorf("parse answer: row %d has no name; %s", i, form)
		case r.Value == nil:
			return nil, fmt.Errorf("parse answer: row %d has no value; %s", i, form)
		case *r.Name == series && *r.Value == value:
			found = r
		}
	}
	return found, nil
}

// place says where in the body an error of the JSON decoder is.
func place(err error) string {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("byte %d: ", syntax.Offset)
	case errors.As(err, &mismatch):
		return fmt.Sprintf("byte %d: ", mismatch.Offset)
	}
	return ""
}
