package main

// startMutants are bugs of what a start leaves to the first checkpoint.
func startMutants() []mutant {
	return []mutant{
		{
			name: "start-cursor-without-sync", breaks: "the cursor moves after the storage file is synced", file: "server/queue/wal/open.go",
			old: "		q.left, err = q.rewrite(c.mark.Size, kept.size)\n		return kept, err\n",
			new: "		left, err := q.rewrite(c.mark.Size, kept.size)\n		if err != nil {\n			return reconciled{}, err\n		}\n		defer left.file.Close()\n		mark, err := disk.MarkOf(left.file, kept.size)\n		if err != nil {\n			return reconciled{}, err\n		}\n		return kept, q.cursor.write(cursor{next: kept.next, mark: mark})\n", tests: inLog(),
		},
		{
			name: "start-defers-what-is-not-in-the-log", breaks: "what the log cannot write again is synced at the start", file: "server/queue/wal/open.go",
			old: "	if kept.ours {\n", new: "	if kept.ours || kept.size > 0 {\n", tests: inLog(),
		},
		{
			name: "start-checkpoint-not-asked", breaks: "a log that is full of what is stored takes samples again", file: "server/consumer/consumer.go",
			old: "	// may be beyond its cursor that no more is to be added.\n	if c.durable != nil && c.durable.Due() {", new: "	if c.durable != nil && c.durable.Due() && false {", tests: append(in("./server/consumer"), inLog()...),
		},
		{
			name: "start-file-not-rewritten", breaks: "what an earlier process failed to sync survives", file: "server/queue/wal/open.go",
			old: "		if err := disk.Rewrite(f, at, min(at+tellBytes, size)); err != nil {\n			return err\n		}\n", new: "", tests: inLog(),
		},
		{
			name: "start-file-closed", breaks: "an error of the disk between rewriting and sync is told", file: "server/queue/wal/open.go",
			old: "		q.left, err = q.rewrite(c.mark.Size, kept.size)\n		return kept, err\n",
			new: "		left, err := q.rewrite(c.mark.Size, kept.size)\n		return kept, errors.Join(err, left.close())\n", tests: inLog(),
		},
		{
			name: "start-synced-by-another", breaks: "an error of the disk between rewriting and sync is told", file: "server/queue/wal/open.go",
			old: "	defer left.file.Close()\n	if err := left.file.Sync(); err != nil {\n		return disk.Mark{}, err\n	}\n",
			new: "	if err := left.close(); err != nil {\n		return disk.Mark{}, err\n	}\n	if left.file, err = q.cfg.FS.OpenFile(q.cfg.Data, os.O_RDWR, 0); err != nil {\n		return disk.Mark{}, err\n	}\n	defer left.file.Close()\n	if err := left.file.Sync(); err != nil {\n		return disk.Mark{}, err\n	}\n", tests: inLog(),
		},
		{
			name: "start-rest-not-synced", breaks: "the cursor moves after what was left is synced", file: "server/queue/wal/checkpoint.go",
			old: "	if err := q.left.sync(); err != nil {\n		return fmt.Errorf(\"sync storage file: %w\", err)\n	}\n", new: "	_ = fmt.Errorf\n", tests: inLog(),
		},
		{
			name: "start-failed-sync-repeated", breaks: "what a failed sync has dropped is written again", file: "server/queue/wal/leftover.go",
			old: "	if l.failed {\n", new: "	if l.failed && l.file == nil {\n", tests: inLog(),
		},
		{
			name: "start-waits-for-the-disk", breaks: "samples are stored while a disk is busy with what is left", file: "server/queue/wal/open.go",
			old: "	q.lastMark = time.Now().Add(q.left.begin())", new: "	q.left.begin()", tests: inLog(),
		},
		{
			name: "start-compares-without-bound", breaks: "what a start compares is bounded", file: "server/queue/wal/checkpoint.go",
			old: "	case beyond >= q.cfg.checkpointSamples, q.beyondBytes", new: "	case q.beyondBytes", tests: inLog(),
		},
		{
			name: "start-compares-long-lines-without-bound", breaks: "what a start compares is bounded", file: "server/queue/wal/checkpoint.go",
			old: "q.cfg.checkpointSamples, q.beyondBytes >= q.cfg.checkpointBytes:", new: "q.cfg.checkpointSamples:", tests: inLog(),
		},
		{
			name: "start-skims-over-a-gap", breaks: "samples that the log has lost are counted", file: "server/queue/wal/reader.go",
			old: "			if rec.first != r.expected {\n				break\n			}\n			r.expected", new: "			r.expected", tests: inLog(),
		},
		{
			name: "start-skims-past-the-limit", breaks: "what an attempt left behind does not count", file: "server/queue/wal/reader.go",
			old: " || limited && rec.end() > limit {\n			break", new: " || limited && rec.end() == 0 && limit == 0 {\n			break", tests: inLog(),
		},
		{
			name: "memory-free-too-early", breaks: "a request's memory serves others after it was copied", file: "server/api/ingest.go",
			old: "	pending, err := early.Begin(samples)\n	if err != nil {\n		return err\n	}\n	h.recycle(*b)\n	*b = nil\n	return pending.Wait()",
			new: "	h.recycle(*b)\n	*b = nil\n	pending, err := early.Begin(samples)\n	if err != nil {\n		return err\n	}\n	return pending.Wait()", tests: in("./server/api"),
		},
		{
			name: "answer-without-wait", breaks: "a 202 is written after the sync", file: "server/api/ingest.go",
			old: "	return pending.Wait()", new: "	_ = pending\n	return nil", tests: in("./server/api"),
		},
	}
}
