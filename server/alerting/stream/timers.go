package stream

import "container/heap"

// timers holds the units that time alone will change, the next one first.
type timers []*unit

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].due < t[j].due }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].slot, t[j].slot = i, j
}

// Push implements heap.Interface.
func (t *timers) Push(x any) {
	u := x.(*unit)
	u.slot = len(*t)
	*t = append(*t, u)
}

// Pop implements heap.Interface.
func (t *timers) Pop() any {
	last := len(*t) - 1
	u := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	u.slot = -1
	return u
}

// arm sees to it that u is looked at when it is due, or sooner: a time that moves away
// stays, because moving it with each sample would cost more than looking once too often.
func (t *timers) arm(u *unit, due int64) {
	switch {
	case u.slot < 0 && due == never:
	case u.slot < 0:
		u.due = due
		heap.Push(t, u)
	case due < u.due:
		u.due = due
		heap.Fix(t, u.slot)
	}
}

func (t *timers) disarm(u *unit) {
	if u.slot >= 0 {
		heap.Remove(t, u.slot)
	}
}

// next returns when the first one is due.
func (t timers) next() int64 {
	if len(t) == 0 {
		return never
	}
	return t[0].due
}

// pop returns one that is due, nil if there is none.
func (t *timers) pop(now int64) *unit {
	if t.next() > now {
		return nil
	}
	return heap.Pop(t).(*unit)
}
