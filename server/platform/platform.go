// Package platform wires the five components together. It is the only package that
// knows every mechanism: a Config goes in, a running platform comes out.
//
// The life of a sample: ingest accepts a connection → api decodes the body → queue
// holds the sample → consumer pops it → storage appends it → query and alerting read
// it back from the file.
package platform

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"

	"github.com/rs/zerolog"

	"phase0/server/alerting"
	"phase0/server/alerting/notify"
	"phase0/server/alerting/notify/outbox"
	"phase0/server/alerting/rule"
	"phase0/server/api"
	"phase0/server/consumer"
	"phase0/server/disk"
	"phase0/server/ingest"
	"phase0/server/output"
	"phase0/server/query"
	"phase0/server/queue"
	"phase0/server/queue/bounded"
	"phase0/server/queue/wal"
	"phase0/server/storage"
	"phase0/server/telemetry"
	"phase0/server/telemetry/timing"
)

// Platform is the five components, connected and listening. Create it with Open,
// then call Run once; the components are there when Run has read what it has to.
type Platform struct {
	cfg    Config
	log    zerolog.Logger
	stdout io.Writer      // never waits for whoever reads it
	output *output.Writer // where it ends

	lock       *disk.Lock
	outboxLock *disk.Lock // nil for an outbox beside the storage file
	rules      []rule.Rule
	store      storage.Store
	queue      queue.Queue
	wal        *wal.Queue // the same, nil for a queue that is not durable
	consumer   *consumer.Consumer
	engine     query.Engine
	receivers  []notify.Receiver
	outbox     *outbox.Outbox // nil when there is nothing to deliver or to remember
	notifier   alerting.Notifier
	alerting   ruleEngine
	handler    *api.Handler
	metrics    *telemetry.Metrics
	current    atomic.Pointer[api.Handler] // handler, or another one until that is there
	starting   starting
	complete   chan struct{} // closed when everything above is there
	reloading  chan struct{} // held by whoever reads the rules again and puts them to work
	listener   *ingest.Listener
	server     ingest.Server
	profiler   *profiler

	base   context.Context // ends when work under way is given up
	giveUp context.CancelFunc
}

// Open checks everything that can be checked at once and binds the address last: when it
// returns an error, nothing listens and no sample was touched. Errors that wrap
// ErrConfig are the caller's to mend in the configuration. What the seed prints goes
// to stdout, from another goroutine, while Run runs; logs go to log.
func Open(cfg Config, stdout io.Writer, log zerolog.Logger) (*Platform, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	base, giveUp := context.WithCancel(context.Background())
	out := output.New(stdout)
	p := &Platform{cfg: cfg, log: log, stdout: out.Source(), output: out, base: base, giveUp: giveUp, complete: make(chan struct{}), reloading: make(chan struct{}, 1), starting: starting{log: log}}
	for _, step := range []func() error{p.openRules, p.openReceivers, p.openLock, p.checkStorage, p.openNotifier, p.openProfiler, p.openIngest} {
		if err := step(); err != nil {
			p.release()
			return nil, err
		}
	}
	return p, nil
}

// Addr returns the address that the platform listens on.
func (p *Platform) Addr() string { return p.listener.Addr().String() }

func (p *Platform) openLock() (err error) {
	if p.lock, err = disk.Acquire(resolve(p.cfg.Data)); err != nil {
		return fmt.Errorf("open storage: %w; choose another file with -data", err)
	}
	return nil
}

