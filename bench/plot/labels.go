package plot

import (
	"cmp"
	"slices"
)

// box is a rectangle that a label or a mark covers.
type box struct{ left, top, right, bottom float64 }

func (b box) overlaps(o box) bool {
	return b.left < o.right && o.left < b.right && b.top < o.bottom && o.top < b.bottom
}

// textBox is the box of a label whose baseline starts at (x, y).
func textBox(x, y float64, s string) box {
	return box{left: x - 3, top: y - labelSize, right: x + textWidth(s, labelSize) + 3, bottom: y + 5}
}

// clearest returns the candidate baseline start at which s covers the fewest of
// the taken boxes; the first of equals wins.
func clearest(candidates []position, s string, taken []box) position {
	best, fewest := candidates[0], len(taken)+1
	for _, p := range candidates {
		covered := 0
		for _, t := range taken {
			if textBox(p.x, p.y, s).overlaps(t) {
				covered++
			}
		}
		if covered < fewest {
			best, fewest = p, covered
		}
	}
	return best
}

// spread moves the wanted coordinates apart to at least gap, keeping their order
// and staying between low and high as far as they all fit there.
func spread(wanted []float64, gap, low, high float64) []float64 {
	order := make([]int, len(wanted))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(wanted[a], wanted[b]) })
	placed := slices.Clone(wanted)
	next := low
	for _, i := range order {
		placed[i] = max(placed[i], next)
		next = placed[i] + gap
	}
	limit := high
	for _, i := range slices.Backward(order) {
		placed[i] = min(placed[i], limit)
		limit = placed[i] - gap
	}
	return placed
}

// stagger assigns each label, centred at x, the lowest row in which it touches no
// earlier label, and returns the rows and how many there are. Labels are shifted
// inside [low, high]; centres holds where they end up.
func stagger(labels []string, x []float64, low, high float64) (rows []int, centres []float64, count int) {
	rows, centres = make([]int, len(labels)), make([]float64, len(labels))
	var taken [][]box
	for i, s := range labels {
		half := textWidth(s, labelSize) / 2
		centres[i] = min(max(x[i], low+half), high-half)
		span := box{left: centres[i] - half - 5, right: centres[i] + half + 5, top: 0, bottom: 1}
		row := 0
		for row < len(taken) && slices.ContainsFunc(taken[row], span.overlaps) {
			row++
		}
		if row == len(taken) {
			taken = append(taken, nil)
		}
		taken[row] = append(taken[row], span)
		rows[i] = row
	}
	return rows, centres, len(taken)
}
