package platform

import (
	"context"
	"time"
)

// alertingErr tells why alerts may be missing at present. An engine that reads storage each
// time is never behind.
func (p *Platform) alertingErr() error {
	if e, ok := p.alerting.(interface{ Behind() error }); ok {
		return e.Behind()
	}
	return nil
}

// startAlerting lets alerting begin, and waits for what it has to read if that takes no longer
// than a start may take without a word; then health says that it goes on.
func (p *Platform) startAlerting(ctx context.Context) {
	p.alerting.Start()
	for begun := time.Now(); p.alertingErr() != nil && time.Since(begun) < quietStart && ctx.Err() == nil; {
		time.Sleep(time.Millisecond)
	}
}
