//go:build !race

package main

// memoryFactor is how much memory a byte takes under the race detector; see race_test.go.
const memoryFactor = 1
