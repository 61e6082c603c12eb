package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"

	"phase0/bench/trial"
	"phase0/scripts/powerloss/volume"
)

// stage puts the trial's directory on a volume.
type stage struct {
	trial.Calm
	seed    uint64
	volume  *volume.Volume
	mounted *volume.Mounted
	dir     string
}

// Prepare implements trial.Fault.
func (s *stage) Prepare(dir string) ([]string, error) {
	s.dir = dir
	return nil, s.show(volume.New(s.seed))
}

func (s *stage) show(v *volume.Volume) (err error) {
	s.volume = v
	s.mounted, err = volume.Mount(v, s.dir)
	return err
}

// Close implements trial.Fault.
func (s *stage) Close() error {
	if s.mounted == nil {
		return nil
	}
	err := s.mounted.Unmount()
	s.mounted = nil
	return err
}

// powerCut drops what was not synced. One sync may have failed before.
type powerCut struct {
	stage
	failing  bool
	interval time.Duration // above 0: the log may lack what is not older than this
	cut      volume.Cut
	next     *volume.Volume
	oldest   time.Duration // change of the log that had not been synced
	failed   int
}

const (
	powerStream = 0x706f776572
	// mostSyncs is up to how many syncs come before the one that fails.
	mostSyncs = 200
	// syncPace is about what a sync of a disk takes: what is done before its end is seen.
	syncPace = 2 * time.Millisecond
	// intervalSlack is what a timer and the sync that it begins may take on a busy machine.
	intervalSlack = 50 * time.Millisecond
)

// Prepare implements trial.Fault.
func (f *powerCut) Prepare(dir string) ([]string, error) {
	args, err := f.stage.Prepare(dir)
	f.volume.SetPace(syncPace)
	if err == nil && f.failing {
		rng := rand.New(rand.NewPCG(f.seed, powerStream))
		f.volume.Inject(volume.Fault{Op: volume.Sync, Err: syscall.EIO, After: 16 + rng.IntN(mostSyncs)}) // the first ones open the log and the outbox
	}
	return args, err
}

// Strike implements trial.Fault.
func (f *powerCut) Strike(context.Context, trial.Victim) error {
	f.next, f.cut = f.volume.Cut(f.seed)
	f.failed = f.volume.Inject(volume.Fault{})
	for name, age := range f.cut.Oldest {
		if strings.HasSuffix(name, ".wal") {
			f.oldest = max(f.oldest, age)
		}
	}
	return nil
}

// Heal implements trial.Fault: the power is back, and no process has a file open.
func (f *powerCut) Heal(context.Context, trial.Victim) error {
	if err := f.Close(); err != nil {
		return err
	}
	return f.show(f.next)
}

// Seen implements trial.Fault.
func (f *powerCut) Seen(context.Context, trial.Victim) (string, []string, error) {
	switch all := f.cut.Changes + f.cut.Moves; {
	case all == 0:
		return "", nil, errors.New("everything was synced at that moment")
	case f.failing && f.failed == 0:
		return "", nil, errors.New("the power was cut before a sync failed")
	}
	var broken []string
	if limit := f.interval + intervalSlack; f.interval > 0 && f.oldest > limit {
		broken = append(broken, fmt.Sprintf("the log had not been synced for %v", f.oldest))
	}
	return fmt.Sprintf("%d changes and %d names not synced, %d kept whole, %d failed syncs", f.cut.Changes, f.cut.Moves, f.cut.Kept, f.failed), broken, nil
}

// failing lets operations of the volume fail while the fault lasts.
type failing struct {
	stage
	fault volume.Fault
	hits  int
}

// mostAfter is up to how many operations do not fail before the one that does.
const mostAfter = 40

// Strike implements trial.Fault.
func (f *failing) Strike(context.Context, trial.Victim) error {
	if !f.fault.Held {
		f.fault.After = rand.New(rand.NewPCG(f.seed, powerStream)).IntN(mostAfter)
	}
	f.volume.Inject(f.fault)
	return nil
}

// Heal implements trial.Fault.
func (f *failing) Heal(context.Context, trial.Victim) error {
	if f.volume != nil {
		f.hits = f.volume.Inject(volume.Fault{})
	}
	return nil
}

// Seen implements trial.Fault.
func (f *failing) Seen(context.Context, trial.Victim) (string, []string, error) {
	if f.hits == 0 {
		return "", nil, errors.New("no operation was touched")
	}
	return fmt.Sprintf("%d operations", f.hits), nil, nil
}
