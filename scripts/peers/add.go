package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
)

var errOther = errors.New("of another commit, machine, set of clients, or number of rounds")

// earlier reads the report in dir, so that runs can be added to it.
func earlier(dir string) (*report, error) {
	text, err := os.ReadFile(filepath.Join(filepath.Clean(dir), "peers.json"))
	if err != nil {
		return nil, fmt.Errorf("read report to add to: %w", err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("read report to add to: %w", err)
	}
	return &r, nil
}

// adopt takes the runs of an earlier report over, but for experiments that are done
// anew. Figures of one report must be comparable: all else must agree.
func (r *report) adopt(old *report, anew []string) error {
	a, b := r.Conditions, old.Conditions
	same := old.Schema == r.Schema && old.Rounds == r.Rounds && slices.Equal(old.Tools, r.Tools) &&
		a.Commit == b.Commit && a.Dirty == b.Dirty && a.GoVersion == b.GoVersion &&
		a.Host.Kernel == b.Host.Kernel && a.Host.CPU == b.Host.CPU && a.Host.Cores == b.Host.Cores && reflect.DeepEqual(a.Placement, b.Placement)
	if !same {
		return fmt.Errorf("add to a report: %w", errOther)
	}
	for _, x := range old.Runs {
		if !slices.Contains(anew, x.Experiment) {
			r.Runs = append(r.Runs, x)
		}
	}
	r.Interrupted = old.Interrupted
	return nil
}
