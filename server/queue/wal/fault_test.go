package wal

import (
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"phase0/server/disk/faultfs"
)

// Whichever operation of the disk fails, once or from then on: nothing that was answered is
// lost or doubled, health tells, and a disk that works again is used again.
func TestEveryOperationFails(t *testing.T) {
	for _, fault := range []faultfs.Fault{
		{Err: syscall.EIO}, {Err: syscall.ENOSPC}, {Err: syscall.ENOSPC, Short: true},
		{Err: syscall.EIO, Forever: true}, {Err: syscall.ENOSPC, Forever: true}, {Err: syscall.ENOSPC, Short: true, Forever: true},
	} {
		name := fmt.Sprintf("%v short=%t forever=%t", fault.Err, fault.Short, fault.Forever)
		t.Run(name, func(t *testing.T) {
			failed := 0
			for seed := range uint64(3) {
				for at, more := 1, true; more && !t.Failed(); at++ {
					fault.At = at
					synctest.Test(t, func(t *testing.T) {
						defer func() {
							if t.Failed() {
								t.Logf("seed %d, operation %d failed", seed, at)
							}
						}()
						var hurt bool
						more, hurt = newWorld(t, seed, Policy{}).suffer(fault)
						if hurt {
							failed++
						}
					})
				}
			}
			t.Logf("%d operations mattered", failed)
			if failed < 20 {
				t.Error("too few operations for a test of anything")
			}
		})
	}
}

// suffer runs a process with a fault, then one without. It reports whether the fault came to
// pass, and whether anybody noticed.
func (w *world) suffer(fault faultfs.Fault) (came, hurt bool) {
	w.fs.Inject(fault)
	p, err := w.start()
	if err != nil { // the server says why and exits
		w.settle()
		return true, true
	}
	for range 8 {
		answered := len(w.acked)
		w.push(p)
		refused := int(w.sent) > len(w.acked)
		hurt = hurt || refused || p.consumer.Failed() > 0
		broken := p.queue.Err() != nil || p.consumer.Err() != nil
		if len(w.acked) == answered && !broken {
			w.t.Error("samples are refused, and health does not tell")
		}
		w.pause()
	}
	came = w.fs.Operations() >= fault.At
	mended := false
	if fault.Forever && came {
		before := len(w.acked)
		w.push(p)
		if len(w.acked) > before {
			w.t.Error("answered, although nothing can be written")
		}
		if p.queue.Err() == nil && p.consumer.Err() == nil {
			w.t.Error("nothing can be written, and health does not tell")
		}
		hurt = true
		mended = w.rng.IntN(2) == 0
	}
	if fault.Forever && came && !mended {
		p.kill()
	} else {
		w.fs.Inject(faultfs.Fault{}) // or else it may come only now
		w.recovers(p)
		p.drain(w.t)
	}
	if w.rng.IntN(2) == 0 {
		w.fs = w.fs.Crash(w.rng)
	}
	w.lives = append(w.lives, life{ended: time.Now()})
	w.settle()
	return came, hurt
}

// failing lets the process try again, and tells whether it still fails.
func (w *world) failing(p *process) bool {
	time.Sleep(3 * time.Second)
	synctest.Wait()
	return p.queue.Err() != nil || p.consumer.Err() != nil
}

// recovers checks that samples are taken again.
func (w *world) recovers(p *process) {
	if w.failing(p) {
		w.t.Errorf("does not recover: queue %v, consumer %v", p.queue.Err(), p.consumer.Err())
	}
	before := len(w.acked)
	w.push(p)
	if len(w.acked) == before {
		w.t.Errorf("nothing is taken after the fault: queue %v, consumer %v", p.queue.Err(), p.consumer.Err())
	}
}
