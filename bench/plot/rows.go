package plot

import "io"

// Rows is a plot with one measurement per row and its interval along x.
type Rows struct {
	Title    string
	Subtitle string
	X        Axis
	Rows     []Row
	// References are stretches of the x axis to compare with.
	References []Reference
}

// Row is one measurement. Its label stands above its mark, so that long labels
// leave the plot its width on a phone.
type Row struct {
	Label string
	// Value is printed at the right end of the label's line.
	Value string
	// Heading makes the row a heading of those below: a label without a mark.
	Heading bool
	// Color chooses one of the colours; Grey overrides it.
	Color int
	Grey  bool
	// At is the estimate; Low and High its interval, not drawn where they are equal. On
	// a logarithmic axis a bound of 0 is drawn to the axis' end, and an estimate of 0
	// not at all.
	At, Low, High float64
	// Single values, drawn faintly: the trials behind the estimate.
	Trials []float64
}

const (
	rowHeight   = 58.0
	rowLabelTop = 22.0
	// headingHeight leaves room above a heading, so that it belongs to what follows.
	headingHeight = 42.0
)

// WriteTo writes the plot as an SVG document.
func (f Rows) WriteTo(w io.Writer) (int64, error) { return f.draw().writeDocument(w) }

// WriteInline writes the plot as an element of a page.
func (f Rows) WriteInline(w io.Writer, label string) error { return f.draw().writeInline(w, label) }

func (f Rows) draw() *canvas {
	c := &canvas{}
	top := c.heading(f.Title, f.Subtitle)
	s := newScale(f.X, f.values(), edge+8, canvasWidth-edge-8)
	rows, centres, count := stagger(f.referenceLabels(), f.referenceCentres(s), edge, canvasWidth-edge)
	plotTop := top + float64(count)*lineHeight
	bottom := plotTop + 8
	for _, r := range f.Rows {
		bottom += r.height()
	}
	ticks := s.axisTicks(f.X, maxXTicks)
	for _, v := range ticks {
		c.line(s.at(v), plotTop+6, s.at(v), bottom, "grid")
	}
	for i, r := range f.References {
		drawVertical(c, s, r, plotTop+6, bottom)
		c.text(centres[i], plotTop-float64(rows[i])*lineHeight-2, "dim mid", r.Label)
	}
	y := plotTop
	for _, r := range f.Rows {
		r.draw(c, s, y)
		y += r.height()
	}
	c.line(s.from, bottom, s.to, bottom, "axis")
	drawXTicks(c, f.X, s, ticks, bottom)
	end := bottom + tickRoom + 2*lineHeight
	c.text(canvasWidth/2, end, "dim mid", f.X.Title)
	c.height = end + edge
	return c
}

func (f Rows) values() []float64 {
	var values []float64
	for _, r := range f.Rows {
		if r.Heading {
			continue
		}
		values = append(append(values, r.At), r.Trials...)
		if r.Low != r.High {
			values = append(values, r.Low, r.High)
		}
	}
	for _, r := range f.References {
		values = append(values, r.From, r.To)
	}
	return values
}

func (f Rows) referenceLabels() []string {
	labels := make([]string, len(f.References))
	for i, r := range f.References {
		labels[i] = r.Label
	}
	return labels
}

func (f Rows) referenceCentres(s scale) []float64 {
	centres := make([]float64, len(f.References))
	for i, r := range f.References {
		centres[i] = (s.at(r.From) + s.at(r.To)) / 2
	}
	return centres
}

func drawVertical(c *canvas, s scale, r Reference, top, bottom float64) {
	if r.From == r.To {
		c.line(s.at(r.From), top, s.at(r.From), bottom, "ref")
		return
	}
	c.rect(s.at(r.From), top, s.at(r.To)-s.at(r.From), bottom-top, "band")
}

// height is a line more where label and value do not fit on one line.
func (r Row) height() float64 {
	if r.Heading {
		return headingHeight
	}
	if textWidth(r.Label+r.Value, labelSize)+labelSize > canvasWidth-2*edge {
		return rowHeight + lineHeight
	}
	return rowHeight
}

func (r Row) draw(c *canvas, s scale, top float64) {
	class := color(r.Color)
	if r.Grey {
		class = "r"
	}
	if r.Heading {
		c.text(edge, top+headingHeight-10, "dim", r.Label)
		return
	}
	c.text(edge, top+rowLabelTop+4, "", r.Label)
	top += r.height() - rowHeight
	c.text(canvasWidth-edge, top+rowLabelTop+4, "end f"+class, r.Value)
	y := top + rowLabelTop + 22
	for _, v := range r.Trials {
		c.dot(s.at(v), y, markSize-1, "faint f"+class)
	}
	if r.Low != r.High && s.drawable(r.High) {
		c.line(s.at(r.Low), y, s.at(r.High), y, "range s"+class)
		if !s.drawable(r.At) { // a bound alone: where it ends must be seen
			c.line(s.at(r.High), y-markSize-2, s.at(r.High), y+markSize+2, "range s"+class)
		}
	}
	if s.drawable(r.At) {
		c.dot(s.at(r.At), y, markSize+2, "f"+class)
	}
}
