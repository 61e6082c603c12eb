package volume

import (
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Op is a kind of operation that can be made to fail.
type Op string

// The operations.
const (
	Sync   Op = "sync"   // of a file or a directory
	Write  Op = "write"  // of bytes
	Change Op = "change" // of names and sizes
)

// Fault is what goes wrong. The zero value is nothing.
type Fault struct {
	Op    Op
	Err   syscall.Errno // 0 only delays
	After int           // so many operations of the kind do not fail
	Held  bool          // all of them fail from then on, not one
	Short bool          // the first write does half of its work, and the next one fails as well
	Delay time.Duration // each operation takes longer by so much
}

// Volume is a file system in memory. Create it with New or Cut.
type Volume struct {
	mu     sync.Mutex
	root   *node
	inodes uint64
	off    bool
	pace   time.Duration // of every sync
	rng    *rand.Rand    // decides what a failed sync has written
	fault  Fault
	seen   int // operations of the fault's kind
	hits   int // of them, touched
}

// node is a file or a directory.
type node struct {
	ino  uint64
	name string // under which it was made
	dir  bool

	// Of a file: what is seen, what is on the disk, and what makes the one of the other.
	data, disk []byte
	changes    []change

	// The same of a directory.
	names, diskNames map[string]*node
	moves            []move
}

// change is a write, or a new size if data is nil.
type change struct {
	at   int64 // offset, or the size
	data []byte
	when time.Time
}

// move gives names to files: From loses its own, To gets it. Both happen or neither.
type move struct {
	from, to string // empty for none
	node     *node
}

// New returns an empty volume.
func New(seed uint64) *Volume {
	v := &Volume{rng: rand.New(rand.NewPCG(seed, 0x766f6c75))}
	v.root = v.node("", true)
	return v
}

func (v *Volume) node(name string, dir bool) *node {
	v.inodes++
	n := &node{ino: v.inodes, name: name, dir: dir}
	if dir {
		n.names, n.diskNames = map[string]*node{}, map[string]*node{}
	}
	return n
}

// SetPace makes every sync take so long, as that of a disk does.
func (v *Volume) SetPace(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pace = d
}

// Inject plans a fault in place of the last one and returns how often that one came.
func (v *Volume) Inject(f Fault) (hits int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	hits = v.hits
	v.fault, v.seen, v.hits = f, 0, 0
	return hits
}

// step says what goes wrong with an operation, and whether it does half of its work all
// the same. The caller does not hold mu.
func (v *Volume) step(op Op) (errno syscall.Errno, half bool) {
	v.mu.Lock()
	if v.off {
		v.mu.Unlock()
		return syscall.EIO, false
	}
	f, pause := v.fault, time.Duration(0)
	if op == Sync {
		pause = v.pace
	}
	if f.Op == op {
		v.seen++
		last := f.After + 1
		if f.Short {
			last++
		}
		if v.seen > f.After && (f.Held || v.seen <= last) {
			v.hits++
			errno, half, pause = f.Err, f.Short && v.hits == 1, pause+f.Delay
		}
	}
	v.mu.Unlock()
	time.Sleep(pause)
	return errno, half
}

// write puts bytes into a file and returns how many.
func (v *Volume) write(n *node, data []byte, at int64) (int, syscall.Errno) {
	errno, half := v.step(Write)
	if half && len(data) > 1 {
		data, errno = data[:len(data)/2], 0 // the rest gets the error
	}
	if errno != 0 {
		return 0, errno
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.off {
		return 0, syscall.EIO
	}
	v.put(n, change{at: at, data: slices.Clone(data)})
	return len(data), 0
}

// resize cuts or lengthens a file.
func (v *Volume) resize(n *node, size int64) syscall.Errno {
	if errno, _ := v.step(Change); errno != 0 {
		return errno
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.off {
		return syscall.EIO
	}
	v.put(n, change{at: size})
	return 0
}

// put makes a change. The caller holds mu.
func (v *Volume) put(n *node, c change) {
	c.when = time.Now()
	n.data = c.apply(n.data)
	n.changes = append(n.changes, c)
}

func (c change) apply(image []byte) []byte {
	if c.data == nil {
		return sized(image, c.at)
	}
	if end := c.at + int64(len(c.data)); end > int64(len(image)) {
		image = sized(image, end)
	}
	copy(image[c.at:], c.data)
	return image
}

// sized makes an image so long; what is new is zero.
func sized(image []byte, size int64) []byte {
	if size <= int64(len(image)) {
		clear(image[size:])
		return image[:size]
	}
	return append(image, make([]byte, size-int64(len(image)))...)
}

// read copies bytes of a file.
func (v *Volume) read(n *node, to []byte, at int64) (int, syscall.Errno) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.off {
		return 0, syscall.EIO
	}
	if at >= int64(len(n.data)) {
		return 0, 0
	}
	return copy(to, n.data[at:]), 0
}

// sync puts a file or a directory on the disk.
func (v *Volume) sync(n *node) syscall.Errno {
	errno, _ := v.step(Sync)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.off:
		return syscall.EIO
	case errno != 0: // a part was written, and the rest is forgotten
		n.survive(luck{rng: v.rng, keep: 0.5})
	default:
		for _, c := range n.changes {
			n.disk = c.apply(n.disk)
		}
		for _, m := range n.moves {
			m.apply(n.diskNames)
		}
	}
	n.changes, n.moves = nil, nil
	return errno
}

func (m move) apply(names map[string]*node) {
	if m.from != "" && names[m.from] == m.node {
		delete(names, m.from)
	}
	if m.to != "" {
		names[m.to] = m.node
	}
}

// lookup finds a name in a directory.
func (v *Volume) lookup(dir *node, name string) *node {
	v.mu.Lock()
	defer v.mu.Unlock()
	return dir.names[name]
}

// create makes a file or a directory, or returns the one that is there.
func (v *Volume) create(dir *node, name string, isDir, exclusive bool) (*node, syscall.Errno) {
	if errno, _ := v.step(Change); errno != 0 {
		return nil, errno
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.off {
		return nil, syscall.EIO
	}
	if n := dir.names[name]; n != nil {
		if exclusive || isDir {
			return nil, syscall.EEXIST
		}
		return n, 0
	}
	n := v.node(name, isDir)
	v.move(dir, move{to: name, node: n})
	return n, 0
}

func (v *Volume) move(dir *node, m move) {
	m.apply(dir.names)
	dir.moves = append(dir.moves, m)
}

// remove takes a name away.
func (v *Volume) remove(dir *node, name string, isDir bool) syscall.Errno {
	if errno, _ := v.step(Change); errno != 0 {
		return errno
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	n := dir.names[name]
	switch {
	case v.off:
		return syscall.EIO
	case n == nil:
		return syscall.ENOENT
	case n.dir != isDir:
		return syscall.ENOTDIR
	case len(n.names) > 0:
		return syscall.ENOTEMPTY
	}
	v.move(dir, move{from: name, node: n})
	return 0
}

// rename gives a file another name in its directory; into another one is EXDEV.
func (v *Volume) rename(dir *node, from string, into *node, to string) syscall.Errno {
	if errno, _ := v.step(Change); errno != 0 {
		return errno
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	n := dir.names[from]
	switch {
	case v.off:
		return syscall.EIO
	case n == nil:
		return syscall.ENOENT
	case dir != into:
		return syscall.EXDEV
	}
	v.move(dir, move{from: from, to: to, node: n})
	return 0
}
