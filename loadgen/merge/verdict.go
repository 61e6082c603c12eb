package merge

import (
	"fmt"
	"slices"
	"strings"

	"phase0/loadgen/record"
)

// judge returns the worst verdict of all runs, with every reason of each and the
// doubts about their sum, which make it DEGRADED at best.
func judge(runs []record.Result, doubts []string) record.Verdict {
	v := record.Verdict{Level: record.Valid, Reasons: slices.Clip(doubts)}
	if v.Reasons == nil {
		v.Reasons = []string{}
	}
	if len(doubts) > 0 {
		v.Level = record.Degraded
	}
	for _, r := range runs {
		if badness(r.Verdict.Level) > badness(v.Level) {
			v.Level, v.Bottleneck = r.Verdict.Level, ""
		}
		if v.Bottleneck == "" && r.Verdict.Level == v.Level {
			v.Bottleneck = r.Verdict.Bottleneck
		}
		for _, reason := range r.Verdict.Reasons {
			v.Reasons = append(v.Reasons, fmt.Sprintf("run %s: %s", r.RunID, reason))
		}
	}
	return v
}

// badness takes a level that is not known for the worst.
func badness(l record.Level) int {
	switch l {
	case record.Valid:
		return 0
	case record.Degraded:
		return 1
	default:
		return 2
	}
}

func toolVersion(r record.Result) string { return r.ToolVersion }
func profile(r record.Result) string     { return r.Profile }

func engine(r record.Result) string { return r.Engine }

// differences says in what the runs differ that should be the same.
func differences(runs []record.Result) []string {
	var doubts []string
	for _, f := range []struct {
		name string
		of   func(record.Result) string
	}{
		{"engine", engine},
		{"tool version", toolVersion},
		{"keep-alive", func(r record.Result) string { return fmt.Sprint(r.KeepAlive) }},
		{"timeout in seconds", func(r record.Result) string { return fmt.Sprint(r.TimeoutSeconds) }},
	} {
		doubts = append(doubts, differing(runs, f.name, f.of)...)
	}
	return doubts
}

// differing returns one doubt when the values are not all the same.
func differing[T any](of []T, name string, value func(T) string) []string {
	values := distinct(of, value)
	if len(values) < 2 {
		return nil
	}
	return []string{fmt.Sprintf("the runs differ in %s: %s", name, strings.Join(values, ", "))}
}

// joined returns the value that all have, or all the different ones.
func joined[T any](of []T, value func(T) string) string {
	return strings.Join(distinct(of, value), " + ")
}

func distinct[T any](of []T, value func(T) string) []string {
	var values []string
	for _, v := range of {
		values = append(values, value(v))
	}
	slices.Sort(values)
	return slices.Compact(values)
}
