package sample

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Bounds of one table of an Interner. Above either, a new text takes the place of others
// that were there, whatever those were; a text without a place costs an allocation each time
// it comes, and nothing else.
const (
	firstSlots  = 1 << 10
	mostSlots   = 1 << 18
	mostText    = 32 << 20 // bytes
	longestText = 1 << 10  // longer ones are not remembered
	window      = 8        // slots in which a text may stand: a cache line of pointers
	mostCleared = 256      // slots that are looked at to make room for one text
)

// Interner remembers names and labels, so that the same text is one string in memory
// however often it is sent. Decoders may share one: it is safe for concurrent use, and
// looking something up takes no lock. Its memory is bounded by some 260,000 names and
// 32 MiB, and the same for labels.
type Interner struct{ names, labels table }

// NewInterner returns an empty one.
func NewInterner() *Interner {
	in := new(Interner)
	for _, t := range []*table{&in.names, &in.labels} {
		t.seed = maphash.MakeSeed()
		slots := make([]atomic.Pointer[entry], firstSlots)
		t.slots.Store(&slots)
	}
	return in
}

// table maps what was sent to a string that holds what it means.
type table struct {
	seed  maphash.Seed
	slots atomic.Pointer[[]atomic.Pointer[entry]] // a power of two of them

	count atomic.Int64
	bytes atomic.Int64
	hand  atomic.Uint32 // the slot at which making room went on
	grow  sync.Mutex
}

type entry struct {
	hash       uint64
	sent, text string
}

// size is that of its text, which is there once if it was sent as it is kept.
func (e *entry) size() int64 {
	if unsafe.StringData(e.sent) == unsafe.StringData(e.text) {
		return int64(len(e.text))
	}
	return int64(len(e.sent) + len(e.text))
}

func (t *table) hash(sent []byte) uint64 { return maphash.Bytes(t.seed, sent) }

// place returns the i-th slot to look at for a hash. All are in one window; each text has
// its own first, where it mostly is. To look at another's entry costs a cache miss.
func place(hash uint64, i, slots int) int {
	start := int(hash) & (slots - 1)
	return start&^(window-1) | (start+i)&(window-1)
}

// find looks a text up.
func (t *table) find(hash uint64, sent []byte) (string, bool) {
	slots := *t.slots.Load()
	for i := range window {
		e := slots[place(hash, i, len(slots))].Load()
		if e == nil {
			continue // eviction leaves gaps
		}
		if e.hash == hash && e.sent == string(sent) {
			return e.text, true
		}
	}
	return "", false
}

// add remembers a text, if there is room. Two that add the same at once leave it twice.
func (t *table) add(e *entry) {
	if len(e.sent) > longestText || len(e.text) > longestText {
		return
	}
	if slots := len(*t.slots.Load()); slots < mostSlots && t.count.Load() > int64(slots/2) {
		t.enlarge()
	}
	slots := *t.slots.Load()
	if !t.makeRoom(slots, e.size()) {
		return
	}
	slot := &slots[place(e.hash, 0, len(slots))]
	for i := range window {
		if free := &slots[place(e.hash, i, len(slots))]; free.Load() == nil {
			slot = free
			break
		}
	}
	t.replace(slot, e)
}

// makeRoom takes texts out, one slot after another in turn, until so many bytes fit. It
// gives up where few slots are in use; the next text goes on from there.
func (t *table) makeRoom(slots []atomic.Pointer[entry], need int64) bool {
	for range mostCleared {
		if t.bytes.Load()+need <= mostText {
			return true
		}
		slot := &slots[int(t.hand.Add(1))&(len(slots)-1)]
		if slot.Load() != nil {
			t.replace(slot, nil)
		}
	}
	return t.bytes.Load()+need <= mostText
}

func (t *table) replace(slot *atomic.Pointer[entry], e *entry) {
	if e != nil {
		t.count.Add(1)
		t.bytes.Add(e.size())
	}
	if old := slot.Swap(e); old != nil {
		t.count.Add(-1)
		t.bytes.Add(-old.size())
	}
}

// enlarge moves everything to a table of four times the size. What is added meanwhile is
// forgotten, and added again when it comes again.
func (t *table) enlarge() {
	if !t.grow.TryLock() {
		return // another one does
	}
	defer t.grow.Unlock()
	old := *t.slots.Load()
	if len(old) >= mostSlots || t.count.Load() <= int64(len(old)/2) {
		return
	}
	slots := make([]atomic.Pointer[entry], 4*len(old))
	var count, bytes int64
	for i := range old {
		e := old[i].Load()
		if e == nil {
			continue
		}
		for j := range window {
			if free := &slots[place(e.hash, j, len(slots))]; free.Load() == nil {
				free.Store(e)
				count++
				bytes += e.size()
				break
			}
		}
	}
	t.slots.Store(&slots)
	t.count.Store(count)
	t.bytes.Store(bytes)
}
