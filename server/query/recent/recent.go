// Package recent remembers what was looked up of late, in bounded memory, and forgets
// gently: there are two generations, and when the younger one is full it takes the place
// of the older, whose texts are lost unless they were asked for meanwhile. A table that is
// emptied when it is full finds nothing any more as soon as one text too many comes round
// again and again; this one finds fewer the more there are.
package recent

import "cmp"

// GenerationBytes bounds what a generation takes, an entry's own memory included, unless
// the Map says otherwise.
const GenerationBytes = 512 << 10

const (
	entryBytes = 64
	// longest is the longest text that is kept: a few of them must not push out all others.
	longest = GenerationBytes / 16
)

// Map holds values by text. The zero value is empty. It belongs to one goroutine.
type Map[V any] struct {
	// Bytes bounds a generation; 0 is GenerationBytes.
	Bytes int

	young, old map[string]V
	bytes      int // of young
}

// Get returns what was put with text.
func (m *Map[V]) Get(text string) (v V, ok bool) {
	if v, ok = m.young[text]; ok {
		return v, true
	}
	if v, ok = m.old[text]; ok {
		m.Put(text, v)
	}
	return v, ok
}

// GetBytes is Get. It allocates only when it brings a text over from the older generation.
func (m *Map[V]) GetBytes(text []byte) (v V, ok bool) {
	if v, ok = m.young[string(text)]; ok {
		return v, true
	}
	if v, ok = m.old[string(text)]; ok {
		m.Put(string(text), v)
	}
	return v, ok
}

// Put remembers v, which Get did not know or has just returned.
func (m *Map[V]) Put(text string, v V) {
	if len(text) > longest {
		return
	}
	if m.bytes += len(text) + entryBytes; m.bytes > cmp.Or(m.Bytes, GenerationBytes) || m.young == nil {
		m.young, m.old = m.old, m.young
		if m.young == nil {
			m.young = make(map[string]V)
		}
		clear(m.young)
		m.bytes = len(text) + entryBytes
	}
	m.young[text] = v
}
