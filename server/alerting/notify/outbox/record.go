package outbox

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"time"

	"phase0/server/alerting"
)

const (
	magic     = "P0OUTBX1"
	headBytes = 16
	// maxRecord bounds the memory that a damaged length can ask for.
	maxRecord = 256 << 10
	// maxBatch is how many notifications one delivery has at most.
	maxBatch = 500
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	little     = binary.LittleEndian
)

// errTooLarge is returned for a notification that no record can hold.
var errTooLarge = errors.New("notification is too large")

// entry is the JSON of one notification. Value is text, because JSON has no infinity.
type entry struct {
	Key         string            `json:"key"`
	Fingerprint string            `json:"fingerprint"`
	Status      alerting.Status   `json:"status"`
	State       alerting.State    `json:"state"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Value       string            `json:"value"`
	Since       time.Time         `json:"since"`
	EndsAt      time.Time         `json:"endsAt,omitzero"`
	At          time.Time         `json:"at,omitzero"`
	Repeat      uint64            `json:"repeat,omitempty"`
	Rule        string            `json:"rule,omitempty"`
	Summary     string            `json:"summary,omitempty"`
}

func entryOf(n alerting.Notification) entry {
	return entry{
		Key: n.Key, Fingerprint: n.Alert.Fingerprint, Status: n.Status, State: n.Alert.State,
		Labels: n.Alert.Labels, Annotations: n.Alert.Annotations,
		Value: strconv.FormatFloat(n.Alert.Value, 'g', -1, 64),
		Since: n.Alert.Since, EndsAt: n.EndsAt, At: n.At, Repeat: n.Repeat, Rule: n.Alert.Rule, Summary: n.Alert.Summary,
	}
}

func (e entry) notification() (alerting.Notification, error) {
	value, err := strconv.ParseFloat(e.Value, 64)
	if err != nil {
		return alerting.Notification{}, fmt.Errorf("value %q is not a number", e.Value)
	}
	return alerting.Notification{
		Status: e.Status, Key: e.Key, EndsAt: e.EndsAt, At: e.At, Repeat: e.Repeat,
		Alert: alerting.Alert{
			State: e.State, Fingerprint: e.Fingerprint, Labels: e.Labels, Annotations: e.Annotations,
			Value: value, Since: e.Since, Rule: e.Rule, Summary: e.Summary,
		},
	}, nil
}

func encode(batch []alerting.Notification) ([]byte, error) {
	entries := make([]entry, len(batch))
	for i, n := range batch {
		entries[i] = entryOf(n)
	}
	payload, err := json.Marshal(entries)
	if err == nil && len(payload) > maxRecord {
		err = errTooLarge
	}
	return payload, err
}

func decode(payload []byte) ([]alerting.Notification, error) {
	var entries []entry
	if err := json.Unmarshal(payload, &entries); err != nil {
		return nil, fmt.Errorf("decode record: %w", err)
	}
	if len(entries) == 0 {
		return nil, errors.New("decode record: no notifications")
	}
	batch := make([]alerting.Notification, len(entries))
	for i, e := range entries {
		var err error
		if batch[i], err = e.notification(); err != nil {
			return nil, fmt.Errorf("decode record: %w", err)
		}
	}
	return batch, nil
}

// appendRecord appends the record of a payload to dst.
func appendRecord(dst []byte, sequence uint64, payload []byte) []byte {
	dst = little.AppendUint32(dst, uint32(len(payload)))
	checked := little.AppendUint64(nil, sequence)
	dst = little.AppendUint32(dst, checksum(checked, payload))
	dst = append(dst, checked...)
	return append(dst, payload...)
}

func checksum(sequence, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(sequence, castagnoli), castagnoli, payload)
}

// record is one record as it was read.
type record struct {
	sequence uint64
	batch    []alerting.Notification
}

// end is the sequence number after the record's last notification.
func (r record) end() uint64 { return r.sequence + uint64(len(r.batch)) }

// scanner reads the records of one segment in order, and passes over damage.
type scanner struct {
	r       io.ReaderAt
	at      int64  // where the next record should begin: what is before has been read
	least   uint64 // the least sequence number that counts
	damaged int64  // bytes passed over with an intact record behind them
}

// next returns the next intact record that ends at or before end; io.EOF when there is
// none. Other errors are the reader's, and can be tried again.
func (s *scanner) next(end int64) (record, error) {
	for at := s.at; ; {
		r, size, err := s.read(at, end)
		if err != nil {
			return record{}, err
		}
		if size == 0 {
			if at, err = s.seek(at+1, end); err != nil {
				return record{}, err
			}
			continue
		}
		s.damaged += at - s.at
		at += size
		s.at = at
		if r.sequence >= s.least {
			s.least = r.end()
			return r, nil
		}
	}
}

// read returns the record at that offset and its size, 0 when there is none.
func (s *scanner) read(at, end int64) (record, int64, error) {
	if end-at < headBytes {
		if at >= end {
			return record{}, 0, io.EOF
		}
		return record{}, 0, nil
	}
	var head [headBytes]byte
	if err := readFull(s.r, head[:], at); err != nil {
		return record{}, 0, err
	}
	length := int64(little.Uint32(head[:]))
	if length == 0 || length > maxRecord || at+headBytes+length > end {
		return record{}, 0, nil
	}
	payload := make([]byte, length)
	if err := readFull(s.r, payload, at+headBytes); err != nil {
		return record{}, 0, err
	}
	if checksum(head[8:], payload) != little.Uint32(head[4:]) {
		return record{}, 0, nil
	}
	batch, err := decode(payload)
	if err != nil {
		return record{}, 0, nil // intact, but of no writer that we know: damage like any other
	}
	r := record{sequence: little.Uint64(head[8:]), batch: batch}
	if r.end() < r.sequence {
		return record{}, 0, nil
	}
	return r, headBytes + length, nil
}

// seek returns the next offset at which a record may begin, io.EOF when there is none.
func (s *scanner) seek(at, end int64) (int64, error) {
	var chunk [64 << 10]byte
	for end-at > headBytes {
		n := min(int64(len(chunk)), end-at)
		if err := readFull(s.r, chunk[:n], at); err != nil {
			return 0, err
		}
		for i := range n - headBytes + 1 {
			if length := int64(little.Uint32(chunk[i:])); length > 0 && length <= maxRecord && at+i+headBytes+length <= end {
				return at + i, nil
			}
		}
		at += n - headBytes + 1
	}
	return 0, io.EOF
}

// readFull reads all of p; a file that is shorter than it was is an error that io.EOF
// must not be taken for.
func readFull(r io.ReaderAt, p []byte, at int64) error {
	if n, err := r.ReadAt(p, at); n < len(p) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read segment: %w", err)
	}
	return nil
}
