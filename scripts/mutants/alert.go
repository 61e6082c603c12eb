package main

// inAlerts runs the tests of the engine that sees each sample, and of what it stands on.
func inAlerts() []suite {
	return append(in("./server/alerting/stream"), in("./server/alerting/window")...)
}

func inOutbox() []suite { return in("./server/alerting/notify/outbox") }

// alertMutants are bugs of alerts and of their way to a receiver.
func alertMutants() []mutant { return append(outboxMutants(), streamMutants()...) }

func outboxMutants() []mutant {
	return []mutant{
		{
			name: "outbox-sent-before-written", breaks: "what was sent is known after a crash", file: "server/alerting/notify/outbox/write.go",
			old:   "	for attempt := 0; ; attempt++ {\n		err := o.makeRoom(int64(len(content)))\n		if err == nil {\n			err = o.log.append(content)\n		}\n",
			new:   "	for attempt, shown := 0, false; ; attempt++ {\n		err := o.makeRoom(int64(len(content)))\n		if err == nil && !shown {\n			o.publish(int64(len(content)), records)\n			shown = true\n		}\n		if err == nil {\n			err = o.log.append(content)\n		}\n		if err == nil {\n			return true\n		}\n",
			tests: inOutbox(),
		},
		{
			name: "outbox-sync-removed", breaks: "a recorded notification survives a power failure", file: "server/alerting/notify/outbox/segment.go",
			old: "	_, err := a.file.Write(records)\n	if err == nil {\n		err = a.file.Sync()\n	}\n", new: "	_, err := a.file.Write(records)\n", tests: inOutbox(),
		},
		{
			name: "outbox-write-error-ignored", breaks: "what could not be written is tried again", file: "server/alerting/notify/outbox/write.go",
			old: "			err = o.log.append(content)\n", new: "			_ = o.log.append(content)\n", tests: inOutbox(),
		},
		{
			name: "outbox-cursor-too-early", breaks: "a notification is delivered at least once", file: "server/alerting/notify/outbox/deliver.go",
			old: "		err := w.to.Deliver(w.outbox.ctx, batchOf(r.batch))\n", new: "		if attempt == 0 {\n			var nobody uint64\n			w.done(r, &nobody)\n		}\n		err := w.to.Deliver(w.outbox.ctx, batchOf(r.batch))\n", tests: inOutbox(),
		},
		{
			name: "outbox-key-changes", breaks: "a repeat has the same key", file: "server/alerting/notify/outbox/deliver.go",
			old: "		err := w.to.Deliver(w.outbox.ctx, batchOf(r.batch))\n", new: "		b := batchOf(r.batch)\n		b.Key += string(rune('a' + attempt))\n		err := w.to.Deliver(w.outbox.ctx, b)\n", tests: inOutbox(),
		},
		{
			name: "outbox-order", breaks: "notifications are delivered in order", file: "server/alerting/notify/outbox/write.go",
			old: "			content, records, next = o.encode(content, records, next, all[:n])\n			all = all[n:]\n", new: "			content, records, next = o.encode(content, records, next, all[len(all)-n:])\n			all = all[:len(all)-n]\n", tests: inOutbox(),
		},
		{
			name: "outbox-one-refused-all-lost", breaks: "a refusal takes one notification only", file: "server/alerting/notify/outbox/deliver.go",
			old: "errors.Is(err, notify.ErrRefused) && len(r.batch) > 1:", new: "errors.Is(err, notify.ErrRefused) && len(r.batch) > 1<<20:", tests: inOutbox(),
		},
	}
}

func streamMutants() []mutant {
	return []mutant{
		{
			name: "stream-told-twice", breaks: "what has the same labels is one alert", file: "server/alerting/stream/life.go",
			old: "	if t == nil {\n		t = &told{", new: "	if t == nil || t.raisers > 0 {\n		t = &told{", tests: inAlerts(),
		},
		{
			name: "stream-resolved-too-early", breaks: "an alert is over when nothing raises it", file: "server/alerting/stream/life.go",
			old: "	if t.raisers--; t.raisers == 0 {", new: "	if t.raisers--; t.raisers >= 0 {", tests: inAlerts(),
		},
		{
			name: "stream-time-stands-still", breaks: "a sample that leaves its window is noticed", file: "server/alerting/stream/core.go",
			old: "		if ms := u.window.Next(); ms < never/1e6 {", new: "		if ms := u.window.Next(); ms < 0 {", tests: inAlerts(),
		},
		{
			name: "life-for-ignored", breaks: "an alert fires after its rule's for", file: "server/alerting/life/life.go",
			old: "	if now-s.Since < r.For.Nanoseconds() && r.For > 0 {", new: "	if now-s.Since < r.For.Nanoseconds() && r.For < 0 {", tests: inAlerts(),
		},
		{
			name: "window-start-inclusive", breaks: "a window does not hold its beginning", file: "server/alerting/window/view.go",
			old: "w.point(v.low).time <= now-v.width {", new: "w.point(v.low).time < now-v.width {", tests: inAlerts(),
		},
		{
			name: "window-subtracts", breaks: "nothing of a sample is left when it leaves", file: "server/alerting/window/view.go",
			old: "	if v.ranks {\n		v.order.remove(v.window.point(v.low).value)\n	}\n	v.low.at++\n", new: "	if v.ranks {\n		v.order.remove(v.window.point(v.low).value)\n	}\n	if v.cells && v.low.before(v.fence) && v.back.n > 0 {\n		x := v.window.point(v.low).value\n		v.back.sum.add(x)\n		v.back.sum.add(-x * (1 + 0x1p-52))\n	}\n	v.low.at++\n", tests: inAlerts(),
		},
		{
			name: "window-rounding-forgotten", breaks: "rounding never decides about an alert", file: "server/alerting/window/sum.go",
			old: "		p.slack += math.Abs(e2) + math.Abs(e3)\n", new: "		p.slack += 0 * math.Abs(e2+e3)\n", tests: inAlerts(),
		},
	}
}
