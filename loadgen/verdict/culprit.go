package verdict

import (
	"math"
	"time"

	"phase0/loadgen/record"
)

// culprit names what kept requests from being sent or answered.
func culprit(r record.Result) string {
	switch {
	case shortages(r) > 0:
		return generator
	case broken(r) > r.Accounting.Scheduled/100:
		return server // it was gone or hung up, whatever else was slow
	case ownLateness(r) > latenessFactor*latenessLimit(r), spent(r):
		return ourSide(r)
	case r.Connections.Peak >= r.Connections.Allowed && r.OfferedRPS > carried(r) && r.AchievedRPS > carried(r)/2:
		return pool
	default:
		return server
	}
}

// ourSide tells what made the generator slow: its machine or itself. With other
// programs on its cores it is the machine when threads waited long on average,
// and when the generator had little to do, so that a few long waits were enough.
func ourSide(r record.Result) string {
	g := r.Generator
	shared := g.Machine.OtherCPUShare > otherShare
	leisure := g.BusiestThreadShare <= openCPU && cpuShare(r) <= openCPU
	if g.StealShare > stealShare || shared && (waited(r) || leisure) {
		return machine
	}
	return generator
}

func shortages(r record.Result) int64 {
	kinds := r.Accounting.NeverSentKinds
	return kinds[record.NoLocalPort.String()] + kinds[record.NoFileDescriptors.String()]
}

// broken counts the requests that the server refused to connect or hung up on.
func broken(r record.Result) int64 {
	a := r.Accounting
	return a.NeverSentKinds[record.Refused.String()] + a.NeverSentKinds[record.TLSFailure.String()] + a.FailedKinds[record.Reset.String()] + a.FailedKinds[record.EOF.String()]
}

// carried is the highest rate that the allowed connections can carry when the
// server is always as quick as in its best moment (Little's law). A typical
// service time in its place would make the pool the culprit in every run that
// fell behind: with all connections busy, rate × service time exceeds their
// number by the same law, whether requests queue inside the server or not.
func carried(r record.Result) float64 {
	if r.ServiceTime.MinNS <= 0 {
		return math.Inf(1)
	}
	return float64(r.Connections.Allowed) / quickest(r).Seconds()
}

func quickest(r record.Result) time.Duration { return time.Duration(r.ServiceTime.MinNS) }
