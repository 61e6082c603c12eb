package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"phase0/scripts/lab"
)

const (
	sock = `9<TCP:[127.0.0.1:8080->127.0.0.1:5555]>`
	seg  = `7</d/m.jsonl.wal/0000000000000001.wal>`
)

func request(n string) string { // as loadgen writes it
	return `11 read(` + sock + `, "POST /metrics HTTP/1.1\r\n\r\n{\"name\":\"audit_` + n + `_\",\"value\":1}", 4096) = 90`
}
func record(n string) string {
	return `12 pwrite64(` + seg + `, "\1\0audit_` + n + `_\0\0", 64, 32) = 64`
}

const (
	syncWhole   = `12 fsync(` + seg + `) = 0`
	syncFails   = `12 fsync(` + seg + `) = -1 EIO (Input/output error) (INJECTED)`
	syncBegins  = `12 fsync(` + seg + ` <unfinished ...>`
	syncEnds    = `12 <... fsync resumed>) = 0`
	syncOther   = `12 fsync(8</d/m.jsonl.wal/0000000000000002.wal>) = 0`
	syncData    = `12 fsync(8</d/m.jsonl>) = 0`
	answerWhole = `11 write(` + sock + `, "HTTP/1.1 202 Accepted\r\n", 99) = 99`
	answerFull  = `11 write(` + sock + `, "HTTP/1.1 503 Service Unavailable\r\n", 99) = 99`
	otherAnswer = `11 write(10<TCP:[127.0.0.1:8080->127.0.0.1:6]>, "HTTP/1.1 202 Accepted\r\n", 99) = 99`
)

// Traces as strace would have recorded them, good ones and each kind of violation.
func TestCheck(t *testing.T) {
	tests := []struct {
		name              string
		lines             []string
		answers, uncoverd int
	}{
		{"in order", []string{request("1"), record("1"), syncWhole, answerWhole}, 1, 0},
		{"sync in two halves", []string{request("1"), record("1"), syncBegins, syncEnds, answerWhole}, 1, 0},
		{"no sync", []string{request("1"), record("1"), answerWhole}, 1, 1},
		{"sync after the answer", []string{request("1"), record("1"), answerWhole, syncWhole}, 1, 1},
		{"answer while the sync runs", []string{request("1"), record("1"), syncBegins, answerWhole, syncEnds}, 1, 1},
		{"sync that failed", []string{request("1"), record("1"), syncFails, answerWhole}, 1, 1},
		{"sync of another file", []string{request("1"), record("1"), syncOther, syncData, answerWhole}, 1, 1},
		{"sync before the write", []string{request("1"), syncWhole, record("1"), answerWhole}, 1, 1},
		{"sync begun before the write returned", []string{
			request("1"), `13 pwrite64(` + seg + `, "audit_1_", 8, 32 <unfinished ...>`, syncBegins, `13 <... pwrite64 resumed>) = 8`, syncEnds, answerWhole}, 1, 1},
		{"not written", []string{request("1"), syncWhole, answerWhole}, 1, 1},
		{"another sample written", []string{request("1"), record("11"), syncWhole, answerWhole}, 1, 1},
		{"written before it was asked for", []string{record("1"), request("1"), syncWhole, answerWhole}, 1, 1},
		{"a failed write", []string{request("1"), `12 pwrite64(` + seg + `, "audit_1_", 8, 32) = -1 EIO (Input/output error)`, syncWhole, answerWhole}, 1, 1},
		{"refused", []string{request("1"), answerFull}, 0, 0},
		{"somebody else's", []string{otherAnswer}, 0, 0},
		{"a group", []string{request("1"), strings.ReplaceAll(request("2"), "5555", "5556"), `12 pwrite64(` + seg + `, "audit_1_\0audit_2_\0", 64, 32) = 64`, syncWhole, answerWhole, strings.ReplaceAll(answerWhole, "5555", "5556")}, 2, 0},
		{"a connection that goes on", []string{request("1"), record("1"), syncWhole, answerWhole, request("2"), record("2"), answerWhole}, 2, 1},
		{"noise", []string{"", "11 +++ exited with 0 +++", "11 --- SIGURG {si_signo=SIGURG} ---", `11 read(` + sock + `, "", 4096) = -1 EAGAIN (Resource temporarily unavailable)`, `11 read(` + sock + ` <unfinished ...>`, `11 <... read resumed>, "x", 1) = ?`}, 0, 0},
	}
	for _, tt := range tests {
		got, err := check(strings.NewReader(strings.Join(tt.lines, "\n")), ".wal/")
		if err != nil || got.answers != tt.answers || got.uncovered != tt.uncoverd || got.covered != tt.answers-tt.uncoverd || len(got.early) != tt.uncoverd {
			t.Errorf("%s: %+v, error %v", tt.name, got, err)
		}
	}
}

func TestTracesThatProveNothing(t *testing.T) {
	for text, want := range map[string]error{
		"hello": errTrace, "12 <... fsync resumed>) = 0": errTrace, "12 fsync(7</x> <unfinished ...>\n12 <... read resumed>) = 0": errTrace,
		`12 pwrite64(` + seg + `, "abc"..., 64, 32) = 64`: errCut, "12 read(7) = 99999999999999999999": errTrace,
	} {
		if _, err := check(strings.NewReader(text), ".wal/"); !errors.Is(err, want) {
			t.Errorf("%q: error %v, want %v", text, err, want)
		}
	}
}

func TestStart(t *testing.T) {
	good := strings.Join([]string{request("1"), record("1"), syncWhole, answerWhole}, "\n")
	bad := strings.Join([]string{request("1"), record("1"), answerWhole}, "\n")
	for _, tt := range []struct {
		text string
		args []string
		want error
	}{
		{good, []string{"-least", "1"}, nil},
		{good, nil, errTooFew},
		{bad, []string{"-least", "1"}, errEarly},
		{bad, []string{"-least", "1", "-expect", "early"}, nil},
		{good, []string{"-least", "1", "-expect", "early"}, errEarly},
		{good, []string{"-expect", "x"}, lab.ErrUsage},
		{good, []string{"-least", "0"}, lab.ErrUsage},
	} {
		path := filepath.Join(t.TempDir(), "trace")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := start(t.Context(), append(tt.args, path), io.Discard, io.Discard); !errors.Is(err, tt.want) {
			t.Errorf("%q: error %v, want %v", tt.args, err, tt.want)
		}
	}
	if err := start(t.Context(), []string{filepath.Join(t.TempDir(), "none")}, io.Discard, io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(strings.Join([]string{request("1"), record("1"), syncBegins, syncEnds, answerWhole}, "\n"))
	f.Add(strings.Join([]string{request("1"), record("1"), answerWhole}, "\n"))
	f.Fuzz(func(t *testing.T, text string) {
		got, err := check(strings.NewReader(text), ".wal/")
		if err == nil && got.covered+got.uncovered != got.answers {
			t.Errorf("%+v", got)
		}
		if err == nil && got.covered > 0 && got.syncs == 0 {
			t.Error("covered by no sync")
		}
	})
}
