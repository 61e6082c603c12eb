// Package tally is what the reference server knows about a run, as a value and
// as a file: one line of JSON, and after its line feed one signed 64-bit
// little-endian number per request, the instant at which the server had read
// the request's last byte. Instants are nanoseconds of CLOCK_MONOTONIC, which all
// processes of a machine share.
//
// The functions hold no state and may be called from any goroutine.
package tally

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Bounds of what Read accepts.
const (
	// MaxStamps is the largest number of stamps of one run: 160 MB of memory.
	MaxStamps = 20_000_000
	maxHeader = 1 << 20
)

// ErrFormat is returned by Read and Parse for what is not a tally.
var ErrFormat = errors.New("not a tally of the reference server")

// Tally is what the server counted.
type Tally struct {
	Requests    int64 `json:"requests"`    // answered with 202
	Connections int64 `json:"connections"` // accepted
	Refused     int64 `json:"refused"`     // requests answered with 4xx or 501
	Dropped     int64 `json:"dropped"`     // connections closed for want of room, here or in the client's buffers

	// FirstNS and LastNS are when the first and the last request had arrived.
	FirstNS int64 `json:"first_ns"`
	LastNS  int64 `json:"last_ns"`
	// CPUSeconds is user and system time of the server since the first request.
	CPUSeconds float64 `json:"cpu_seconds"`
	// BusyShare is CPUSeconds over the time from the first to the last request. Where
	// Spin is set it is the share of that time that was neither waiting nor spent on
	// looks in vain, by the server's clock.
	BusyShare float64 `json:"busy_share"`
	Spin      bool    `json:"spin"`

	Stalls []Stall `json:"stalls"`
	// Stamps is how many stamps follow in a file; less than Requests where there
	// was no room for more.
	Stamps int `json:"stamps"`
}

// Stall is a time during which the server did nothing.
type Stall struct {
	StartNS int64 `json:"start_ns"`
	EndNS   int64 `json:"end_ns"`
}

// Write writes the tally and the stamps.
func Write(w io.Writer, t Tally, stamps []int64) error {
	t.Stamps = len(stamps)
	buffered := bufio.NewWriterSize(w, 1<<16)
	if err := json.NewEncoder(buffered).Encode(t); err != nil { // ends with a line feed
		return fmt.Errorf("write tally: %w", err)
	}
	var b [8]byte
	for _, s := range stamps {
		binary.LittleEndian.PutUint64(b[:], uint64(s))
		if _, err := buffered.Write(b[:]); err != nil {
			return fmt.Errorf("write stamps: %w", err)
		}
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("write stamps: %w", err)
	}
	return nil
}

// Read reads what Write wrote. It returns an error that wraps ErrFormat for
// anything else.
func Read(r io.Reader) (Tally, []int64, error) {
	buffered := bufio.NewReaderSize(r, maxHeader)
	line, err := buffered.ReadSlice('\n')
	if err != nil {
		return Tally{}, nil, fmt.Errorf("read tally: %w: no line of JSON in the first %d bytes: %w", ErrFormat, maxHeader, err)
	}
	t, err := Parse(line)
	if err != nil {
		return Tally{}, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(buffered, 8*int64(t.Stamps)+1))
	if err != nil {
		return Tally{}, nil, fmt.Errorf("read stamps: %w", err)
	}
	if len(body) != 8*t.Stamps {
		return Tally{}, nil, fmt.Errorf("read stamps: %w: %d stamps announced, which are %d bytes, but %d follow", ErrFormat, t.Stamps, 8*t.Stamps, len(body))
	}
	stamps := make([]int64, t.Stamps)
	for i := range stamps {
		stamps[i] = int64(binary.LittleEndian.Uint64(body[8*i:]))
	}
	return t, stamps, nil
}

// Parse reads the line of JSON alone, as the server prints it.
func Parse(line []byte) (Tally, error) {
	var t Tally
	if err := json.Unmarshal(line, &t); err != nil {
		return Tally{}, fmt.Errorf("parse tally: %w: %w", ErrFormat, err)
	}
	if t.Stamps < 0 || t.Stamps > MaxStamps {
		return Tally{}, fmt.Errorf("parse tally: %w: stamps is %d, valid are 0 to %d", ErrFormat, t.Stamps, MaxStamps)
	}
	return t, nil
}
