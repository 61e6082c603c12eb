package verdict

import (
	"fmt"
	"net/netip"
	"net/url"

	"phase0/loadgen/record"
)

// The gates on the machine.
const (
	stealShare = 0.01
	// Of the generator's cores, used by others: no fault by itself, since the
	// server may be among them, but the cause when threads waited.
	otherShare = 0.1
	// TCP segments lost, per request.
	lostShare = 0.001
)

func steal(r record.Result) *finding {
	if r.Generator.StealShare <= stealShare {
		return nil
	}
	reason := fmt.Sprintf("the hypervisor gave %.1f %% of the CPU time to others", 100*r.Generator.StealShare)
	return &finding{record.Degraded, reason, machine}
}

// network fails when more segments were lost than the odd one: each costs its
// request up to 200 ms, and a connection that is being made a second. Segments
// that were only acknowledged late are sent again too, which costs nothing; a
// busy machine has many of them on loopback.
func network(r record.Result) *finding {
	m := r.Generator.Machine
	lost := m.RetransmittedSegments - m.DuplicateSegments
	if lost <= 1 || float64(lost) <= lostShare*float64(r.Accounting.Sent) {
		return nil
	}
	who, why := machine, "the network or this machine lost packets"
	if m.ListenOverflows > 0 && onLoopback(r.URL) {
		who, why = server, fmt.Sprintf("the server's accept queue overflowed %d times", m.ListenOverflows)
	}
	reason := fmt.Sprintf("%d TCP segments were lost and sent again for %d requests: %s", lost, r.Accounting.Sent, why)
	return &finding{record.Degraded, reason, who}
}

// onLoopback reports whether the server is on this machine for certain, so that
// its accept queue is one of those that were watched.
func onLoopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}
