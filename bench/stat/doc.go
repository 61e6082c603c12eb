// Package stat turns paired trials into a claim that holds: the ratio of two
// arms, its exact interval, and a verdict against a band of differences too
// small to matter.
//
// Compare takes one scalar per trial, paired by block, and returns an Effect:
// the Hodges–Lehmann estimate of the log ratio with the interval that inverts
// Wilcoxon's signed-rank test, its exact p-value, and a bootstrap interval as a
// cross-check. Judge reads an Effect against a practical band; Holm corrects the
// p-values of a family, and Simultaneous widens the intervals for it. Visible says
// what a number of pairs can see, given the Spread of an A/A effect.
//
// Quantile, Describe, FitRaster (delays of a polling engine), FitPowerLaw (time
// against size) and ClopperPearson (how often something is lost) describe single arms.
//
// The package draws random numbers only from seeds that it is given, so that the
// same input prints the same report. All functions are pure and may be called
// from any goroutine.
//
// Sources: Hodges and Lehmann (1963), Hollander and Wolfe, "Nonparametric
// Statistical Methods", chapter 3; Holm (1979); Clopper and Pearson (1934).
package stat