// resolve follows symbolic links, so that two names of one file share its lock. A file
// that does not exist yet has no other name.
func resolve(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

func (p *Platform) checkStorage() error {
	if err := storage.Check(disk.OS{}, resolve(p.cfg.Data)); err != nil {
		return fmt.Errorf("open storage: %w", err)
	}
	return nil
}

// openQueue comes before storage: a durable queue brings the end of the file in order.
func (p *Platform) openQueue(ctx context.Context) error {
	policy, err := wal.ParsePolicy(p.cfg.Sync)
	if err != nil {
		return err
	}
	q, err := queues[p.cfg.Queue](wal.Config{
		FS: disk.OS{}, Data: resolve(p.cfg.Data), Limit: bounded.Limit{Samples: p.cfg.QueueLimit, Bytes: p.cfg.QueueBytes},
		Bytes: p.cfg.WALBytes, Sync: policy, Log: p.log,
		Progress: func(step string, done, total int64) error { return p.starting.tell(ctx, step, done, total) },
	})
	if err != nil {
		return err
	}
	p.queue = q
	p.wal, _ = q.(*wal.Queue)
	return nil
}

func (p *Platform) openStorage() error {
	store, err := storages[p.cfg.Storage](disk.OS{}, resolve(p.cfg.Data))
	if err != nil {
		return err
	}
	p.store = store
	return nil
}

func (p *Platform) openQuery() error {
	p.engine = queries[p.cfg.Query](p.store)
	return nil
}

// openConsumer comes after alerting, which may want to see what is stored.
func (p *Platform) openConsumer() error {
	store := p.store
	if p.cfg.AppendDelay > 0 {
		store = &delayedStore{Store: store, delay: p.cfg.AppendDelay}
	}
	p.consumer = consumer.New(consumer.Config{Queue: p.queue, Store: store, FlushInterval: p.cfg.FlushInterval, Tap: p.tap(), Log: p.log})
	return nil
}

func (p *Platform) openProfiler() error {
	addr, err := p.cfg.pprofAddr()
	if err != nil || addr == "" {
		return err
	}
	p.profiler, err = openProfiler(addr)
	return err
}

// openIngest binds the address. Until the handler is made another one answers.
func (p *Platform) openIngest() (err error) {
	p.metrics = telemetry.New()
	p.current.Store(api.NewStarting(api.Config{
		OnReject: p.metrics.Reject, Progress: p.starting.progress,
		MaxBodyBytes: p.cfg.MaxBodyBytes, LogRequests: p.cfg.LogRequests, Log: p.log,
	}))
	p.server = ingests[p.cfg.Ingest](ingest.Options{
		Handler: p.serve, OnError: p.refuse, OnExpect: p.expect,
		ReadTimeout: p.cfg.ReadTimeout, WriteTimeout: p.cfg.WriteTimeout, IdleTimeout: p.cfg.IdleTimeout,
		MaxHeaderBytes: p.cfg.MaxHeaderBytes, MaxBodyBytes: p.cfg.MaxBodyBytes, MaxConns: p.cfg.MaxConns, Log: p.log,
	})
	p.listener, err = ingest.Listen(p.cfg.Addr, p.cfg.MaxConns, p.log)
	return err
}

// openHandler connects the handler with the components, and the metrics with their counters.
func (p *Platform) openHandler() error {
	limit, limitHeader, err := p.cfg.rateLimit()
	if err != nil {
		return err
	}
	known, err := p.cfg.series()
	if err != nil {
		return err
	}
	p.handler = api.New(api.Config{
		Base: p.base, Queue: p.queue, Engine: p.engine, Metrics: p.metrics,
		Alerts: p.alerting, RuleFile: p.cfg.RulesFile, RuleInterval: p.ruleInterval(), Reload: p.Reload,
		StorageErr: p.storageErr, DamageErr: p.damageErr, AlertingErr: p.alertingErr, OnReject: p.metrics.Reject, Progress: p.starting.progress,
		Limit: limit, LimitHeader: limitHeader, Series: known,
		MaxBodyBytes: p.cfg.MaxBodyBytes, MaxBodiesBytes: p.cfg.MaxBodiesBytes, MaxQuerySamples: p.cfg.MaxQuerySamples, MaxQueryBytes: p.cfg.MaxQueryBytes, MaxQueryValues: p.cfg.MaxQueryValues, MaxQueries: p.cfg.MaxQueries,
		LogRequests: p.cfg.LogRequests, Log: p.log,
	})
	if p.wal != nil {
		registerLog(p.metrics, p.wal)
	}
	stages := p.consumer.Stages()
	sources := telemetry.Sources{
		Received: p.handler.Received, Accepted: p.handler.Accepted, Stored: p.consumer.Stored,
		BodyBytes: p.handler.BodyBytes, AppendErrors: p.consumer.Failed,
		Stages: map[string]*timing.Histogram{
			"received": p.handler.Decoding(), "queued": &stages.Queued, "stored": &stages.Stored, "visible": &stages.Visible,
		},
		Series: func() int {
			if known == nil {
				return 0
			}
			return known.Len()
		},
		Queue: p.queue.Stats, Conns: p.listener.Conns, ConnsRefused: p.listener.Refused, Alerting: p.alerting.Stats,
		LinesLeftOut: func() uint64 { return p.output.Counts().LeftOut },
	}
	if p.outbox != nil {
		sources.Outbox, sources.Deliveries = p.outbox.Usage, p.outbox.Deliveries
	}
	p.metrics.Register(sources)
	return nil
}

// release frees what Open took, in the opposite order.
func (p *Platform) release() {
	p.giveUp()
	if p.listener != nil {
		p.noteClose(p.listener.Close())
	}
	if p.profiler != nil {
		p.noteClose(p.profiler.close())
	}
	if p.alerting != nil {
		p.alerting.Close()
	}
	if p.notifier != nil {
		p.notifier.Close()
	}
	if p.outboxLock != nil {
		p.noteClose(p.outboxLock.Release())
	}
	if p.wal != nil {
		p.noteClose(p.wal.Release())
	}
	if p.store != nil {
		p.noteClose(p.store.Close())
	}
	if p.lock != nil {
		p.noteClose(p.lock.Release())
	}
}

// noteClose logs what goes wrong when everything is over: no one can act on it.
func (p *Platform) noteClose(err error) {
	if err != nil {
		p.log.Warn().Err(err).Msg("release failed")
	}
}
