package main

// mutant is a planted bug.
type mutant struct {
	name   string // a word
	breaks string // the promise
	file   string
	old    string // stands in the file exactly once
	new    string
	tests  []suite
}

// suite is some tests of a package.
type suite struct {
	pkg string
	run string // -run; empty for all
}

func in(pkg string) []suite { return []suite{{pkg: pkg}} }

func only(pkg, run string) []suite { return []suite{{pkg: pkg, run: run}} }

// mutants are all planted bugs: what is asked of the path of a sample, then of the
// log, then of alerts, then of those who count.
func mutants() []mutant {
	all := ingestMutants()
	all = append(all, storageMutants()...)
	all = append(all, queryMutants()...)
	all = append(all, logMutants()...)
	all = append(all, alertMutants()...)
	return append(all, bookMutants()...)
}

func ingestMutants() []mutant {
	return []mutant{
		{
			name: "answer-before-push", breaks: "a 202 means that the queue has the samples", file: "server/api/ingest.go",
			old: "	if err := h.push(&b, samples); err != nil {\n		h.refuse(ctx, faultOf(err))\n		return\n	}",
			new: "	_ = h.push(&b, samples)", tests: in("./server/api"),
		},
		{
			name: "storage-error-ignored", breaks: "503 while storage fails", file: "server/api/ingest.go",
			old: "if err := h.cfg.StorageErr(); err != nil {", new: "if err := h.cfg.StorageErr(); err != nil && false {", tests: in("./server/api"),
		},
		{
			name: "accepts-while-draining", breaks: "a draining server refuses", file: "server/api/ingest.go",
			old: "	if h.draining.Load() {", new: "	if h.draining.Load() && false {", tests: in("./server/api"),
		},
		{
			name: "short-body", breaks: "half a body is no sample", file: "server/api/ingest.go",
			old: "if declared >= 0 && len(b.body) < declared {", new: "if declared >= 0 && len(b.body) < declared && false {", tests: append(in("./server/api"), in("./server/platform")...),
		},
		{
			name: "body-limit", breaks: "a body above the limit gets 413", file: "server/api/ingest.go",
			old: "		if len(b.body) > h.cfg.MaxBodyBytes {", new: "		if len(b.body) > 2*h.cfg.MaxBodyBytes {", tests: in("./server/api"),
		},
		{
			name: "duplicate-key", breaks: "a repeated field is refused", file: "server/sample/parser.go",
			old: "if seen&field != 0 {", new: "if seen&field != 0 && false {", tests: in("./server/sample"),
		},
		{
			name: "duplicate-label", breaks: "a repeated label is refused", file: "server/sample/labels.go",
			old: "if i > 0 && string(set.name(m)) == string(set.name(set.members[i-1])) {", new: "if i > 1 && string(set.name(m)) == string(set.name(set.members[i-1])) {", tests: in("./server/sample"),
		},
		{
			name: "queue-limit-ignored", breaks: "the queue is bounded", file: "server/queue/bounded/bounded.go",
			old: "if depth > q.limit.Samples || int(old&bytesMask)+bytes > q.limit.Bytes {", new: "if int(old&bytesMask)+bytes > q.limit.Bytes {", tests: in("./server/queue/bounded"),
		},
		{
			name: "queue-limit-by-one", breaks: "the queue's limit is exact", file: "server/queue/bounded/bounded.go",
			old: "if depth > q.limit.Samples ||", new: "if depth > q.limit.Samples+1 ||", tests: in("./server/queue/bounded"),
		},
		{
			name: "queue-bytes-ignored", breaks: "the queue's memory is bounded", file: "server/queue/bounded/bounded.go",
			old: "depth > q.limit.Samples || int(old&bytesMask)+bytes > q.limit.Bytes {", new: "depth > q.limit.Samples {", tests: in("./server/queue/bounded"),
		},
		{
			name: "queue-order", breaks: "samples are stored in the order of arrival", file: "server/queue/bounded/pop.go",
			old: "		o.joined = append(o.joined, rest[:n]...)", new: "		for i := n - 1; i >= 0; i-- {\n			o.joined = append(o.joined, rest[i])\n		}", tests: in("./server/queue/bounded"),
		},
		{
			name: "rate-limit-by-one", breaks: "a client's burst is exact", file: "server/ratelimit/ratelimit.go",
			old: "fullAt - l.depth - now; early > 0", new: "fullAt - l.depth - now - l.interval; early > 0", tests: in("./server/ratelimit"),
		},
	}
}

