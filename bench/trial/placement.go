package trial

import (
	"fmt"
	"runtime"
	"sync"
)

// Placement says on which cores what runs.
type Placement struct {
	// Server and Generator are one core each when Pinned.
	Server    []int `json:"server"`
	Generator []int `json:"generator"`
	// All are the cores that this process was given.
	All    []int `json:"all"`
	Pinned bool  `json:"pinned"`
	// Why explains the choice in words for the conditions.
	Why string `json:"why"`
}

// PlanPlacement chooses cores from those this process may use. The generator
// gets the first, which usually also serves interrupts; the server the last.
func PlanPlacement() Placement {
	cores, err := affinity()
	switch {
	case err != nil:
		return Placement{Why: fmt.Sprintf("not pinned: %v", err)}
	case len(cores) < 2:
		return Placement{All: cores, Why: "not pinned: one core only, server and generator compete for it"}
	}
	first, last := cores[0], cores[len(cores)-1]
	return Placement{
		Server: []int{last}, Generator: []int{first}, All: cores, Pinned: true,
		Why: fmt.Sprintf("server on core %d, generator and bench on core %d, query servers on all cores", last, first),
	}
}

// Adopt moves every thread of this process to the generator's core, so that
// bench's own work does not disturb the server. Without pinning it does nothing.
func (p Placement) Adopt() error {
	if !p.Pinned {
		return nil
	}
	if err := moveProcess(p.Generator); err != nil {
		return fmt.Errorf("move bench to the generator's core: %w", err)
	}
	return nil
}

// start calls start on a thread of its own that is bound to cores, for the child that
// start creates to inherit, and then attend, which must last as long as the child. The
// goroutine belongs to group.
//
// The thread is nobody else's and ends with the goroutine: the kernel takes the end
// of the thread that started a child for the death of its parent.
func (p Placement) start(group *sync.WaitGroup, cores []int, start func() error, attend func()) error {
	started := make(chan error, 1)
	group.Go(func() {
		runtime.LockOSThread()
		err := p.bind(cores)
		if err == nil {
			err = start()
		}
		started <- err
		if err == nil {
			attend()
		}
	})
	return <-started
}

// bind moves the calling thread.
func (p Placement) bind(cores []int) error {
	if !p.Pinned || len(cores) == 0 {
		return nil
	}
	if err := moveThread(cores); err != nil {
		return fmt.Errorf("bind thread to cores %v: %w", cores, err)
	}
	return nil
}
