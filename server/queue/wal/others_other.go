//go:build !linux

package wal

import "runtime"

// others are the other goroutines, among them those that serve connections.
type others struct{}

func newOthers() *others { return &others{} }

// goFirst returns when the goroutines that were ready have had their turn.
func (*others) goFirst() { runtime.Gosched() }

func (*others) close() error { return nil }