func storageMutants() []mutant {
	return []mutant{
		{
			name: "ack-before-append", breaks: "a sample counts as queued until it is stored", file: "server/consumer/consumer.go",
			old: "		c.begun = time.Now()\n		if err := c.append(ctx, samples); err != nil {", new: "		c.begun = time.Now()\n		c.cfg.Queue.Ack()\n		if err := c.append(ctx, samples); err != nil {", tests: in("./server/consumer"),
		},
		{
			name: "partial-append-twice", breaks: "a failed append stores nothing twice", file: "server/consumer/consumer.go",
			old: "		samples = samples[n:]\n", new: "		if err == nil {\n			samples = samples[n:]\n		}\n", tests: in("./server/consumer"),
		},
		{
			name: "append-not-repeated", breaks: "an accepted sample is never dropped", file: "server/consumer/consumer.go",
			old: "		pause = min(2*pause, longestPause)\n	}\n	return nil\n", new: "		pause = min(2*pause, longestPause)\n		samples = nil\n	}\n	return nil\n", tests: in("./server/consumer"),
		},
		{
			name: "torn-tail-kept", breaks: "an append after a torn line begins a line of its own", file: "server/storage/storage.go",
			old: "	return last[0] != '\\n', nil", new: "	return last[0] == 0, nil", tests: append(in("./server/storage/jsonl"), in("./server/storage/batched")...),
		},
		{
			name: "part-not-cut", breaks: "a failed append leaves no part of a line", file: "server/storage/storage.go",
			old: "f.Truncate(info.Size() - e.excess)", new: "f.Truncate(info.Size())", tests: append(in("./server/storage/jsonl"), in("./server/storage/batched")...),
		},
		{
			name: "torn-forgotten", breaks: "a fragment that could not be cut is known", file: "server/storage/storage.go",
			old: "e.excess, e.end = int64(n), -1", new: "e.excess, e.end = 0, -1", tests: in("./server/storage/batched"),
		},
		{
			name: "file-replaced", breaks: "a replaced file swallows nothing", file: "server/storage/batched/batched.go",
			old: "	return mine.Size(), err == nil && disk.SameFile(mine, there)", new: "	_ = there\n	return mine.Size(), err == nil", tests: append(in("./server/storage/batched"), in("./server/consumer")...),
		},
		{
			name: "write-forgotten", breaks: "what Append counts is in the file", file: "server/storage/batched/batched.go",
			old: "		done += n\n", new: "		done += n\n		if done+n > len(samples) {\n			return len(samples), nil\n		}\n", tests: in("./server/storage/batched"),
		},
		{
			name: "lock-missing", breaks: "two servers never write one file", file: "server/disk/lock.go",
			old: "syscall.LOCK_EX|syscall.LOCK_NB", new: "syscall.LOCK_SH|syscall.LOCK_NB", tests: in("./server/disk"),
		},
		{
			name: "lock-not-taken", breaks: "two servers never write one file", file: "server/platform/platform.go",
			old: "if p.lock, err = disk.Acquire(resolve(p.cfg.Data)); err != nil {", new: "if p.lock, err = disk.Acquire(fmt.Sprintf(\"%s-%p\", resolve(p.cfg.Data), p)); err != nil {", tests: append(in("./server/platform"), in("./server")...),
		},
		{
			name: "drain-skipped", breaks: "SIGTERM stores everything", file: "server/platform/run.go",
			old: "	p.awaitDrain(drained)\n", new: "	p.giveUp()\n	p.awaitDrain(drained)\n", tests: append(in("./server/platform"), in("./server")...),
		},
		{
			name: "unstored-not-told", breaks: "exit 1 names what was not stored", file: "server/platform/run.go",
			old: "	if stored < accepted {\n", new: "	if stored > accepted {\n", tests: append(in("./server/platform"), in("./server")...),
		},
	}
}

