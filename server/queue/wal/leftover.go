package wal

import (
	"time"

	"phase0/server/disk"
)

// slowDisk is how many bytes a slow disk writes in a second.
const slowDisk = 32 << 20

// leftover is a stretch of the storage file that earlier processes wrote and that may not be
// on the disk, after it was written over itself. The file that did that stays open until its
// Sync: an error of the disk in between is told to those who have the file open, and with
// nobody there it may be forgotten, so that a Sync of one that is opened later succeeds. The
// zero value is nothing.
type leftover struct {
	file     disk.File
	from, to int64
	failed   bool          // a sync did, so it has to be written again
	begun    chan struct{} // closed when the system was asked to begin
}

// begin lets the system write to the disk what is left, and returns what a slow disk takes for
// that. The goroutine, which a busy disk may hold up, is waited for by sync and close.
func (l *leftover) begin() time.Duration {
	if l.file == nil {
		return 0
	}
	l.begun = make(chan struct{})
	go func() {
		defer close(l.begun)
		disk.BeginSync(l.file)
	}()
	return time.Duration(float64(l.to-l.from) / slowDisk * float64(time.Second))
}

// sync brings what is left to the disk. It may be called again after an error.
func (l *leftover) sync() error {
	if l.file == nil {
		return nil
	}
	l.await()
	if l.failed {
		if err := disk.Rewrite(l.file, l.from, l.to); err != nil {
			return err
		}
	}
	if err := l.file.Sync(); err != nil {
		l.failed = true
		return err
	}
	_ = l.close() // nothing depends on the file any more
	return nil
}

func (l *leftover) close() error {
	if l.file == nil {
		return nil
	}
	l.await()
	file := l.file
	l.file = nil
	return file.Close()
}

func (l *leftover) await() {
	if l.begun != nil {
		<-l.begun
	}
}
