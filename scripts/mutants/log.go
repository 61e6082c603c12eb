package main

// inLog runs the tests of the durable queue.
func inLog() []suite { return in("./server/queue/wal") }

// logMutants are bugs of the durable queue.
func logMutants() []mutant {
	return append(append(promiseMutants(), startMutants()...), damageMutants()...)
}

// promiseMutants break the promise of a 202, or store something twice.
func promiseMutants() []mutant {
	return []mutant{
		{
			name: "log-sync-removed", breaks: "a 202 survives a power failure", file: "server/queue/wal/log.go",
			old: "		if l.policy.always() {\n			err = l.sync()\n		}\n", new: "", tests: inLog(),
		},
		{
			name: "log-sync-is-nothing", breaks: "a 202 survives a power failure", file: "server/queue/wal/log.go",
			old: "	err := f.Sync()\n	l.syncs.Add(1)", new: "	var err error\n	l.syncs.Add(1)", tests: inLog(),
		},
		{
			name: "log-answer-before-sync", breaks: "a push returns after its sync", file: "server/queue/wal/wal.go",
			old: "	q.gathering = q.spare()\n	q.mu.Unlock()\n	opened, err := q.log.write(g.records, g.first)", new: "	q.gathering = q.spare()\n	g.done = true\n	g.settled.Broadcast()\n	q.mu.Unlock()\n	opened, err := q.log.write(g.records, g.first)", tests: inLog(),
		},
		{
			name: "log-failed-sync-forgiven", breaks: "a failed sync is an error", file: "server/queue/wal/log.go",
			old: "	if err := l.timedSync(l.file); err != nil {\n		return err\n	}\n	l.synced = l.at", new: "	_ = l.timedSync(l.file)\n	l.synced = l.at", tests: inLog(),
		},
		{
			name: "log-error-answered", breaks: "a push that was not written is refused", file: "server/queue/wal/wal.go",
			old: "	err := g.err\n	q.leave(g)\n	return err", new: "	q.leave(g)\n	return nil", tests: inLog(),
		},
		{
			name: "log-directory-not-synced", breaks: "a new segment survives a power failure", file: "server/queue/wal/log.go",
			old: "	return l.fsys.SyncDir(l.dir)", new: "	return nil", tests: inLog(),
		},
		{
			name: "log-cursor-before-append", breaks: "the cursor is not past what is stored", file: "server/queue/wal/checkpoint.go",
			old: "cursor{next: q.acked, mark: mark}", new: "cursor{next: q.acked + 1, mark: mark}", tests: inLog(),
		},
		{
			name: "log-file-not-synced", breaks: "the cursor moves after the storage file is synced", file: "server/storage/sync.go",
			old: "	if err := f.Sync(); err != nil {\n		s.failed = true\n		return disk.Mark{}, err\n	}", new: "", tests: append(inLog(), in("./server/storage/batched")...),
		},
		{
			name: "log-cursor-not-synced", breaks: "segments are removed after the cursor is on the disk", file: "server/queue/wal/cursor.go",
			old: "	if err := f.file.Sync(); err != nil {\n		return fmt.Errorf(\"write cursor: %w\", err)\n	}\n", new: "", tests: inLog(),
		},
		{
			name: "log-one-cursor-slot", breaks: "a torn write leaves one cursor", file: "server/queue/wal/cursor.go",
			old: "int64(c.generation%2)*slotDistance", new: "int64(c.generation*0)*slotDistance", tests: inLog(),
		},
		{
			name: "log-older-cursor", breaks: "the newer cursor counts", file: "server/queue/wal/format.go",
			old: "got.generation > c.generation:", new: "got.generation < c.generation:", tests: inLog(),
		},
		{
			name: "log-removed-too-early", breaks: "a segment is removed when all of it is stored", file: "server/queue/wal/checkpoint.go",
			old: "			return s.first <= next", new: "			return true", tests: inLog(),
		},
		{
			name: "log-never-removed", breaks: "the log's size is bounded", file: "server/queue/wal/checkpoint.go",
			old: "	q.dropConsumed(q.acked)\n	return nil", new: "	return nil", tests: inLog(),
		},
		{
			name: "log-limit-ignored", breaks: "the log's size is bounded", file: "server/queue/wal/log.go",
			old: "	if l.held.Load()+size > l.most {", new: "	if l.held.Load()+size > 100*l.most {", tests: inLog(),
		},
		{
			name: "log-replay-skipped", breaks: "what the log has is stored after a crash", file: "server/queue/wal/open.go",
			old: "	q.replay.reader = newReader(q.cfg.FS, q.dir, q.segments, q.acked)\n", new: "", tests: inLog(),
		},
		{
			name: "log-replay-twice", breaks: "nothing is stored twice after a crash", file: "server/queue/wal/reconcile.go",
			old: "		x.kept.next = x.want.next\n", new: "", tests: inLog(),
		},
		{
			name: "log-foreign-file", breaks: "a file of somebody else is refused", file: "server/queue/wal/reconcile.go",
			old: "	case lineForeign:\n", new: "	case lineForeign + 1:\n", tests: inLog(),
		},
		{
			name: "log-file-not-compared", breaks: "a file that was changed is refused", file: "server/queue/wal/reconcile.go",
			old: "err != nil || mark != c.mark {", new: "err != nil || mark.Size != c.mark.Size {", tests: inLog(),
		},
		{
			name: "log-torn-line-kept", breaks: "a torn line is cut off", file: "server/queue/wal/reconcile.go",
			old: "	kept.cut = info.Size() - kept.size\n", new: "	kept.size = info.Size()\n", tests: inLog(),
		},
	}
}