func queryMutants() []mutant {
	return []mutant{
		{
			name: "index-not-rebuilt", breaks: "a query sees a file that was replaced", file: "server/query/parallel/index.go",
			old: "	if x.seen == nil || !disk.SameFile(x.seen, now) || now.Size() < x.size {\n		return false, nil\n	}", new: "	if x.seen == nil {\n		return false, nil\n	}\n	if !disk.SameFile(x.seen, now) || now.Size() < x.size {\n		return true, nil\n	}", tests: in("./server/query/parallel"),
		},
		{
			name: "index-end-exclusive", breaks: "end is inclusive", file: "server/query/parallel/index.go",
			old: "b.minTime > sel.End ||", new: "b.minTime >= sel.End ||", tests: in("./server/query/parallel"),
		},
		{
			name: "index-start-exclusive", breaks: "start is inclusive", file: "server/query/parallel/index.go",
			old: "b.maxTime < sel.Start {", new: "b.maxTime <= sel.Start {", tests: in("./server/query/parallel"),
		},
		{
			name: "index-forgets-names", breaks: "a block with too many names may hold any", file: "server/query/parallel/index.go",
			old: "	if b.anyName {\n		return true\n	}", new: "	if b.anyName {\n		return false\n	}", tests: in("./server/query/parallel"),
		},
	}
}

func bookMutants() []mutant {
	return []mutant{
		{
			name: "ledger-blind-to-duplicates", breaks: "loadgen -verify finds what is stored twice", file: "loadgen/verify/check.go",
			old: "				c.found.Duplicated++\n", new: "", tests: in("./loadgen/verify"),
		},
		{
			name: "ledger-blind-to-the-tail", breaks: "loadgen -verify finds a lost tail", file: "loadgen/verify/check.go",
			old: "	c.found.LostTail += gap\n", new: "", tests: in("./loadgen/verify"),
		},
		{
			name: "reader-blind-to-duplicates", breaks: "bench finds what is stored twice", file: "bench/trial/readback.go",
			old: "		case n > 1:\n			found.duplicated++\n", new: "", tests: only("./bench/trial", "ReadBack|Ordeal"),
		},
		{
			name: "reader-believes-queries", breaks: "two counts that differ are told", file: "bench/trial/readback.go",
			old: "		if c.file != c.server {", new: "		if c.file > c.server {", tests: only("./bench/trial", "Loss|Ordeal"),
		},
		{
			name: "ledger-takes-503-for-202", breaks: "only a 2xx is accepted", file: "bench/trial/ledgered.go",
			old: "	case 2:\n", new: "	case 2, 5:\n", tests: only("./bench/trial", "Ordeal"),
		},
		{
			name: "chaos-keeps-what-was-not-felt", breaks: "a fault that was not felt is no promise kept", file: "scripts/chaos/judge.go",
			old: "	case valid < len(c.Tries):\n", new: "	case valid < 0:\n", tests: only("./scripts/chaos", "Judge"),
		},
		{
			name: "chaos-excuses-the-log", breaks: "a durable arm may lose nothing", file: "scripts/chaos/judge.go",
			old: "	if c.Durable || c.fault.signal != syscall.SIGKILL {", new: "	if c.fault.signal != syscall.SIGKILL {", tests: only("./scripts/chaos", "Judge"),
		},
	}
}
