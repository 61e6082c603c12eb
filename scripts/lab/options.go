package lab

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Exit codes of the measuring programs.
const (
	ExitFailed      = 1
	ExitUsage       = 2
	ExitInterrupted = 130
)

var (
	// ErrUsage is wrapped by errors about the command line.
	ErrUsage = errors.New("usage")
	// ErrInterrupted is returned when not all planned runs were done.
	ErrInterrupted = errors.New("interrupted")
)

// Choose splits a list of names, separated by commas, and checks them. An empty list
// chooses nothing.
func Choose(flag, list string, known []string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	chosen := strings.Split(list, ",")
	for _, c := range chosen {
		if !slices.Contains(known, c) {
			return nil, fmt.Errorf("%w: %s: %q is none of %s", ErrUsage, flag, c, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}
