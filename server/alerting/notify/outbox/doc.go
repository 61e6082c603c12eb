// Package outbox keeps notifications on disk until their receivers have them. A
// notification is written and synced before it is sent; each receiver has a cursor, a
// worker and retries of its own, so that a dead one delays neither evaluation nor the
// others, and a kill -9 costs none of what was recorded.
//
// What it promises, per receiver:
//
//   - At least once: what was recorded is delivered, unless the receiver refuses it for
//     good or the outbox overflows; both are counted. A delivery that is repeated, since
//     an answer or a cursor was lost, carries the same idempotency key.
//   - In order: the notifications of one alert, and in fact all of them, arrive in the
//     order of Notify.
//   - Bounded: above Config.MaxBytes the oldest segment is dropped, which costs only the
//     receivers that do not have it yet. What waits to be written is bounded, too: Notify
//     waits for a disk that is slow, and drops what is above the bound when the disk has
//     taken nothing for ten seconds, or fails for as long.
//
// It remembers, too, which alerts were told as firing (Told), so that an engine that is
// started again need not tell them again. That takes at most a quarter of MaxBytes.
//
// It does not group, silence or choose among receivers: that is Alertmanager's job.
// One process at a time may use a directory; the lock on the storage file sees to it.
//
// # FORMAT
//
// A directory holds three kinds of files. All numbers are little-endian.
//
// Segments, NNNNNNNNNNNNNNNN.seg, named by the sequence number of their first
// notification in hexadecimal. Notifications are numbered from 1; a record holds one or
// more of them and has the number of its first.
//
//	segment = magic record*
//	magic   = "P0OUTBX1"
//	record  = length:u32  checksum:u32  sequence:u64  payload
//
// length is that of the payload, from 1 to 262,144; checksum is the CRC-32C of sequence
// and payload; payload is a JSON array of notifications (type entry). Since JSON holds no
// zero byte and a length always does, no payload can hold what looks like a record: after
// damage the reader looks for the next record byte by byte. A record whose number is not
// above those before it is left over from a write that failed, and skipped. What follows
// the last intact record of the last segment is cut off at start.
//
// Cursors, NAME.cursor, one per receiver; the last intact entry counts. next is the
// number of the first notification that the receiver does not have.
//
//	cursor = entry*
//	entry  = next:u64  checksum:u32
//
// Entries are not synced one by one: after a power failure a receiver may get again what
// it had.
//
// The alerts told as firing, NNNNNNNNNNNNNNNN.told: what Told returned before the
// notification of that number was recorded. It has the form of a segment, and is put in
// place by renaming. Segments before it are deleted once all receivers have them.
package outbox