// damageMutants let the log believe what is damaged, or disbelieve what is not.
func damageMutants() []mutant {
	return []mutant{
		{
			name: "log-payload-unchecked", breaks: "a flipped bit is found", file: "server/queue/wal/format.go",
			old: "	if crc32.Checksum(payload, castagnoli) != le.Uint32(b[24:]) {\n		return r, errDamaged\n	}\n", new: "", tests: inLog(),
		},
		{
			name: "log-header-unchecked", breaks: "a flipped bit is found", file: "server/queue/wal/format.go",
			old: "len(b) < recordHeaderBytes || le.Uint32(b[28:]) != headerCRC(b, segment) {", new: "len(b) < recordHeaderBytes || segment == 0 {", tests: inLog(),
		},
		{
			name: "log-series-of-another-record", breaks: "a record can be read by itself", file: "server/queue/wal/payload.go",
			old: "known := held && p.record == e.record", new: "known := held", tests: inLog(),
		},
		{
			name: "log-series-taken-for-another", breaks: "a sample keeps its series", file: "server/queue/wal/payload.go",
			old: "known := held && p.record == e.record", new: "known := p.record == e.record", tests: inLog(),
		},
		{
			name: "log-stored-damage-untold", breaks: "damage is told, also to what is stored", file: "server/queue/wal/open.go",
			old: "newReader(q.cfg.FS, q.dir, q.segments, c.next), stored,", new: "newReader(q.cfg.FS, q.dir, q.segments, stored), stored,", tests: inLog(),
		},
		{
			name: "log-cursor-believed", breaks: "a cursor is on the disk before segments are removed because of it", file: "server/queue/wal/cursor.go",
			old: "	if err := f.put(read); err != nil {", new: "	f.last = read\n	if err := error(nil); err != nil {", tests: inLog(),
		},
		{
			name: "log-pushed-bytes-uncounted", breaks: "what a start compares is bounded", file: "server/queue/wal/wal.go",
			old: "			size = q.mem.PoppedSize()", new: "			size = 0", tests: inLog(),
		},
		{
			name: "log-segment-unchecked", breaks: "a record of another segment is none", file: "server/queue/wal/format.go",
			old: "	return crc32.Update(uint32(segment)^uint32(segment>>32), castagnoli, b[:28])", new: "	return crc32.Update(uint32(segment*0), castagnoli, b[:28])", tests: inLog(),
		},
		{
			name: "log-cursor-unchecked", breaks: "a damaged cursor is not believed", file: "server/queue/wal/format.go",
			old: "	if len(b) < slotBytes || le.Uint32(b[60:]) != crc32.Checksum(b[:60], castagnoli) {", new: "	if len(b) < slotBytes || allZero(b) {", tests: inLog(),
		},
		{
			name: "log-ends-at-damage", breaks: "what stands behind damage survives", file: "server/queue/wal/reader.go",
			old: "	r.off = found\n	return true", new: "	return false", tests: inLog(),
		},
		{
			name: "log-failed-group-believed", breaks: "what was refused is not stored", file: "server/queue/wal/reader.go",
			old: "		if limit, ok := r.limit(); ok && rec.end() > limit {", new: "		if limit, ok := r.limit(); ok && rec.end() > limit && false {", tests: inLog(),
		},
		{
			name: "log-damage-not-counted", breaks: "damage is told", file: "server/queue/wal/reader.go",
			old: "	r.damage.Corrupt++\n	if found < 0 {", new: "	if found < 0 {", tests: inLog(),
		},
		{
			name: "log-version-ignored", breaks: "another version's file is refused", file: "server/queue/wal/format.go",
			old: "	if magic := string(b[:8]); magic != segmentMagic && magic != oldSegmentMagic {\n		return segmentHeader{}, errVersion\n	}\n", new: "", tests: inLog(),
		},
	}
}
