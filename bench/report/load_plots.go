package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	hdr "github.com/HdrHistogram/hdrhistogram-go"

	"phase0/bench/plot"
	"phase0/loadgen/record"
	"phase0/loadgen/schedule"
)

func loadFigures(loads []load) ([]Block, error) {
	var all []Block
	add := func(f Figure, ok bool) {
		if ok {
			all = append(all, f)
		}
	}
	add(ratePlot(loads))
	add(latencyPlot(loads))
	for i, l := range loads {
		f, ok, err := heatPlot(l, i)
		if err != nil {
			return nil, fmt.Errorf("draw %s: %w", l.name, err)
		}
		add(f, ok)
	}
	for _, curves := range []curveSet{
		{"percentiles.svg", "Response and service time by percentile", "Solid: from the moment a request was due; dashed: from its first byte. Where the two part, requests waited before they were sent.",
			func(l load) []kind { return []kind{{"response", l.ResponseTime}, {"service", l.ServiceTime}} }},
		{"lag.svg", "Send lag by percentile", "How late requests left. Solid: in all; dashed: what of it was the generator's own lateness and not the wait for a free connection.",
			func(l load) []kind { return []kind{{"lag", l.SendLag}, {"own", l.OwnLateness}} }},
		{"queries.svg", "Queries beside the load by percentile", "Response time of the queries that were offered beside the load.", queryKinds},
	} {
		f, ok, err := curves.draw(loads)
		if err != nil {
			return nil, err
		}
		add(f, ok)
	}
	add(freshnessPlot(loads))
	return all, nil
}

func queryKinds(l load) []kind {
	if l.Queries == nil {
		return nil
	}
	return []kind{{"queries", l.Queries.ResponseTime}}
}

// label names a series: the run, where there are several, and what of it.
func label(loads []load, l load, what string) string {
	if len(loads) == 1 {
		return what
	}
	return strings.TrimSpace(l.name + " " + what)
}

// ratePlot draws what was offered, sent and accepted, slice by slice.
func ratePlot(loads []load) (Figure, bool) {
	f := plot.XY{
		Title: "Offered and achieved rate over time", X: timeAxis(loads),
		Y: plot.Axis{Title: "requests/s", Min: 0, Max: 1, Format: digitsShort},
	}
	for i, l := range loads {
		switch points := offered(l); {
		case oneOffer(loads) && i == 0:
			f.Series = append(f.Series, plot.Series{Name: "offered", Theory: true, Points: points})
		case !oneOffer(loads):
			f.Series = append(f.Series, plot.Series{Name: label(loads, l, "offered"), Theory: true, Points: points})
		}
		sent := plot.Series{Name: label(loads, l, "sent"), Color: l.color, Plain: true}
		accepted := plot.Series{Name: label(loads, l, "accepted"), Color: l.color, Plain: true, Dashed: true}
		width := l.Timeline.SliceSeconds
		for i, s := range l.Timeline.Slices {
			from := float64(i) * width
			covered := min(width, l.WindowSeconds-from)
			if covered < width/2 { // too short a rest for a rate
				break
			}
			sent.Points = append(sent.Points, plot.Point{X: from + covered/2, Y: float64(s.Sent) / covered})
			accepted.Points = append(accepted.Points, plot.Point{X: from + covered/2, Y: float64(s.Accepted) / covered})
		}
		f.Series = append(f.Series, sent, accepted)
	}
	return xyFigure("rate.svg", "Grey: what the schedule asked for. Sent below it: the generator, or its pool of connections, could not keep up. Accepted below sent: the server refused, failed or took longer.", f)
}

// timeAxis reaches from the start to the end of the longest run.
func timeAxis(loads []load) plot.Axis {
	a := plot.Axis{Title: "time since the start (s)"}
	for _, l := range loads {
		a.Max = max(a.Max, float64(len(l.Timeline.Slices))*l.Timeline.SliceSeconds)
	}
	return a
}

