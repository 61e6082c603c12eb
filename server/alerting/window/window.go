// Package window holds the newest samples of one series and what they amount to. A Window
// keeps them in the order of their time, whatever the order in which they come; a View of it
// is a range (t − width, t] that moves with the clock, with what rules ask of it.
//
// No aggregate ever subtracts, so nothing of a value is left when its sample is: the sums
// are those of a queue made of two stacks, in which a sample that comes or leaves costs the
// same however wide the range is. One that comes late costs a step for each stretch of
// samples between it and its place.
//
// Times are Unix milliseconds and never go back. Nothing here is safe for concurrent use.
package window

import (
	"slices"
	"sort"

	"phase0/server/alerting/rule"
)

// stretch is how many samples lie together. Twice as many split into two.
const stretch = 32

type point struct {
	time  int64
	value float64
}

type chunk struct {
	points []point
	whole  cell // of all points; of none when it must be computed again
}

// position of a sample: chunks are numbered from the oldest that ever was.
type position struct{ chunk, at int }

func (p position) before(q position) bool {
	return p.chunk < q.chunk || p.chunk == q.chunk && p.at < q.at
}

// Budget bounds the samples of all windows that share it.
type Budget struct {
	// Left is how many more may be kept.
	Left int
	// Dropped counts samples that left before their time, for want of room.
	Dropped uint64
}

// Window keeps the samples of a series. Create it with New and add views before samples.
type Window struct {
	chunks  []*chunk
	first   int // number of chunks[0]
	size    int
	views   []*View
	longest int64
	now     int64
	budget  *Budget
}

// New returns an empty window.
func New(budget *Budget) *Window { return &Window{budget: budget} }

// View returns the view of a width in milliseconds, ready to be asked for f, and whether it
// is there already. Views are added before the first sample.
func (w *Window) View(width int64, f rule.Func) *View {
	i := slices.IndexFunc(w.views, func(v *View) bool { return v.width == width })
	if i < 0 {
		i = len(w.views)
		w.views = append(w.views, &View{window: w, width: width})
		w.longest = max(w.longest, width)
	}
	w.views[i].need(f)
	return w.views[i]
}

// Len returns how many samples are kept, those of the future included.
func (w *Window) Len() int { return w.size }

// Add takes a sample. One that is too old for every view is left out.
func (w *Window) Add(time int64, value float64) {
	if time <= w.now-w.longest {
		return
	}
	for w.budget.Left <= 0 {
		if !w.makeRoom(time) {
			w.budget.Dropped++
			return
		}
	}
	w.budget.Left--
	w.size++
	if w.append(time, value) {
		return
	}
	p := w.place(time)
	c := w.at(p)
	c.points = slices.Insert(c.points, p.at, point{time, value})
	c.whole = cell{}
	for _, v := range w.views {
		v.inserted(p, value)
	}
	if len(c.points) == 2*stretch {
		w.split(p.chunk)
	}
}

// append adds what is not older than everything else. That changes no position.
func (w *Window) append(time int64, value float64) bool {
	last := len(w.chunks) - 1
	if last >= 0 {
		c := w.chunks[last]
		if time < c.points[len(c.points)-1].time {
			return false
		}
		if len(c.points) < stretch {
			c.points = append(c.points, point{time, value})
			c.whole = cell{}
			return true
		}
	}
	w.chunks = append(w.chunks, &chunk{points: append(make([]point, 0, 4), point{time, value})})
	return true
}

// place returns where a sample belongs: behind all that are not younger.
func (w *Window) place(time int64) position {
	i := sort.Search(len(w.chunks), func(i int) bool { return w.chunks[i].points[0].time > time })
	i = max(i-1, 0)
	points := w.chunks[i].points
	return w.settle(position{w.first + i, sort.Search(len(points), func(j int) bool { return points[j].time > time })})
}

func (w *Window) split(number int) {
	i := number - w.first
	c := w.chunks[i]
	w.chunks = slices.Insert(w.chunks, i+1, &chunk{points: slices.Clone(c.points[stretch:])})
	c.points = slices.Clip(c.points[:stretch])
	for _, v := range w.views {
		v.split(number)
	}
}

func (w *Window) at(p position) *chunk { return w.chunks[p.chunk-w.first] }

func (w *Window) point(p position) point { return w.at(p).points[p.at] }

// end is where the next sample in the order of time would stand.
func (w *Window) end() position {
	if len(w.chunks) == 0 {
		return position{w.first, 0}
	}
	last := len(w.chunks) - 1
	return position{w.first + last, len(w.chunks[last].points)}
}

// settle gives the end of a chunk the name of the beginning of the next one, if there is
// one.
func (w *Window) settle(p position) position {
	i := p.chunk - w.first
	switch {
	case i < 0: // what it was the place of is forgotten
		return position{w.first, 0}
	case i+1 < len(w.chunks) && p.at == len(w.chunks[i].points):
		return position{p.chunk + 1, 0}
	}
	return p
}

// Advance moves all views to (now − width, now].
func (w *Window) Advance(now int64) {
	w.now = now
	end := w.end()
	oldest := end.chunk
	for _, v := range w.views {
		v.advance(now, end)
		oldest = min(oldest, v.low.chunk)
	}
	w.forget(oldest)
}

// forget drops the chunks before the one of that number.
func (w *Window) forget(oldest int) {
	n := oldest - w.first
	if n <= 0 {
		return
	}
	for _, c := range w.chunks[:n] {
		w.size -= len(c.points)
		w.budget.Left += len(c.points)
	}
	w.chunks = slices.Delete(w.chunks, 0, n)
	w.first = oldest
}

// Clear drops everything, to be called when the window is not used any more.
func (w *Window) Clear() {
	w.budget.Left += w.size
	w.chunks, w.size = nil, 0
}

// makeRoom drops the oldest samples, unless the one to come is older.
func (w *Window) makeRoom(time int64) bool {
	if len(w.chunks) < 2 || w.chunks[1].points[0].time > time {
		return false
	}
	w.budget.Dropped += uint64(len(w.chunks[0].points))
	next := position{w.first + 1, 0}
	for _, v := range w.views {
		v.skip(next)
	}
	w.forget(next.chunk)
	return true
}

// Never is the time of what does not happen.
const Never = int64(1<<63 - 1)

// Next returns when the samples of some view change with time alone.
func (w *Window) Next() int64 {
	next := Never
	end := w.end()
	for _, v := range w.views {
		if v.low.before(v.high) {
			next = min(next, w.point(v.low).time+v.width)
		}
		if v.high.before(end) {
			next = min(next, w.point(w.settle(v.high)).time)
		}
	}
	return next
}
