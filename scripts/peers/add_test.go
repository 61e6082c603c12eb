package main

import (
	"errors"
	"testing"
)

func TestAdopt(t *testing.T) {
	old := example()
	old.Runs = append(old.Runs, run{job: job{Experiment: pacing}})
	dir := t.TempDir()
	if err := write(dir, old); err != nil {
		t.Fatal(err)
	}
	read, err := earlier(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := example()
	r.Runs = nil
	if err := r.adopt(read, []string{closedLoop, stalling, steadiness}); err != nil || len(r.Runs) == 0 || len(r.Runs) == len(old.Runs) {
		t.Errorf("%d runs, error %v; want the pacing ones", len(r.Runs), err)
	}
	for _, x := range r.Runs {
		if x.Experiment != pacing {
			t.Errorf("kept a run of %s", x.Experiment)
		}
	}
	for name, change := range map[string]func(*report){
		"commit":  func(r *report) { r.Conditions.Commit += "0" },
		"rounds":  func(r *report) { r.Rounds++ },
		"clients": func(r *report) { r.Tools = r.Tools[1:] },
		"kernel":  func(r *report) { r.Conditions.Host.Kernel += "0" },
		"changes": func(r *report) { r.Conditions.Dirty = !r.Conditions.Dirty },
	} {
		r := example()
		change(r)
		if err := r.adopt(read, nil); !errors.Is(err, errOther) {
			t.Errorf("%s: error %v, want errOther", name, err)
		}
	}
	if _, err := earlier(t.TempDir()); err == nil {
		t.Error("a report that is not there was read")
	}
}
