package parallel

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"phase0/server/sample"
)

// BlockBytes is the length of a block. Block n holds the lines whose first byte lies
// in [n·BlockBytes, (n+1)·BlockBytes), so that blocks depend on the file alone and
// not on how it was written, and any of them can be read without the others. 256 KiB
// stay in a core's second-level cache between the read and the scan.
const BlockBytes = 256 << 10

// slackBytes is read beyond a block's end for the rest of its last line; what is
// longer costs a second read.
const slackBytes = 4 << 10

// blocksOf returns how many blocks a file of size bytes has.
func blocksOf(size int64) int { return int((size + BlockBytes - 1) / BlockBytes) }

// blockReader reads blocks into memory that it reuses.
type blockReader struct{ buffer []byte }

// read returns the lines of block n of a file that had size bytes when it was opened.
// They are valid until the next call. The last line has no line end when the file ends
// before it does, or when it is too long for a sample. Final means that nothing that is
// appended can change the block any more.
func (r *blockReader) read(file io.ReaderAt, size int64, n int) (lines []byte, final bool, err error) {
	from := int64(n) * BlockBytes
	limit := BlockBytes // where the block ends in what is read
	if n > 0 {
		// The byte before tells whether a line starts where the block does.
		from--
		limit++
	}
	text, err := r.readAt(file, from, min(int64(limit+slackBytes), size-from), 0)
	if err != nil {
		return nil, false, err
	}
	start := 0
	if n > 0 {
		// The line that reaches into this block belongs to an earlier one.
		start = bytes.IndexByte(text[:min(len(text), limit-1)], '\n') + 1
		if start == 0 {
			return nil, len(text) >= limit, nil
		}
	}
	if len(text) < limit {
		return text[start:], false, nil
	}
	end := bytes.IndexByte(text[limit-1:], '\n')
	if end < 0 {
		have := len(text)
		if text, err = r.readAt(file, from, min(int64(limit+sample.MaxLineBytes), size-from), have); err != nil {
			return nil, false, err
		}
		end = bytes.IndexByte(text[limit-1:], '\n')
	}
	if end < 0 {
		return text[start:], len(text) >= limit+sample.MaxLineBytes, nil
	}
	return text[start : limit+end], true, nil
}

// readAt fills the buffer up to length with what stands at from; the first have bytes
// are there already. It returns less where the file has become shorter.
func (r *blockReader) readAt(file io.ReaderAt, from, length int64, have int) ([]byte, error) {
	if int64(cap(r.buffer)) < length {
		grown := make([]byte, max(length, BlockBytes+1+slackBytes))
		copy(grown, r.buffer[:have])
		r.buffer = grown
	}
	text := r.buffer[:max(length, 0)]
	if len(text) <= have {
		return text, nil
	}
	n, err := file.ReadAt(text[have:], from+int64(have))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read storage file: %w", err)
	}
	return text[:have+n], nil
}

// next cuts the first line off, with its line end. Ok is false when the line is too
// long for a sample.
func next(lines []byte) (line, rest []byte, ok bool) {
	end := bytes.IndexByte(lines, '\n') + 1
	if end == 0 {
		return lines, nil, len(lines) < sample.MaxLineBytes
	}
	return lines[:end], lines[end:], end <= sample.MaxLineBytes
}
