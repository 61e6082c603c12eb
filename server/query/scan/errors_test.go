package scan_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"phase0/server/query"
	"phase0/server/query/scan"
	"phase0/server/sample"
	"phase0/server/storage"
)

// broken is a storage file that cannot be opened, or not be read from failAt on.
type broken struct {
	*bytes.Reader
	open, read error
	failAt     int64
}

func (b broken) Open() (storage.View, error) { return b, b.open }
func (b broken) Close() error                { return nil }
func (b broken) Stat() (fs.FileInfo, error)  { return nil, fs.ErrNotExist }

func (b broken) ReadAt(p []byte, at int64) (int, error) {
	if at >= b.failAt {
		return 0, b.read
	}
	return b.Reader.ReadAt(p, at)
}

func TestSelectErrors(t *testing.T) {
	cause := errors.New("input/output error")
	const first = 256 << 10 // what one read takes
	for _, tc := range []struct {
		name  string
		store broken
		want  string
	}{
		{"open", broken{open: cause}, "open storage file: input/output error"},
		{"between lines", broken{Reader: bytes.NewReader(bytes.Repeat([]byte("short\n"), first)), read: cause, failAt: first}, "read storage file: input/output error"},
		{"in a long line", broken{Reader: bytes.NewReader(make([]byte, 3*first)), read: cause, failAt: first}, "read storage file: input/output error"},
	} {
		_, err := scan.New(tc.store).Select(t.Context(), query.Selector{Name: "a"}, func(sample.Sample) bool { t.Error("yielded"); return true })
		if !errors.Is(err, cause) || errors.Is(err, io.EOF) || err.Error() != tc.want {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// What is blank is no line; what is foreign is counted.
func TestSkippedLines(t *testing.T) {
	text := strings.Join([]string{
		"", " \t\r", `{"name":"a","value":1,"timestamp":1}` + "\r", "\x00\x00", "\xff\xfe", "# comment",
		`{"name":"a","value":1,"timestamp":1}{"name":"a","value":1,"timestamp":1}`, `{"name":"a","value":"1","timestamp":1}`,
		`{"name":"a","value":1e999,"timestamp":1}`, `[]`, `{"name":"a","value":1,"timestamp":1}`,
	}, "\n")
	n := 0
	stats, err := scan.New(broken{Reader: bytes.NewReader([]byte(text)), failAt: 1 << 40}).Select(t.Context(), query.Selector{Name: "a", End: 5}, func(sample.Sample) bool { n++; return true })
	if want := (query.Stats{Samples: 2, Bytes: int64(len(text)), Skipped: 7}); err != nil || n != 2 || stats != want {
		t.Errorf("%d samples, %+v, %v; want 2, %+v", n, stats, err, want)
	}
}
