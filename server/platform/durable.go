package platform

import (
	"fmt"

	"phase0/server/queue/wal"
	"phase0/server/telemetry"
)

// storageErr tells why samples are not taken at present.
func (p *Platform) storageErr() error {
	if err := p.consumer.Err(); err != nil || p.wal == nil {
		return err
	}
	return p.wal.Err()
}

// damageErr tells what of the log could not be read at the start.
func (p *Platform) damageErr() error {
	if p.wal == nil {
		return nil
	}
	return p.wal.DamageErr()
}

// registerLog adds the counters of the log, which only a durable queue has.
func registerLog(m *telemetry.Metrics, q *wal.Queue) {
	found := q.Counters().Recovered
	m.Counter("phase0_wal_syncs_total", "Times that the log was synced.", func() float64 { return float64(q.Counters().Syncs) })
	m.Counter("phase0_wal_sync_seconds_total", "Time that the syncs of the log took.", func() float64 { return q.Counters().SyncTime.Seconds() })
	m.Gauge("phase0_wal_bytes", "Size of the log's segments.", func() float64 { return float64(q.Counters().LogBytes) })
	m.Gauge("phase0_wal_damaged_segments", "Damaged segments of the log that are set aside.", func() float64 { return float64(q.Counters().Aside.Segments) })
	for _, c := range []struct {
		name, help string
		value      float64
	}{
		{"replayed_samples", "Samples of the log that the storage file did not have at the start.", float64(found.Samples)},
		{"corrupt_records", "Places where the log could not be read at the start.", float64(found.Corrupt)},
		{"lost_samples", "Accepted samples that these places took.", float64(found.Lost)},
		{"truncated_bytes", "Bytes of the log, at the start, of writes that never ended.", float64(found.Truncated)},
		{"cut_bytes", "Bytes at the end of the storage file, at the start, of an append that never ended.", float64(found.Cut)},
	} {
		m.Counter("phase0_wal_"+c.name+"_total", c.help, func() float64 { return c.value })
	}
}

// printLog says what the log had to tell, if that was anything.
func (p *Platform) printLog() {
	if p.wal == nil {
		return
	}
	found := p.wal.Counters().Recovered
	fmt.Fprintf(p.stdout, "[Queue] Log in %s, sync %s\n", wal.Dir(p.cfg.Data), p.cfg.Sync)
	if found.Samples > 0 || found.Cut > 0 || found.Truncated > 0 {
		fmt.Fprintf(p.stdout, "[Queue] Recovered %d samples from %d MB of log in %.2f s; incomplete: %d bytes of log, %d of the storage file\n",
			found.Samples, found.Bytes/1e6, found.Took.Seconds(), found.Truncated, found.Cut)
	}
	if found.Behind > 0 {
		p.log.Warn().Uint64("lines", found.Behind).Msg("storage file goes on behind the end of the log, as after a power failure or when another program has written; the lines are kept")
	}
	if err := p.wal.DamageErr(); err != nil {
		p.log.Error().Err(err).Msg("health is degraded until a start finds no damage")
	}
}
