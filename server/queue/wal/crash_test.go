package wal

import (
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"phase0/server/disk/faultfs"
)

// crashSeeds is how many histories each policy lives through. PHASE0_CRASH_SEEDS asks for
// another number, PHASE0_CRASH_SEED for one history, as a failure prints it.
const crashSeeds = 1000

// A process that is killed, or loses its power, at any operation of the disk, again and
// again: with -sync always nothing that was answered is lost, with interval nothing that
// was answered earlier, and nothing is ever stored twice.
func TestCrash(t *testing.T) {
	from, to := uint64(1), uint64(crashSeeds)
	if n, err := strconv.ParseUint(os.Getenv("PHASE0_CRASH_SEEDS"), 10, 64); err == nil {
		to = n
	}
	if n, err := strconv.ParseUint(os.Getenv("PHASE0_CRASH_SEED"), 10, 64); err == nil {
		from, to = n, n
	}
	for _, policy := range []Policy{{}, {Interval: 100 * time.Millisecond}, {None: true}} {
		t.Run(policy.String(), func(t *testing.T) {
			to := to
			if !policy.always() && os.Getenv("PHASE0_CRASH_SEEDS") == "" && from == 1 {
				to = crashSeeds / 4 // the promise is weaker, and so is the need of proof
			}
			for seed := from; seed <= to; seed++ {
				synctest.Test(t, func(t *testing.T) {
					defer func() {
						if t.Failed() {
							t.Logf("PHASE0_CRASH_SEED=%d go test -run 'TestCrash/%s' shows it again", seed, policy)
						}
					}()
					w := newWorld(t, seed, policy)
					for range 1 + w.rng.IntN(4) {
						w.live()
					}
					w.settle()
				})
			}
		})
	}
}

// live is a process that ends at some operation, or after a while.
func (w *world) live() {
	w.fs.Inject(faultfs.Fault{At: 1 + w.rng.IntN(400), Err: faultfs.ErrOff})
	p, err := w.start()
	if err != nil && !w.fs.Off() {
		w.t.Fatalf("start: %v", err)
	}
	for range w.rng.IntN(40) {
		if w.fs.Off() {
			break
		}
		w.push(p)
		if !w.fs.Off() {
			w.pause()
		}
	}
	ended := life{ended: w.fs.OffSince()}
	if ended.ended.IsZero() {
		ended.ended = time.Now()
	}
	switch {
	case p == nil:
	case !w.fs.Off() && w.rng.IntN(3) == 0:
		w.fs.Inject(faultfs.Fault{})
		p.drain(w.t)
	default:
		p.kill()
	}
	if ended.power = w.rng.IntN(2) == 0; ended.power {
		w.fs = w.fs.Crash(w.rng)
	} else {
		w.fs = w.fs.Restart()
	}
	w.lives = append(w.lives, ended)
}
