package wal

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"phase0/server/disk/faultfs"
)

// Going over records in order finds what looking at each of them does, whatever is in the
// log: records that are missing, come twice, or reach beyond what the next segment says.
func TestSkimFindsWhatNextDoes(t *testing.T) {
	tried, different := 0, map[string]bool{}
	judge := func(t *testing.T, fsys *faultfs.FS, start uint64) {
		segments, err := listSegments(fsys, Dir(data))
		if err != nil {
			t.Fatal(err)
		}
		for _, stored := range []uint64{start, start + 4, 100} {
			want, wantEnd := surveyByNext(t, newReader(fsys, Dir(data), segments, start), stored)
			for _, records := range []int{1, 2, 3, tellRecords} {
				got, end, err := survey(newReader(fsys, Dir(data), segments, start), stored, nil, records)
				if err != nil || got != want || end != wantEnd {
					t.Errorf("from %d on, %d stored, %d at a time: %+v up to %d, %v; each alone %+v up to %d", start, stored, records, got, end, err, want, wantEnd)
				}
			}
			tried++
			different[fmt.Sprint(want, wantEnd)] = true
		}
	}
	_, all := smallLog(t)
	for i, p := range all {
		end := (p.to + alignment - 1) &^ (alignment - 1)
		for name, edit := range map[string]func(text []byte) []byte{
			"removed": func(text []byte) []byte { return append(text[:p.from:p.from], text[end:]...) },
			"twice":   func(text []byte) []byte { return append(text[:end:end], text[p.from:]...) },
			"damaged": func(text []byte) []byte { text[p.to-1] ^= 1; return text },
		} {
			t.Run(fmt.Sprintf("record %d %s", i, name), func(t *testing.T) {
				fsys, _ := smallLog(t)
				fsys.Edit(p.path, edit)
				for start := range uint64(5) {
					judge(t, fsys, 5*start)
				}
			})
		}
	}
	for shift := -3; shift <= 3; shift++ {
		fsys, _ := smallLog(t)
		segments, err := listSegments(fsys, Dir(data))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range segments[1:] {
			t.Run(fmt.Sprintf("segment %d begins %d later", s.number, shift), func(t *testing.T) {
				fsys, _ := smallLog(t)
				fsys.Edit(segmentPath(Dir(data), s.number), func(text []byte) []byte {
					header := segmentHeader{number: s.number, first: s.first + uint64(shift)}
					return append(header.appendTo(nil), text[segmentHeaderBytes:]...)
				})
				judge(t, fsys, 0)
			})
		}
	}
	if len(different) < 20 {
		t.Errorf("of %d logs only %d differ", tried, len(different))
	}
}

// surveyByNext is survey, a record and a sample at a time.
func surveyByNext(t *testing.T, r *reader, stored uint64) (found Recovery, end uint64) {
	t.Helper()
	for next := r.expected; ; next = r.expected {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for number := rec.first; number < rec.end(); number++ {
			switch {
			case number < stored:
			case rec.payload == nil:
				found.Lost++
			case number >= next:
				found.Samples++
			}
		}
	}
	found.Corrupt, found.Truncated, found.Segments = r.damage.Corrupt, r.damage.Truncated, len(r.segments)
	for _, s := range r.segments {
		found.Bytes += s.size
	}
	end = r.expected
	for ; end < stored; end++ {
		found.Behind++
	}
	return found, end
}
