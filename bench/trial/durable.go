package trial

import (
	"context"
	"errors"
	"strings"

	"phase0/loadgen/record"
)

// durableQueue is the queue that keeps what it accepted across a crash of its process,
// whatever its policy of syncing is.
const durableQueue = "wal"

// Durable reports whether the arm is a server of ours that puts samples into a log before
// it accepts them. None that it accepted may then be lost to kill -9, and none be stored
// twice.
func (a Arm) Durable() bool {
	durable := false
	for _, setting := range a.ServerArgs {
		if queue, ok := strings.CutPrefix(setting, "-queue="); ok { // of two the last counts
			durable = queue == durableQueue
		}
	}
	return durable
}

// logWatch reads what a durable server counts of its log around a measured window.
type logWatch struct {
	on       bool // there is a log
	from, to logCounts
	err      error
}

type logCounts struct{ syncs, seconds, accepted float64 }

// begin and end are called right before and right after the window.
func (w *logWatch) begin(ctx context.Context, s target) { w.read(ctx, s, &w.from) }
func (w *logWatch) end(ctx context.Context, s target)   { w.read(ctx, s, &w.to) }

func (w *logWatch) read(ctx context.Context, s target, into *logCounts) {
	ours, ok := s.(*server)
	if !w.on || !ok {
		return
	}
	text, err := get(ctx, newClient(false), ours.url("/metrics"))
	if err != nil {
		w.err = errors.Join(w.err, err)
		return
	}
	for name, value := range map[string]*float64{
		"phase0_wal_syncs_total": &into.syncs, "phase0_wal_sync_seconds_total": &into.seconds, "phase0_samples_accepted_total": &into.accepted,
	} {
		v, err := parseMetric(text, name)
		*value, w.err = v, errors.Join(w.err, err)
	}
}

// fillLog derives what the log cost in the window.
func (r *Result) fillLog(w logWatch, g record.Result) {
	if !w.on {
		return
	}
	syncs, seconds, accepted := w.to.syncs-w.from.syncs, w.to.seconds-w.from.seconds, w.to.accepted-w.from.accepted
	switch {
	case w.err != nil:
		r.unavailable(UnitSyncs, w.err.Error())
	case accepted <= 0:
		r.unavailable(UnitSyncs, "the server says that it accepted nothing in the window")
	default:
		r.Values[UnitSyncs] = syncs / accepted
		if g.WindowSeconds > 0 {
			r.Values[UnitSyncBusy] = min(1, seconds/g.WindowSeconds)
		}
		if syncs > 0 {
			r.Values[UnitSyncTime] = seconds / syncs * 1e9
		}
	}
}

// judgeTwice judges a queue that promises to keep each sample once by those that are there
// several times.
func (r *Result) judgeTwice(samples int64) {
	if r.Duplicated = samples; samples > 0 {
		r.voidf("DUPLICATED: %d samples are stored more than once by a queue that promises once", samples)
	}
}
