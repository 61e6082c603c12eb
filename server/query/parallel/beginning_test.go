package parallel

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"phase0/server/query/scan"
)

// The beginning of a file, up to the end of some line, answers as if nothing stood behind it,
// whatever the index knows of the rest.
func TestBeginningOfAFile(t *testing.T) {
	seed := rand.Uint64()
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	path, cut := filepath.Join(t.TempDir(), "m.jsonl"), filepath.Join(t.TempDir(), "cut.jsonl")
	text := g.file(4 * BlockBytes)
	appendTo(t, path, text)
	e := New(fileStore(path))
	for range 40 {
		from := g.IntN(len(text) / 2)
		end := from + bytes.IndexByte(text[from:], '\n')
		if g.IntN(4) == 0 { // close to the end of a block
			end = bytes.LastIndexByte(text[:(1+g.IntN(3))*BlockBytes+g.IntN(100)], '\n')
		}
		sel := g.selector()
		sel.Bytes = int64(end) + 1
		if err := os.WriteFile(cut, text[:sel.Bytes], 0o600); err != nil {
			t.Fatal(err)
		}
		within := sel
		within.Bytes = 0
		want, cost := rows(t, scan.New(fileStore(cut)), within)
		got, stats := rows(t, e, sel)
		scanned, scanCost := rows(t, scan.New(fileStore(path)), sel)
		if !slices.EqualFunc(got, want, same) || !slices.EqualFunc(scanned, want, same) {
			t.Fatalf("seed %d, %+v: parallel finds %d samples, scan %d, want %d", seed, sel, len(got), len(scanned), len(want))
		}
		if scanCost != cost || stats.Skipped != cost.Skipped {
			t.Fatalf("seed %d, %+v: parallel took %+v, scan %+v, want %+v", seed, sel, stats, scanCost, cost)
		}
	}
}
