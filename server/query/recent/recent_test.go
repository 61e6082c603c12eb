package recent

import (
	"fmt"
	"strings"
	"testing"
)

// rounds looks n texts up in turn, again and again, and returns the share that was found
// in the later rounds, and what the map takes at most.
func rounds(n, length int) (found float64, bytes int) {
	var m Map[int]
	hits, asked := 0, 0
	texts := make([]string, n)
	for i := range texts {
		texts[i] = strings.Repeat("x", length-8) + fmt.Sprintf("%08d", i)
	}
	for round := range 6 {
		for i, text := range texts {
			v, ok := m.Get(text)
			if ok && v != i {
				panic(fmt.Sprint(text, " is ", v))
			}
			if !ok {
				m.Put(text, i)
			}
			if round > 1 {
				asked++
				hits += map[bool]int{true: 1}[ok]
			}
			bytes = max(bytes, (len(m.young)+len(m.old))*(length+entryBytes))
		}
	}
	return float64(hits) / float64(asked), bytes
}

// One text more than fits costs little; all are found that fit; memory stays bounded.
func TestForgetsGently(t *testing.T) {
	for _, length := range []int{36, 1000, longest} {
		fits := GenerationBytes / (length + entryBytes)
		for _, tc := range []struct {
			n     int
			least float64
		}{{1, 1}, {fits, 1}, {fits + 1, 0.9}, {fits + fits/10, 0.8}, {fits + fits/2, 0.4}, {3 * fits, 0}} {
			if length == longest {
				tc.least -= 0.2 // fifteen of them: one more is much
			}
			found, bytes := rounds(tc.n, length)
			if found < tc.least || bytes > 2*GenerationBytes {
				t.Errorf("%d texts of %d bytes, %d fit: %.3f are found, want %.3f; %d bytes", tc.n, length, fits, found, tc.least, bytes)
			}
		}
	}
	if found, _ := rounds(1, longest+1); found > 0 {
		t.Error("a text is kept that is too long")
	}
}

// Texts in bytes are the same texts.
func TestBytes(t *testing.T) {
	var m Map[string]
	m.Put("a", "1")
	for i := range 2 * GenerationBytes / 1000 {
		if v, ok := m.GetBytes([]byte("a")); v != "1" || !ok {
			t.Fatalf("after %d others: %q, %v", i, v, ok)
		}
		m.Put(strings.Repeat("x", 1000)+fmt.Sprint(i), "2")
	}
	if _, ok := m.GetBytes([]byte("b")); ok {
		t.Error("b is known")
	}
}

// A map may have other bounds.
func TestBytesOfAMap(t *testing.T) {
	m := Map[int]{Bytes: 10 * (entryBytes + 4)}
	for i := range 10 {
		m.Put(fmt.Sprintf("%04d", i), i)
	}
	if len(m.young) != 10 || len(m.old) != 0 {
		t.Errorf("%d and %d", len(m.young), len(m.old))
	}
	if m.Put("0010", 10); len(m.young) != 1 || len(m.old) != 10 {
		t.Errorf("%d and %d", len(m.young), len(m.old))
	}
}
