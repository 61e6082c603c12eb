//go:build race

package main

// memoryFactor is what the race detector makes of a byte of memory: itself and four
// that shadow it.
const memoryFactor = 5
