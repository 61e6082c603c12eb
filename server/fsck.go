package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"phase0/server/disk"
	"phase0/server/queue/wal"
)

// errDamaged is returned by fsck when it has found damage and said so.
var errDamaged = errors.New("log is damaged")

// fsck checks the log in a directory, and its storage file.
func fsck(args []string, stdout io.Writer) error {
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return usagef("fsck takes one argument, the directory of a log such as phase0_metrics.jsonl.wal")
	}
	data, ok := strings.CutSuffix(strings.TrimRight(args[0], "/"), wal.Dir(""))
	if !ok || data == "" {
		return usagef("%q is not the directory of a log; its name is that of the storage file with %s", args[0], wal.Dir(""))
	}
	fsys := disk.OS{}
	if _, err := fsys.Stat(wal.Dir(data)); err != nil {
		return err // before there is a lock file
	}
	lock, err := disk.Acquire(data)
	if err != nil {
		return err
	}
	report, err := wal.Check(fsys, data)
	if err == nil {
		err = report.Print(stdout)
	}
	if err := errors.Join(err, lock.Release()); err != nil {
		return fmt.Errorf("fsck: %w", err)
	}
	if report.Damaged() {
		return errDamaged
	}
	return nil
}
