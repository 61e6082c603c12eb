package volume

import (
	"math/rand/v2"
	"time"
)

// sectorBytes is what survives or not as one.
const sectorBytes = 512

// Cut says what a cut met.
type Cut struct {
	Changes int // writes and sizes that were not synced
	Moves   int // names
	Kept    int // of both, those of which nothing was dropped
	// Oldest is by file how long its oldest change had waited for a sync.
	Oldest map[string]time.Duration
}

// luck decides what survives.
type luck struct {
	rng     *rand.Rand
	keep    float64 // the share that does
	ordered bool    // the first changes do, and one of them in part
}

// Cut ends the volume and returns what is found when the power is back. Every operation
// on the old one fails from now on.
func (v *Volume) Cut(seed uint64) (*Volume, Cut) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.off = true
	rng := rand.New(rand.NewPCG(seed, 0x637574))
	l := luck{rng: rng, keep: []float64{0, 0.5, 1}[rng.IntN(3)], ordered: rng.IntN(2) == 0}
	after := New(seed + 1)
	c := cutter{luck: l, after: after, made: map[*node]*node{}, cut: Cut{Oldest: map[string]time.Duration{}}, now: time.Now()}
	c.fill(after.root, v.root)
	return after, c.cut
}

// cutter copies what survives.
type cutter struct {
	luck
	after *Volume
	made  map[*node]*node
	cut   Cut
	now   time.Time
}

// fill makes to what is left of from.
func (c *cutter) fill(to, from *node) {
	c.cut.Changes += len(from.changes)
	c.cut.Moves += len(from.moves)
	if len(from.changes) > 0 {
		c.cut.Oldest[from.name] = max(c.cut.Oldest[from.name], c.now.Sub(from.changes[0].when))
	}
	c.cut.Kept += from.survive(c.luck)
	to.data = append([]byte(nil), from.disk...)
	to.disk = append([]byte(nil), from.disk...)
	for name, n := range from.diskNames {
		if c.made[n] == nil {
			c.made[n] = c.after.node(n.name, n.dir)
			c.fill(c.made[n], n)
		}
		to.names[name], to.diskNames[name] = c.made[n], c.made[n]
	}
}

// survive puts a part of what was not synced on the disk, and returns the number of
// changes that are there as a whole.
func (n *node) survive(l luck) (kept int) {
	whole := l.rng.IntN(len(n.changes) + 1)
	for i, c := range n.changes {
		switch {
		case l.ordered && i < whole || l.keep == 1 && !l.ordered:
			n.disk = c.apply(n.disk)
			kept++
		case l.ordered && i > whole:
		default:
			n.tear(c, l)
		}
	}
	if l.rng.Float64() < l.keep && len(n.changes) > 0 { // the size for itself
		n.disk = sized(n.disk, int64(len(n.data)))
	}
	whole = l.rng.IntN(len(n.moves) + 1)
	for i, m := range n.moves {
		if l.ordered && i < whole || !l.ordered && l.rng.Float64() < l.keep {
			m.apply(n.diskNames)
			kept++
		}
	}
	return kept
}

// tear writes some sectors of a change: the first ones, or any.
func (n *node) tear(c change, l luck) {
	if c.data == nil {
		if l.rng.Float64() < l.keep {
			n.disk = c.apply(n.disk)
		}
		return
	}
	end := c.at + int64(len(c.data))
	until := c.at + l.rng.Int64N(int64(len(c.data))+1)
	for from := c.at; from < end; {
		to := min((from/sectorBytes+1)*sectorBytes, end)
		if l.ordered && to <= until || !l.ordered && l.rng.Float64() < l.keep {
			n.disk = change{at: from, data: c.data[from-c.at : to-c.at]}.apply(n.disk)
		}
		from = to
	}
}
