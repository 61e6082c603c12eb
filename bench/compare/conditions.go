package compare

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"phase0/bench/experiment"
)

// difference is a condition in which two runs differ.
type difference struct{ name, a, b string }

// names gives conditions the words that people use. Those that are not here keep the
// path that they have in run.json.
func names() map[string]string {
	return map[string]string{
		"commit": "commit", "dirty": "uncommitted changes", "go_version": "go version", "host.boot_id": "boot",
		"host.cpu": "machine: CPU", "host.cores": "machine: cores", "host.memory_bytes": "machine: memory", "host.kernel": "kernel",
		"host.file_system": "file system of the data", "host.clocksource": "clock", "profile.name": "profile",
	}
}

// differences lists the conditions in which a and b differ, by name. Arms count as
// one: their flags say how durable a server was.
func differences(a, b *experiment.Run) ([]difference, error) {
	first, err := conditionsOf(a)
	if err != nil {
		return nil, err
	}
	second, err := conditionsOf(b)
	if err != nil {
		return nil, err
	}
	var all []difference
	keys := maps.Clone(first)
	maps.Copy(keys, second)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if x, y := first[key], second[key]; x != y {
			all = append(all, difference{named(key), shown(x), shown(y)})
		}
	}
	return all, nil
}

func named(key string) string {
	if name, ok := names()[key]; ok {
		return name
	}
	return strings.ReplaceAll(key, "_", " ")
}

// maxShown bounds a value in the banner; a list of modules is long.
const maxShown = 60

func shown(value string) string {
	switch {
	case value == "":
		return "not stored"
	case utf8.RuneCountInString(value) > maxShown:
		return string([]rune(value)[:maxShown-1]) + "…"
	}
	return value
}

// conditionsOf returns all that the figures of a run depend on, by path.
func conditionsOf(r *experiment.Run) (map[string]string, error) {
	flat := map[string]string{"seed": fmt.Sprint(r.Seed)}
	c := r.Conditions
	c.Command = nil // says how the run was called; what that led to stands in the rest
	if err := flatten(flat, "", c); err != nil {
		return nil, err
	}
	if err := flatten(flat, "profile", r.Profile); err != nil {
		return nil, err
	}
	for _, arm := range r.Arms {
		if err := flatten(flat, "arm "+arm.Name, arm); err != nil {
			return nil, err
		}
	}
	delete(flat, "command")
	delete(flat, "placement.why") // the same in words
	return flat, nil
}

// flatten adds the leaves of v's JSON form under a path; lists are leaves.
func flatten(into map[string]string, path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("compare conditions: %w", err)
	}
	var object map[string]json.RawMessage
	if text[0] != '{' || json.Unmarshal(text, &object) != nil {
		into[path] = strings.Trim(string(text), `"`)
		return nil
	}
	for key, value := range object {
		if err := flatten(into, strings.TrimPrefix(path+"."+key, "."), value); err != nil {
			return err
		}
	}
	return nil
}
