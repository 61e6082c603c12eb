package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"phase0/bench/experiment"
	"phase0/bench/report"
	"phase0/bench/trial"
)

// Verify recomputes what the results in dir say. The error tells that there are no
// results that can be read; differences are no error.
func Verify(dir string) (Findings, error) {
	f := Findings{Dir: dir}
	text, err := readFile(filepath.Join(dir, RunFile))
	if err != nil {
		return f, err
	}
	r, err := decode(text)
	if err != nil {
		return f, fmt.Errorf("read %s: %w", filepath.Join(dir, RunFile), err)
	}
	files, err := recompute(r)
	if err != nil {
		return f, fmt.Errorf("recompute %s: %w", dir, err)
	}
	f.verifyRun(text, files[RunFile])
	f.verifyTrials(r.Trials)
	if err := f.verifyFiles(files); err != nil {
		return f, err
	}
	return f, f.verifySums()
}

// recompute concludes from a run's trials and renders all of its files.
func recompute(r *experiment.Run) (files map[string][]byte, err error) {
	// A run.json that somebody made can hold what no plan holds, such as a rate of 0.
	// Whatever breaks over it is the file's fault.
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%w: %v", ErrForeign, fault)
		}
	}()
	r.Findings, r.Warnings = experiment.Findings{}, nil
	r.Conclude()
	return report.Files(r)
}

// verifyRun compares run.json with what its own trials lead to. Whatever bench would
// not have written, and be it a space, is a difference.
func (f *Findings) verifyRun(stored, recomputed []byte) {
	f.Files++
	have, err := tree(stored)
	if err != nil {
		f.add(RunFile, "text", err.Error(), "JSON")
		return
	}
	want, err := tree(recomputed)
	if err != nil {
		f.add(RunFile, "text", "JSON", err.Error())
		return
	}
	before := len(f.Differences)
	f.compareTrees("", have, want)
	if len(f.Differences) == before && !bytes.Equal(stored, recomputed) {
		f.compareText(RunFile, stored, recomputed)
	}
}

// verifyTrials checks figures of a trial that follow from others in it.
func (f *Findings) verifyTrials(trials []trial.Result) {
	for i, t := range trials {
		f.verifyMean(i, &t, trial.UnitDetect, "delays_ns", t.DelaysNS)
		f.verifyMean(i, &t, trial.UnitArrive, "arrivals_ns", t.ArrivalsNS)
	}
}

// verifyMean compares a figure of trial i with the delays that it is the mean of.
func (f *Findings) verifyMean(i int, t *trial.Result, unit, name string, delays []int64) {
	stored, ok := t.Value(unit)
	if !ok || len(delays) == 0 {
		return
	}
	sum := 0.0
	for _, d := range delays {
		sum += float64(d)
	}
	f.Values++
	if mean := sum / float64(len(delays)); math.Abs(mean-stored) > 1e-9*math.Abs(mean) {
		where := fmt.Sprintf("trials[%d].values.%s", i, unit)
		f.add(RunFile, where, fmt.Sprint(stored), fmt.Sprintf("%v, the mean of %s", mean, name))
	}
}

// verifyFiles compares the other files with those that were rendered anew.
func (f *Findings) verifyFiles(files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name == RunFile || name == report.SumsFile {
			continue
		}
		f.Files++
		stored, err := readFile(filepath.Join(f.Dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			f.add(name, "file", "nothing", fmt.Sprintf("%d bytes", len(files[name])))
		case err != nil:
			return err
		default:
			f.compareText(name, stored, files[name])
		}
	}
	return nil
}

// verifySums compares every file of the directory with its checksum.
func (f *Findings) verifySums() error {
	text, err := readFile(filepath.Join(f.Dir, report.SumsFile))
	if errors.Is(err, fs.ErrNotExist) {
		f.add(report.SumsFile, "file", "nothing", "a checksum of every file")
		return nil
	}
	if err != nil {
		return err
	}
	f.Files++
	sums, bad := parseSums(text)
	for _, line := range bad {
		f.add(report.SumsFile, fmt.Sprintf("line %d", line), "not a checksum and a name", "both")
	}
	present, err := f.present()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(present)) {
		if _, ok := sums[name]; !ok {
			f.add(name, "checksum", "nothing in "+report.SumsFile, present[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		f.Values++
		switch got, ok := present[name]; {
		case !ok:
			f.add(name, "file", "nothing", "sha256 "+sums[name])
		case got != sums[name]:
			f.add(name, "checksum", sums[name], got)
		}
	}
	return nil
}

// present returns the checksums of the files that are there.
func (f *Findings) present() (map[string]string, error) {
	sums := map[string]string{}
	err := filepath.WalkDir(f.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(f.Dir, path)
		if err != nil || name == report.SumsFile {
			return err
		}
		if !entry.Type().IsRegular() {
			f.add(name, "file", "not a regular file", "a regular file")
			return nil
		}
		content, err := readFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		sums[filepath.ToSlash(name)] = hex.EncodeToString(sum[:])
		return nil
	})
	return sums, err
}

var sumLine = regexp.MustCompile(`^([0-9a-f]{64}) [ *]([^\x00]+)$`)

// parseSums reads the format of sha256sum and returns the numbers of lines that are
// not of it.
func parseSums(text []byte) (sums map[string]string, bad []int) {
	sums = map[string]string{}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		m := sumLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			bad = append(bad, number)
			continue
		}
		sums[m[2]] = m[1]
	}
	return sums, bad
}
