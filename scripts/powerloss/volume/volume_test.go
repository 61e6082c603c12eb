package volume

import (
	"bytes"
	"math/rand/v2"
	"syscall"
	"testing"
)

// made returns a file in a directory, both on the disk.
func made(t *testing.T, v *Volume, name string) *node {
	t.Helper()
	n, errno := v.create(v.root, name, false, true)
	if errno != 0 || v.sync(v.root) != 0 {
		t.Fatal(errno)
	}
	return n
}

func put(t *testing.T, v *Volume, n *node, text string, at int64) {
	t.Helper()
	if got, errno := v.write(n, []byte(text), at); errno != 0 || got != len(text) {
		t.Fatalf("wrote %d, %v", got, errno)
	}
}

func contents(v *Volume, name string) []byte {
	if n := v.lookup(v.root, name); n != nil {
		return n.data
	}
	return nil
}

// What was synced is there after every cut; what was not is there after some, and missing
// after others.
func TestCut(t *testing.T) {
	kept, dropped := 0, 0
	for seed := range uint64(200) {
		v := New(seed)
		n := made(t, v, "f")
		put(t, v, n, "synced.", 0)
		if errno := v.sync(n); errno != 0 {
			t.Fatal(errno)
		}
		put(t, v, n, "lost?", 7)
		after, cut := v.Cut(seed)
		got := contents(after, "f")
		if !bytes.HasPrefix(got, []byte("synced.")) {
			t.Fatalf("seed %d: %q", seed, got)
		}
		switch string(got) {
		case "synced.lost?":
			kept++
		case "synced.", "synced.\x00\x00\x00\x00\x00":
			dropped++
		default:
			t.Errorf("seed %d: %q", seed, got)
		}
		if cut.Changes != 1 || cut.Oldest["f"] <= 0 {
			t.Errorf("seed %d: %+v", seed, cut)
		}
		if _, errno := v.write(n, []byte("x"), 0); errno != syscall.EIO {
			t.Errorf("written without power: %v", errno)
		}
	}
	if kept < 20 || dropped < 20 {
		t.Errorf("%d times kept, %d times dropped", kept, dropped)
	}
}

// A name is there when its directory was synced, and otherwise by luck; a rename happens
// as a whole or not at all.
func TestNames(t *testing.T) {
	there, renamed, undone := 0, 0, 0
	for seed := range uint64(200) {
		v := New(seed)
		made(t, v, "old")
		made(t, v, "gone")
		if _, errno := v.create(v.root, "new", false, true); errno != 0 {
			t.Fatal(errno)
		}
		if errno := v.rename(v.root, "old", v.root, "other"); errno != 0 {
			t.Fatal(errno)
		}
		if errno := v.remove(v.root, "gone", false); errno != 0 {
			t.Fatal(errno)
		}
		after, cut := v.Cut(seed)
		if cut.Moves != 3 {
			t.Fatalf("%+v", cut)
		}
		names := after.root.names
		if (names["old"] == nil) == (names["other"] == nil) {
			t.Errorf("seed %d: after a rename %v", seed, names)
		}
		if names["new"] != nil {
			there++
		}
		if names["other"] != nil {
			renamed++
		}
		if names["gone"] != nil {
			undone++
		}
	}
	for what, n := range map[string]int{"there": there, "renamed": renamed, "undone": undone} {
		if n < 20 || n > 180 {
			t.Errorf("%s after %d of 200 cuts", what, n)
		}
	}
}

// A sync that fails writes a part, and the next one does not write the rest.
func TestFailedSync(t *testing.T) {
	missing := 0
	for seed := range uint64(100) {
		v := New(seed)
		n := made(t, v, "f")
		put(t, v, n, "first", 0)
		v.Inject(Fault{Op: Sync, Err: syscall.EIO})
		if errno := v.sync(n); errno != syscall.EIO {
			t.Fatal(errno)
		}
		if errno := v.sync(n); errno != 0 {
			t.Fatal(errno)
		}
		if string(n.data) != "first" {
			t.Fatalf("seen %q", n.data)
		}
		after, _ := v.Cut(seed)
		if string(contents(after, "f")) != "first" {
			missing++
		}
	}
	if missing < 10 || missing > 90 {
		t.Errorf("missing after %d of 100", missing)
	}
}

// Against a model: after a cut no byte is anything but zero, what was synced, or what was
// written since; and where nothing was written since, it is what was synced.
func TestCutInvents(t *testing.T) {
	const size, steps = 4096, 60
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		v := New(seed)
		n := made(t, v, "f")
		synced := make([]byte, size)
		possible := make([]map[byte]bool, size)
		put(t, v, n, string(synced), 0)
		_ = v.sync(n)
		for range steps {
			if rng.IntN(5) == 0 {
				if errno := v.sync(n); errno != 0 {
					t.Fatal(errno)
				}
				synced, possible = append([]byte(nil), n.data...), make([]map[byte]bool, size)
				continue
			}
			at := rng.IntN(size)
			text := bytes.Repeat([]byte{byte(1 + rng.IntN(250))}, 1+rng.IntN(size-at))
			put(t, v, n, string(text), int64(at))
			for i := range text {
				if possible[at+i] == nil {
					possible[at+i] = map[byte]bool{}
				}
				possible[at+i][text[i]] = true
			}
		}
		after, _ := v.Cut(seed)
		for i, b := range contents(after, "f") {
			if b != synced[i] && !possible[i][b] {
				t.Fatalf("seed %d: byte %d is %d", seed, i, b)
			}
		}
	}
}

func TestFaults(t *testing.T) {
	v := New(1)
	n := made(t, v, "f")
	v.Inject(Fault{Op: Write, Err: syscall.ENOSPC, After: 1, Short: true})
	put(t, v, n, "whole", 0)
	if got, errno := v.write(n, []byte("four"), 5); got != 2 || errno != 0 {
		t.Errorf("half of a write: %d, %v", got, errno)
	}
	if _, errno := v.write(n, []byte("ur"), 7); errno != syscall.ENOSPC {
		t.Errorf("its other half: %v", errno)
	}
	put(t, v, n, "rest", 7)
	if hits := v.Inject(Fault{Op: Write, Err: syscall.EIO, Held: true}); hits != 2 {
		t.Errorf("%d hits", hits)
	}
	for range 3 {
		if _, errno := v.write(n, []byte("x"), 0); errno != syscall.EIO {
			t.Errorf("error %v", errno)
		}
	}
	if errno := v.sync(n); errno != 0 {
		t.Errorf("another operation: %v", errno)
	}
	if hits := v.Inject(Fault{}); hits != 3 {
		t.Errorf("%d hits", hits)
	}
	if string(n.data) != "wholeforest" {
		t.Errorf("seen %q", n.data)
	}
}

func TestSizes(t *testing.T) {
	v := New(1)
	n := made(t, v, "f")
	put(t, v, n, "abcdef", 0)
	for _, size := range []int64{3, 6} {
		if errno := v.resize(n, size); errno != 0 {
			t.Fatal(errno)
		}
	}
	if string(n.data) != "abc\x00\x00\x00" {
		t.Errorf("%q", n.data)
	}
	to := make([]byte, 10)
	if got, errno := v.read(n, to, 2); errno != 0 || string(to[:got]) != "c\x00\x00\x00" {
		t.Errorf("read %q, %v", to[:got], errno)
	}
	if got, errno := v.read(n, to, 6); got != 0 || errno != 0 {
		t.Errorf("read %d behind the end, %v", got, errno)
	}
}
