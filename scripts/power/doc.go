// Power measures the instrument: how often bench calls a planted slowdown slower, and
// how often it claims a difference between two arms that are the same.
//
// Every repetition is a complete run of bench with two foreign arms, a spinserver and
// the same one made slower by a known share, and the control that bench adds by itself.
// Repetitions are appended to power.json, so that they can be spread over many calls.
package main