// oneOffer reports whether all runs were to offer the same.
func oneOffer(loads []load) bool {
	return !slices.ContainsFunc(loads, func(l load) bool {
		return l.OfferedRPS != loads[0].OfferedRPS || l.Profile != loads[0].Profile || l.Model != loads[0].Model
	})
}

// offered is the schedule's rate over time; nil for the closed model.
func offered(l load) []plot.Point {
	if l.Model != "open" {
		return nil
	}
	phases, err := schedule.ParseProfile(l.Profile)
	if err != nil { // none, or several in a merged result
		return []plot.Point{{X: 0, Y: l.OfferedRPS}, {X: l.WindowSeconds, Y: l.OfferedRPS}}
	}
	var points []plot.Point
	at := 0.0
	for _, p := range phases {
		points = append(points, plot.Point{X: at, Y: p.From})
		at += p.Duration.Seconds()
		points = append(points, plot.Point{X: at, Y: p.To})
	}
	return points
}

// latencyPlot draws the percentiles of every slice.
func latencyPlot(loads []load) (Figure, bool) {
	f := plot.XY{
		Title: "Response time over time", Subtitle: "Percentiles of the accepted, slice by slice",
		X: timeAxis(loads), Y: plot.Axis{Title: "response time", Log: true, Format: nanosecondsShort},
	}
	for _, l := range loads {
		p50 := plot.Series{Name: label(loads, l, "p50"), Color: l.color, Plain: true}
		p99 := plot.Series{Name: label(loads, l, "p99"), Color: l.color, Plain: true, Dashed: true}
		for i, s := range l.Timeline.Slices {
			at := (float64(i) + 0.5) * l.Timeline.SliceSeconds
			if s.P50NS > 0 {
				p50.Points = append(p50.Points, plot.Point{X: at, Y: float64(s.P50NS)})
			}
			if s.P99NS > 0 {
				p99.Points = append(p99.Points, plot.Point{X: at, Y: float64(s.P99NS)})
			}
		}
		f.Series = append(f.Series, p50, p99)
	}
	return xyFigure("latency.svg", "A request counts in the slice in which it was answered. Slices with too few requests have no percentile.", f)
}

// cellsPerDoubling is how finely a heat map divides the response time.
const cellsPerDoubling = 3

// heatPlot draws how many requests took how long, slice by slice. There is none for
// results without histograms in their slices.
func heatPlot(l load, i int) (f Figure, ok bool, err error) {
	h := plot.Heat{
		Title: "Where response times fell over time: " + l.name, Color: l.color, Unit: "requests",
		X: timeAxis([]load{l}), Y: plot.Axis{Title: "response time", Log: true, Format: nanosecondsShort},
	}
	width := l.Timeline.SliceSeconds
	for k, s := range l.Timeline.Slices {
		histogram, err := s.Histogram()
		if err != nil {
			return f, false, err
		}
		for _, c := range heatColumn(histogram) {
			c.Left, c.Right = float64(k)*width, float64(k+1)*width
			h.Cells = append(h.Cells, c)
		}
	}
	return Figure{
		File: fmt.Sprintf("heat-%d.svg", i+1), Plot: h,
		Alt:     fmt.Sprintf("%s: a map of %d time slices by response time", h.Title, len(l.Timeline.Slices)),
		Caption: "Each column is a slice of time, each row a stretch of response time; the stronger the colour, the more requests, on a logarithmic scale, so that a few slow ones are seen.",
	}, len(h.Cells) > 0, nil
}

// heatColumn counts a histogram's values in stretches of equal ratio.
func heatColumn(h *hdr.Histogram) []plot.Cell {
	if h == nil {
		return nil
	}
	counts := map[int]int64{}
	low, high := math.MaxInt, math.MinInt
	for _, bar := range h.Distribution() {
		if bar.Count == 0 {
			continue
		}
		middle := max(1, float64(bar.From)+float64(bar.To-bar.From)/2)
		i := int(math.Floor(math.Log2(middle) * cellsPerDoubling))
		counts[i] += bar.Count
		low, high = min(low, i), max(high, i)
	}
	edge := func(i int) float64 { return math.Pow(2, float64(i)/cellsPerDoubling) }
	var column []plot.Cell
	for i := low; i <= high; i++ {
		if counts[i] > 0 {
			column = append(column, plot.Cell{Low: edge(i), High: edge(i + 1), Count: counts[i]})
		}
	}
	return column
}

