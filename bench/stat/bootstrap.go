package stat

import (
	"math/rand/v2"
	"slices"
)

// resamples is the number of bootstrap draws. At 10,000 the ends of a 95 %
// interval move by less than a tenth of its width from seed to seed.
const resamples = 10_000

// bootStream keeps the bootstrap's numbers apart from everything else that is
// drawn from the same seed.
const bootStream = 0x626f6f74

// bootstrapPaired resamples the differences d and returns the percentile
// interval of their Hodges–Lehmann estimate.
func bootstrapPaired(d []float64, seed uint64) (low, high float64) {
	rng := rand.New(rand.NewPCG(seed, bootStream))
	draw := make([]float64, len(d))
	var walsh []float64
	return percentileInterval(resamples, func() float64 {
		resample(rng, draw, d)
		walsh = appendWalsh(walsh[:0], draw)
		return middle(walsh)
	})
}

func resample(rng *rand.Rand, into, from []float64) {
	for i := range into {
		into[i] = from[rng.IntN(len(from))]
	}
}

func percentileInterval(n int, draw func() float64) (low, high float64) {
	estimates := make([]float64, n)
	for i := range estimates {
		estimates[i] = draw()
	}
	slices.Sort(estimates)
	cut := n / 40
	return estimates[cut], estimates[n-1-cut]
}
