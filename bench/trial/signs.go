package trial

import (
	"math"
	"strings"

	"phase0/loadgen/record"
	"phase0/loadgen/verdict"
)

// Signs are what a measured load showed of itself and of the machine, so that others
// can judge it. What the load generator holds to be wrong with its run is among the
// result's warnings.
type Signs struct {
	// Verdict is the load generator's on its own run.
	Verdict string `json:"verdict"`
	// TrendWindows is the number of equal windows that the trends are computed over;
	// the load generator's are a second or longer. With fewer than eight, as in the windows
	// of the profiles, there are none.
	TrendWindows int `json:"trend_windows,omitempty"`
	// TrendRPS and TrendP50 are Mann and Kendall's z of the windows' accepted requests
	// and median response times.
	TrendRPS float64 `json:"trend_rps_z,omitempty"`
	TrendP50 float64 `json:"trend_p50_z,omitempty"`
	// RunQueueWait is for which share of the time threads of the generator could have
	// run but waited for a core, added up over the threads.
	RunQueueWait float64 `json:"run_queue_wait_share"`
	// GeneratorBusy is the share of a core that its busiest thread used.
	GeneratorBusy float64 `json:"generator_busy_share"`
	// LostSegments counts the TCP segments that were sent again and had not arrived,
	// ListenOverflows the connections that a full accept queue turned away; of the
	// whole machine.
	LostSegments    int64 `json:"lost_segments"`
	ListenOverflows int64 `json:"listen_overflows"`
	// LatenessNS is how late the generator sent by its own fault, at p99 or the highest
	// percentile that there is; 0 in closed loop.
	LatenessNS int64 `json:"lateness_ns"`
}

const (
	trendWindows = 8
	// trendZ is passed by one steady run in a hundred.
	trendZ = 2.58
	// windowRequests is the least that a window's median is computed of.
	windowRequests = 20
)

// fillSigns reads the signs from the load generator's report.
func (r *Result) fillSigns(g record.Result) {
	m := g.Generator.Machine
	s := &Signs{
		Verdict:         string(g.Verdict.Level),
		RunQueueWait:    g.Generator.RunQueueWaitShare,
		GeneratorBusy:   g.Generator.BusiestThreadShare,
		LostSegments:    max(0, m.RetransmittedSegments-m.DuplicateSegments),
		ListenOverflows: m.ListenOverflows,
		LatenessNS:      lateOf(g.OwnLateness),
	}
	s.fillTrends(g)
	r.Signs = s
	told := strings.Contains(strings.Join(g.Verdict.Reasons, " "), "trend")
	if max(math.Abs(s.TrendRPS), math.Abs(s.TrendP50)) > trendZ && !told {
		r.warnf("trend over the window: z is %.1f for accepted requests and %.1f for p50, of %d windows", s.TrendRPS, s.TrendP50, s.TrendWindows)
	}
	if s.ListenOverflows > 0 {
		r.warnf("a full accept queue turned %d connections away", s.ListenOverflows)
	}
}

// lateOf is p99, or the highest percentile below it that there is.
func lateOf(lateness record.Distribution) int64 {
	var ns int64
	for _, p := range lateness.Percentiles {
		if p.Quantile <= 0.99 && p.Unavailable == "" {
			ns = p.NS
		}
	}
	return ns
}

// fillTrends looks at the windows that lie within the measured time as a whole.
func (s *Signs) fillTrends(g record.Result) {
	t := g.Timeline
	if t.SliceSeconds <= 0 {
		return
	}
	var rps, p50 []float64
	for _, slice := range t.Slices[:min(len(t.Slices), int(g.WindowSeconds/t.SliceSeconds))] {
		if slice.Accepted < windowRequests {
			return
		}
		rps, p50 = append(rps, float64(slice.Accepted)), append(p50, float64(slice.P50NS))
	}
	if len(rps) < trendWindows {
		return
	}
	s.TrendWindows, s.TrendRPS, s.TrendP50 = len(rps), verdict.MannKendall(rps), verdict.MannKendall(p50)
}
