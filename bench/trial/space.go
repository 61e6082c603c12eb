package trial

import "time"

// Space is what trials write to the file system of a harness' directory: estimates that
// are meant to be too large rather than too small.
type Space struct {
	// Prepared is a file that stays until the end of the run, if it has any points.
	Prepared Points
	// Bytes are those of a trial's own files, which go with it.
	Bytes int64
}

const (
	// sampleBytes of disk may a stored sample take: a line of the file, and the record of
	// a queue that is on disk, too.
	sampleBytes = 250
	// pointBytes of disk are the most that a prepared point takes.
	pointBytes = int64(len(`{"name":"series_7","value":99.99,"timestamp":1696789234567}` + "\n"))
	// fastestSamples per second are stored where the server sets the pace.
	fastestSamples = 60_000
	// fastestBatched is the same where a request carries many. Each of those takes less: the
	// log of a durable queue is shortened as it is stored.
	fastestBatched = 6_000_000
	batchedBytes   = 120
)

// Bytes is the size that a file of these points has at most.
func (p Points) Bytes() int64 { return int64(p.N) * pointBytes }

// stored is the space that samples take that come at a rate; 0 stands for the server's
// own.
func stored(rate int, d time.Duration) int64 {
	if rate == 0 {
		rate = fastestSamples
	}
	return int64(float64(rate)*d.Seconds()) * sampleBytes
}

// Space implements Spec.
func (l Load) Space() Space {
	if l.Batch > 1 && l.Rate == 0 {
		return Space{Bytes: int64(fastestBatched*(l.Warmup+l.Window).Seconds()) * batchedBytes}
	}
	return Space{Bytes: stored(l.Rate*max(1, l.Batch), l.Warmup+l.Window)}
}

// Space implements Spec.
func (f Freshness) Space() Space { return f.load().Space() }

// Space implements Spec.
func (l Loss) Space() Space { return Space{Bytes: stored(l.Rate, l.Warmup+l.Window)} }

// Space implements Spec. What is offered beyond the knee is not stored.
func (k Knee) Space() Space { return Space{Bytes: stored(0, k.Limit)} }

// Space implements Spec: an unbounded queue stores all that is offered.
func (o Overload) Space() Space {
	o = o.withDefaults()
	offered := o.nominal() * (calibrateFactor*(fillTime+o.Calibrate).Seconds() + o.Factor*o.Window.Seconds())
	return Space{Bytes: int64(offered) * sampleBytes}
}

// Space implements Spec. Where there are no hard links, the file is copied.
func (q Query) Space() Space { return Space{Prepared: q.Points, Bytes: q.Points.Bytes()} }

// Space implements Spec: the server gets a copy.
func (m Mixed) Space() Space {
	return Space{Prepared: m.Points, Bytes: m.Points.Bytes() + m.load().Space().Bytes}
}

// Space implements Spec. The longest trial is that of the slowest pace.
func (a Alert) Space() Space {
	bytes := int64(max(a.Rules, hosts)+2*(a.Probes+a.decoys())) * sampleBytes
	longest := a.load(Arm{}).Window
	for arm := range a.Paces {
		longest = max(longest, a.load(Arm{Name: arm}).Window)
	}
	if a.Rate > 0 {
		bytes += stored(a.Rate, longest)
	}
	return Space{Bytes: bytes}
}
