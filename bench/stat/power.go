package stat

import "math"

// Power is the probability with which a difference that Visible calls visible is
// found.
const Power = 0.80

// Two properties of the signed-rank interval of n pairs, n from MinPairs to MaxPairs,
// in units of the standard deviation of one pair's log ratio: the mean half-width,
// and by how much the truth must lie beyond an edge for the whole interval to lie
// there with probability Power. Both from 100,000 simulated sets of normal
// differences for each n; TestPowerTables repeats some of them.
var (
	halfWidths = [...]float64{
		1.269, 0.929, 0.883, 0.814, 0.712, 0.698, 0.660, 0.610, 0.579, 0.560, 0.550, 0.529, 0.504, 0.486, 0.475,
		0.468, 0.456, 0.440, 0.428, 0.420, 0.409, 0.402, 0.397, 0.388, 0.379, 0.375, 0.366, 0.362, 0.356, 0.349,
		0.344, 0.340, 0.334, 0.331, 0.325, 0.321, 0.318, 0.314, 0.309, 0.307, 0.302, 0.300, 0.297, 0.293, 0.290,
	}
	powerShifts = [...]float64{
		1.797, 1.330, 1.250, 1.149, 1.018, 0.989, 0.937, 0.870, 0.828, 0.800, 0.781, 0.752, 0.720, 0.696, 0.678,
		0.666, 0.649, 0.627, 0.611, 0.600, 0.585, 0.574, 0.566, 0.553, 0.540, 0.535, 0.523, 0.517, 0.509, 0.500,
		0.491, 0.486, 0.477, 0.471, 0.464, 0.460, 0.455, 0.448, 0.442, 0.438, 0.432, 0.428, 0.423, 0.418, 0.414,
	}
)

// Spread estimates the standard deviation of one pair's log ratio from the width of
// the interval, which like the interval bears a stray trial. It is 0 where there is no
// interval or no pairs behind it. With ten pairs it is itself known to a quarter only.
func (e Effect) Spread() float64 {
	if !e.HasP || e.N < MinPairs || e.N > MaxPairs {
		return 0
	}
	return e.HalfWidth() / halfWidths[e.N-MinPairs]
}

// Visible returns the smallest relative difference, 0.06 for 6 %, that Judge calls
// faster or slower with probability Power when n pairs have the given spread. It
// returns 0 where n pairs can show none.
func Visible(spread float64, n int, delta float64) float64 {
	if n < MinPairs || n > MaxPairs {
		return 0
	}
	// A gain must be a little larger than a loss to be seen, on this scale; it holds
	// for both then.
	return (1+delta)*math.Exp(spread*powerShifts[n-MinPairs]) - 1
}