// curveSet is a plot of percentile curves: of each run a solid and a dashed one.
type curveSet struct {
	file, title, caption string
	of                   func(load) []kind
}

func (c curveSet) draw(loads []load) (Figure, bool, error) {
	f := plot.XY{Title: c.title, Subtitle: "Each further nine of the percentile has the same room", Y: plot.Axis{Title: "time", Log: true, Format: nanosecondsShort}}
	last, cut := 0.9, false
	for _, l := range loads {
		for i, k := range c.of(l) {
			points, end, err := tail(k.Distribution)
			if err != nil {
				return Figure{}, false, fmt.Errorf("draw %s: %s: %w", l.name, k.name, err)
			}
			last, cut = max(last, end), cut || k.Censored > 0
			f.Series = append(f.Series, plot.Series{Name: label(loads, l, k.name), Color: l.color, Plain: true, Dashed: i > 0, Points: points})
		}
	}
	f.X = plot.Tail(last)
	caption := c.caption + " Curves end where there are too few requests for a percentile"
	if cut {
		caption += ", or where requests were given up whose times are not known"
	}
	figure, ok := xyFigure(c.file, caption+".", f)
	return figure, ok, nil
}

// tailTicks is how many points a curve has for each halving of the rest to 100 %.
const tailTicks = 8

// tail returns a distribution's percentile curve, with the requests that were given up
// counted as infinitely slow, and the quantile at which it ends. That is the last one
// with a two-sided 95 % interval inside the observations: 1 − qⁿ ≥ 0.975.
func tail(d record.Distribution) (points []plot.Point, last float64, err error) {
	n := float64(d.Count + d.Censored)
	if d.Count == 0 {
		return nil, 0, nil
	}
	h, err := d.Histogram()
	if err != nil {
		return nil, 0, err
	}
	limit := min(math.Pow(0.025, 1/n), float64(d.Count)/n)
	bars, seen := h.Distribution(), int64(0)
	for i := 0; ; i++ {
		q := min(1-math.Pow(2, -float64(i)/tailTicks), limit)
		rank := int64(math.Ceil(q * n))
		for len(bars) > 1 && seen+bars[0].Count < rank {
			seen += bars[0].Count
			bars = bars[1:]
		}
		if bars[0].To > 0 && q < 1 { // less than a nanosecond has no place on the axis
			points = append(points, plot.Point{X: plot.TailX(q), Y: float64(bars[0].To)})
		}
		if q >= limit {
			return points, q, nil
		}
	}
}

// freshnessPlot draws the intervals in which percentiles of freshness lie.
func freshnessPlot(loads []load) (Figure, bool) {
	f := plot.Rows{
		Title: "How soon accepted samples could be queried", Subtitle: "The interval in which the percentile lies, from the last query that missed to the first that hit",
		X: plot.Axis{Title: "time since the acceptance", Log: true, Format: nanosecondsShort},
	}
	for _, l := range loads {
		if l.Freshness == nil {
			continue
		}
		for _, q := range []float64{0.5, 0.9, 0.99} {
			low, _ := l.Freshness.Lower.At(q)
			high, ok := l.Freshness.Upper.At(q)
			if !ok || low.Unavailable != "" || high.Unavailable != "" || high.AtLeast {
				continue
			}
			f.Rows = append(f.Rows, plot.Row{
				Label: label(loads, l, low.Name), Value: percentileText(low) + " to " + percentileText(high), Color: l.color,
				At: math.NaN(), Low: float64(low.NS), High: float64(high.NS),
			})
		}
	}
	return rowsFigure("freshness.svg", "A single probe is never seen exactly: it became visible between two queries.", f)
}
