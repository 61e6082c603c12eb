package trial

import (
	"context"
	"errors"
	"fmt"
	"syscall"
)

// reckon counts what an ordeal cost: by what the server answers, and from the file
// after it was stopped in order.
func (d *ordeal) reckon(ctx context.Context) error {
	asked, err := d.before.ask(ctx, d.s)
	if err != nil {
		return err
	}
	if err := d.after.offer(ctx, d.s.endpoint(), afterRate, afterTime, 4, d.toll.Seed); err != nil {
		return fmt.Errorf("after the fault: %w", err)
	}
	again, err := d.after.ask(ctx, d.s)
	if err != nil {
		return err
	}
	data := d.s.data
	ended, err := d.s.stop()
	d.s = nil
	if err != nil {
		d.toll.brokenf("%v", err)
	} else {
		d.closing = append(d.closing, ended)
	}
	first, err := d.before.readBack(data)
	second, err2 := d.after.readBack(data)
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	if !asked.Drained || !again.Drained {
		d.toll.brokenf("the queue was not empty %v after the fault", requestTimeout)
	}
	if words := first.disagrees(asked); words != "" {
		d.toll.brokenf("queries and file differ: %s", words)
	}
	if words := second.disagrees(again); words != "" {
		d.toll.brokenf("queries and file differ on what came after the fault: %s", words)
	}
	d.toll.count(d.before, first, d.elapsed.Seconds())
	d.judgeAfter(second)
	d.judgeClosing()
	return nil
}

// count fills in the books.
func (t *Toll) count(l *ledgered, found readBack, seconds float64) {
	c := l.book.Counts()
	t.Sent, t.Accepted, t.Refused, t.Ambiguous = c.Accepted+c.Refused+c.Ambiguous, c.Accepted, c.Refused, c.Ambiguous
	t.Lost, t.Duplicated, t.Phantom, t.Zombie = found.lost, found.duplicated, found.phantom, found.zombie
	t.Recovered, t.Torn = found.recovered, found.torn
	if c.Accepted == 0 {
		t.voidf("no sample was accepted")
		return
	}
	t.LostSeconds = float64(t.Lost) / (float64(t.Accepted) / seconds)
}

// judgeAfter holds what came when all was over against a server without excuses.
func (d *ordeal) judgeAfter(found readBack) {
	c := d.after.book.Counts()
	if rest := c.Refused + c.Ambiguous + c.NotSent; rest > 0 || c.Accepted == 0 {
		d.toll.brokenf("after the fault %d samples were accepted and %d were not", c.Accepted, rest)
	}
	if found.lost+found.duplicated+found.phantom+found.zombie > 0 {
		d.toll.brokenf("after the fault: lost %d, duplicated %d, phantom %d, refused and stored %d", found.lost, found.duplicated, found.phantom, found.zombie)
	}
}

// judgeClosing compares the closing lines with the clients' books, unless a process
// ended without one.
func (d *ordeal) judgeClosing() {
	if d.toll.Restarted && (d.Signal == 0 || d.Signal == syscall.SIGKILL) || len(d.toll.Broken) > 0 {
		return
	}
	var said int64
	for _, e := range d.closing {
		said += e.accepted
	}
	if saw := d.toll.Accepted + d.after.book.Counts().Accepted; said < saw {
		d.toll.brokenf("closing lines say %d accepted, clients saw %d", said, saw)
	}
}
