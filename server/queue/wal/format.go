package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"phase0/server/disk"
)

// FORMAT.md draws what is written and read here. All numbers are little endian.

const (
	segmentHeaderBytes = 32
	recordHeaderBytes  = 32
	alignment          = 8 // a record begins at a multiple of it
	slotBytes          = 64
	slotDistance       = 4096 // so that a torn write of one slot leaves the other alone
	cursorBytes        = 2 * slotDistance
	// maxPayload bounds what a length may ask a reader to hold.
	maxPayload = 1 << 30
	// compactBit of a length tells the form of the payload.
	compactBit = 1 << 31

	segmentMagic    = "P0wal\x00\x00\x02" // the last byte is the version
	oldSegmentMagic = "P0wal\x00\x00\x01" // its records are plain; it is read and not written
	cursorMagic     = "P0cur\x00\x00\x01"
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian

	// errDamaged is returned for bytes that are not what was written.
	errDamaged = errors.New("checksum does not match")
	// errVersion is returned for a file that another version of this program wrote.
	errVersion = errors.New("written by another version of the server")
)

// segmentHeader begins each segment.
type segmentHeader struct {
	number uint64 // that of the file's name
	first  uint64 // sequence number of its first sample; those from here on in earlier segments do not count
}

func (h segmentHeader) appendTo(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, segmentMagic...)
	dst = le.AppendUint64(dst, h.number)
	dst = le.AppendUint64(dst, h.first)
	dst = le.AppendUint32(dst, 0)
	return le.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
}

func parseSegmentHeader(b []byte) (segmentHeader, error) {
	if len(b) < segmentHeaderBytes || le.Uint32(b[28:]) != crc32.Checksum(b[:28], castagnoli) {
		return segmentHeader{}, errDamaged
	}
	if magic := string(b[:8]); magic != segmentMagic && magic != oldSegmentMagic {
		return segmentHeader{}, errVersion
	}
	return segmentHeader{number: le.Uint64(b[8:]), first: le.Uint64(b[16:])}, nil
}

// record is what one push wrote.
type record struct {
	first   uint64 // sequence number of the first sample
	samples int
	synced  int64 // everything before this offset of the segment was on the disk when this was written
	payload []byte
	compact bool  // the payload's form
	size    int64 // in the segment, padding included
}

func (r record) end() uint64 { return r.first + uint64(r.samples) }

// sealRecord completes the header of the record that b begins with and returns the rest.
// The segment's number goes into the checksum: a record in another segment is none.
func sealRecord(b []byte, segment uint64, synced int64) (rest []byte) {
	le.PutUint64(b[16:], uint64(synced))
	le.PutUint32(b[28:], headerCRC(b, segment))
	return b[paddedBytes(int64(le.Uint32(b)&^compactBit)):]
}

func headerCRC(b []byte, segment uint64) uint32 {
	return crc32.Update(uint32(segment)^uint32(segment>>32), castagnoli, b[:28])
}

func paddedBytes(payload int64) int64 {
	return (recordHeaderBytes + payload + alignment - 1) &^ (alignment - 1)
}

// parseRecord reads the record at the beginning of b. When only the payload is damaged, the
// record is returned without it, beside errDamaged: then its size and samples can be trusted.
func parseRecord(b []byte, segment uint64) (record, error) {
	if len(b) < recordHeaderBytes || le.Uint32(b[28:]) != headerCRC(b, segment) {
		return record{}, errDamaged
	}
	length := int64(le.Uint32(b) &^ compactBit)
	r := record{
		compact: le.Uint32(b)&compactBit != 0,
		samples: int(le.Uint32(b[4:])), first: le.Uint64(b[8:]),
		synced: int64(le.Uint64(b[16:])), size: paddedBytes(length),
	}
	if length == 0 || length > maxPayload || r.samples == 0 || r.synced < 0 || r.first > math.MaxUint64/2 {
		return record{}, errDamaged
	}
	if r.size > int64(len(b)) { // the file was cut off; within the padding that does no harm
		r.size = int64(len(b))
	}
	if recordHeaderBytes+length > int64(len(b)) {
		return r, errDamaged
	}
	payload := b[recordHeaderBytes : recordHeaderBytes+length]
	if crc32.Checksum(payload, castagnoli) != le.Uint32(b[24:]) {
		return r, errDamaged
	}
	r.payload = payload
	return r, nil
}

// cursor says how far the storage file is: the samples before next are its first
// mark.Size bytes, and they are on the disk.
type cursor struct {
	generation uint64 // the slot is its parity; the higher one counts
	next       uint64
	mark       disk.Mark
}

func (c cursor) appendTo(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, cursorMagic...)
	dst = le.AppendUint64(dst, c.generation)
	dst = le.AppendUint64(dst, c.next)
	dst = le.AppendUint64(dst, uint64(c.mark.Size))
	dst = le.AppendUint32(dst, c.mark.CRC)
	dst = append(dst, make([]byte, slotBytes-4-36)...)
	return le.AppendUint32(dst, crc32.Checksum(dst[at:], castagnoli))
}

func parseSlot(b []byte) (cursor, error) {
	if len(b) < slotBytes || le.Uint32(b[60:]) != crc32.Checksum(b[:60], castagnoli) {
		return cursor{}, errDamaged
	}
	if string(b[:8]) != cursorMagic {
		return cursor{}, errVersion
	}
	c := cursor{generation: le.Uint64(b[8:]), next: le.Uint64(b[16:]), mark: disk.Mark{Size: int64(le.Uint64(b[24:])), CRC: le.Uint32(b[32:])}}
	if c.mark.Size < 0 || c.next > math.MaxUint64/2 {
		return cursor{}, errDamaged
	}
	return c, nil
}

// parseCursor returns the newer of the two slots. Damaged counts those that hold something
// else than zeros and cannot be read.
func parseCursor(b []byte) (c cursor, damaged int, err error) {
	found := false
	for slot := range 2 {
		from := min(slot*slotDistance, len(b))
		text := b[from:min(from+slotBytes, len(b))]
		got, err := parseSlot(text)
		switch {
		case errors.Is(err, errVersion):
			return cursor{}, 0, err
		case err != nil:
			if !allZero(text) || len(text) < slotBytes {
				damaged++
			}
		case !found || got.generation > c.generation:
			c, found = got, true
		}
	}
	if !found {
		return cursor{}, damaged, fmt.Errorf("neither slot of the cursor can be read: %w", errDamaged)
	}
	return c, damaged, nil
}

func allZero(b []byte) bool { return len(trimZeros(b)) == 0 }

// trimZeros cuts zeros off the end.
func trimZeros(b []byte) []byte {
	n := len(b)
	for n >= 8 && le.Uint64(b[n-8:]) == 0 {
		n -= 8
	}
	for n > 0 && b[n-1] == 0 {
		n--
	}
	return b[:n]
}
