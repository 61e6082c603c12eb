package window

import "math/rand/v2"

// order is a set of values with repetitions, of which any rank is found: a treap, whose
// nodes lie in one slice. Values are removed as they were added, without any arithmetic on
// them, so nothing is left of a value that is gone.
type order struct {
	nodes []node // 0 stands for none
	root  int32
	free  int32 // the first of those that were removed, linked by left
}

type node struct {
	value       float64
	left, right int32
	size        int32 // of the tree below, with the repetitions
	times       int32 // how often the value stands here
	priority    uint32
}

func (o *order) add(v float64) {
	if len(o.nodes) == 0 {
		o.nodes = append(o.nodes, node{})
	}
	o.root = o.insert(o.root, v)
}

func (o *order) insert(at int32, v float64) int32 {
	if at == 0 {
		return o.fresh(v)
	}
	o.nodes[at].size++
	switch n := &o.nodes[at]; {
	case v < n.value:
		child := o.insert(n.left, v) // may move the nodes
		o.nodes[at].left = child
		if o.nodes[child].priority > o.nodes[at].priority {
			return o.rotateRight(at)
		}
	case v > n.value:
		child := o.insert(n.right, v)
		o.nodes[at].right = child
		if o.nodes[child].priority > o.nodes[at].priority {
			return o.rotateLeft(at)
		}
	default:
		n.times++
	}
	return at
}

func (o *order) fresh(v float64) int32 {
	n := node{value: v, size: 1, times: 1, priority: rand.Uint32()}
	if at := o.free; at != 0 {
		o.free = o.nodes[at].left
		o.nodes[at] = n
		return at
	}
	o.nodes = append(o.nodes, n)
	return int32(len(o.nodes) - 1)
}

func (o *order) resize(at int32) {
	n := &o.nodes[at]
	n.size = n.times + o.nodes[n.left].size + o.nodes[n.right].size
}

func (o *order) rotateRight(at int32) int32 {
	up := o.nodes[at].left
	o.nodes[at].left, o.nodes[up].right = o.nodes[up].right, at
	o.resize(at)
	o.resize(up)
	return up
}

func (o *order) rotateLeft(at int32) int32 {
	up := o.nodes[at].right
	o.nodes[at].right, o.nodes[up].left = o.nodes[up].left, at
	o.resize(at)
	o.resize(up)
	return up
}

// remove takes away one v, which is there.
func (o *order) remove(v float64) { o.root = o.delete(o.root, v) }

func (o *order) delete(at int32, v float64) int32 {
	n := &o.nodes[at]
	switch {
	case v < n.value:
		n.left = o.delete(n.left, v)
	case v > n.value:
		n.right = o.delete(n.right, v)
	case n.times > 1:
		n.times--
	default:
		return o.unlink(at)
	}
	n.size--
	return at
}

// unlink takes a node out and returns what stands in its place.
func (o *order) unlink(at int32) int32 {
	n := o.nodes[at]
	var top int32
	switch {
	case n.left == 0 || n.right == 0:
		o.nodes[at] = node{left: o.free}
		o.free = at
		return n.left | n.right // at most one of them is there
	case o.nodes[n.left].priority > o.nodes[n.right].priority:
		top = o.rotateRight(at)
		o.nodes[top].right = o.unlink(at)
	default:
		top = o.rotateLeft(at)
		o.nodes[top].left = o.unlink(at)
	}
	o.resize(top)
	return top
}

// rank returns the r-th smallest value, from 1; there are as many.
func (o *order) rank(r int32) float64 {
	at := o.root
	for {
		n := &o.nodes[at]
		below := o.nodes[n.left].size
		switch {
		case r <= below:
			at = n.left
		case r <= below+n.times:
			return n.value
		default:
			r -= below + n.times
			at = n.right
		}
	}
}
