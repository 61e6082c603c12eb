package platform

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"phase0/server/alerting/poll"
	"phase0/server/alerting/stream"
	"phase0/server/disk"
	"phase0/server/ingest"
	"phase0/server/ingest/concurrent"
	"phase0/server/ingest/single"
	"phase0/server/query"
	"phase0/server/query/parallel"
	"phase0/server/query/scan"
	"phase0/server/queue"
	"phase0/server/queue/bounded"
	"phase0/server/queue/memory"
	"phase0/server/queue/wal"
	"phase0/server/storage"
	"phase0/server/storage/batched"
	"phase0/server/storage/jsonl"
)

// The mechanisms of each component by name. A new one is one line here and a package
// beside the others.
var (
	ingests = map[string]func(ingest.Options) ingest.Server{
		"single":     func(o ingest.Options) ingest.Server { return single.New(o) },
		"concurrent": func(o ingest.Options) ingest.Server { return concurrent.New(o) },
	}
	queues = map[string]func(wal.Config) (queue.Queue, error){
		"memory":  func(wal.Config) (queue.Queue, error) { return memory.New(), nil },
		"bounded": func(c wal.Config) (queue.Queue, error) { return bounded.New(c.Limit) },
		"wal":     func(c wal.Config) (queue.Queue, error) { return wal.Open(c) },
	}
	storages = map[string]func(disk.FS, string) (storage.Store, error){
		"jsonl":   func(fsys disk.FS, path string) (storage.Store, error) { return jsonl.New(fsys, path) },
		"batched": func(fsys disk.FS, path string) (storage.Store, error) { return batched.New(fsys, path) },
	}
	queries = map[string]func(storage.Store) query.Engine{
		"scan":     func(s storage.Store) query.Engine { return scan.New(s) },
		"parallel": func(s storage.Store) query.Engine { return parallel.New(s) },
	}
	alertings = map[string]func(alertingOptions) ruleEngine{
		"poll": func(o alertingOptions) ruleEngine {
			return poll.New(poll.Config{Rules: o.rules, Query: o.query, Notifier: o.notifier, Interval: o.interval, MaxActive: o.limits.Active, Log: o.log})
		},
		"stream": func(o alertingOptions) ruleEngine {
			return stream.New(stream.Config{
				Rules: o.rules, Query: o.query, Store: o.store, Notifier: o.notifier, Memory: o.memory, Log: o.log,
				Limits: o.limits, Repeat: o.repeat, GroupWait: o.groupWait,
			})
		},
	}
)

// presets are the modes: a name for five choices.
var presets = map[string]Components{
	"single":     {Ingest: "single", Queue: "memory", Storage: "jsonl", Query: "scan", Alerting: "poll"},
	"concurrent": {Ingest: "concurrent", Queue: "bounded", Storage: "batched", Query: "parallel", Alerting: "stream"},
}

// Components names the mechanism of each component. The names are those of the
// packages, the flags' values and the benchmark's keys.
type Components struct {
	Ingest, Queue, Storage, Query, Alerting string
}

// Mode returns the components that a mode stands for.
func Mode(name string) (Components, error) {
	if err := known("mode", name, presets); err != nil {
		return Components{}, err
	}
	return presets[name], nil
}

// Or fills what c leaves empty from preset.
func (c Components) Or(preset Components) Components {
	or := func(a, b string) string {
		if a != "" {
			return a
		}
		return b
	}
	return Components{
		Ingest:   or(c.Ingest, preset.Ingest),
		Queue:    or(c.Queue, preset.Queue),
		Storage:  or(c.Storage, preset.Storage),
		Query:    or(c.Query, preset.Query),
		Alerting: or(c.Alerting, preset.Alerting),
	}
}

// With returns the components with one of them, named as its flag, replaced; other
// keys change nothing.
func (c Components) With(key, mechanism string) Components {
	for name, field := range c.fields() {
		if name == key {
			*field = mechanism
		}
	}
	return c
}

// Map returns the choices by the name of the component.
func (c Components) Map() map[string]string {
	all := map[string]string{}
	for name, field := range c.fields() {
		all[name] = *field
	}
	return all
}

func (c *Components) fields() map[string]*string {
	return map[string]*string{"ingest": &c.Ingest, "queue": &c.Queue, "storage": &c.Storage, "query": &c.Query, "alerting": &c.Alerting}
}

// String prints the choices.
func (c Components) String() string {
	return fmt.Sprintf("ingest=%s queue=%s storage=%s query=%s alerting=%s", c.Ingest, c.Queue, c.Storage, c.Query, c.Alerting)
}

// validate refuses names that no mechanism has.
func (c Components) validate() error {
	for _, err := range []error{
		known("ingest", c.Ingest, ingests),
		known("queue", c.Queue, queues),
		known("storage", c.Storage, storages),
		known("query", c.Query, queries),
		known("alerting", c.Alerting, alertings),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

func known[T any](flag, name string, all map[string]T) error {
	if _, ok := all[name]; ok {
		return nil
	}
	return fmt.Errorf("%w: unknown -%s %q; known: %s", ErrConfig, flag, name, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
}
