package trial

import (
	"fmt"
	"time"
)

// The units under which Values are stored. They are those of Go's benchmark
// format, so that they mean the same in every output.
const (
	UnitRPS          = "rps"           // accepted requests per second
	UnitSamples      = "samples/s"     // accepted samples per second, of requests with several
	UnitP50          = "p50-ns"        // response time
	UnitP99          = "p99-ns"        // response time
	UnitCPUPerSample = "cpu-ns/sample" // server's CPU time per accepted sample
	UnitPeakMemory   = "peak-B"        // server's largest resident set
	UnitMemPerSample = "B/sample"      // growth of the resident set per accepted sample
	UnitQueueDepth   = "queue-depth"   // samples not yet stored when the window ended
	UnitServerBusy   = "server-busy"   // share of the window in which the server's core was busy, 0–1
	UnitOffered      = "offered-rps"
	UnitScan         = "scan-ns" // median time of one query
	UnitPoints       = "points/s"
	UnitScanBytes    = "scan-B/s"         // bytes of the file read ÷ that time
	UnitFreshP50     = "fresh-p50-ns"     // until a sample is visible to queries: upper bound
	UnitFreshP50Low  = "fresh-p50-low-ns" // of the same: lower bound
	UnitFreshP99     = "fresh-p99-ns"     // with at least 368 probes
	UnitFreshP99Low  = "fresh-p99-low-ns"
	UnitQueryP50     = "query-p50-ns"       // response time of queries beside a load
	UnitQueryP99     = "query-p99-ns"       // with at least 368 queries
	UnitQueryRPS     = "query-rps"          // answered with 2xx
	UnitKnee         = "knee-rps"           // highest rate that kept the objectives
	UnitKneeFail     = "knee-fail-rps"      // lowest rate that did not
	UnitCapacity     = "capacity-samples/s" // stored per second while the queue was never empty
	UnitGoodput      = "goodput-samples/s"  // stored per second under overload
	UnitGoodputShare = "goodput-share"      // goodput ÷ capacity
	UnitRefused      = "refused-share"      // of the requests, answered with 503; 0–1
	UnitRecover      = "recover-ns"         // from the end of the overload to an empty queue
	UnitSyncs        = "syncs/sample"       // syncs of the log per accepted sample
	UnitSyncTime     = "sync-ns"            // mean time of such a sync
	UnitSyncBusy     = "sync-busy"          // share of the window in which the log was being synced, 0–1
	UnitLost         = "lost"               // accepted before the signal, and gone
	UnitRestarted    = "accepted-after"     // accepted after the restart
	UnitLostSeconds  = "lost-seconds"       // the same ÷ the rate of accepted samples
	UnitDuplicated   = "duplicated"         // samples that are stored more than once
	UnitAmbiguous    = "ambiguous"          // requests without an answer when the server went away
	UnitTorn         = "torn"               // stored lines that are no sample
	UnitReady        = "ready-ns"           // from the start of the new process to its first healthy answer
	UnitDetect       = "detect-ns"          // mean time from a breach to the server's console
	UnitArrive       = "webhook-ns"         // mean time from a breach to the webhook call
	UnitNotify       = "notify-ns"          // mean time from what the server calls the alert's start to the webhook call
	UnitMissed       = "missed"             // breaches never notified
	UnitFalse        = "false"              // notifications without a breach
)

// Result is one trial.
type Result struct {
	Experiment string `json:"experiment"`
	Case       string `json:"case,omitempty"` // "rate=200"
	Arm        string `json:"arm"`
	// Block numbers the set of trials that this one is paired in, from 1.
	Block int `json:"block"`
	// Order is the trial's place in the whole run, from 1.
	Order   int       `json:"order"`
	Start   time.Time `json:"start"` // UTC
	Seconds float64   `json:"seconds"`
	Seed    uint64    `json:"seed"`

	// Values holds one scalar per unit.
	Values map[string]float64 `json:"values"`
	// Unavailable says why a unit has no value.
	Unavailable map[string]string `json:"unavailable,omitempty"`
	// AtLeast lists units whose value is a lower bound.
	AtLeast []string `json:"at_least,omitempty"`
	// DelaysNS are detection delays in the order of injection: from a breach to the line
	// that the server prints. ArrivalsNS are from the breach to the webhook call, SincesNS to
	// what the server calls the alert's start. A missed alert is absent from all three.
	DelaysNS   []int64 `json:"delays_ns,omitempty"`
	ArrivalsNS []int64 `json:"arrivals_ns,omitempty"`
	SincesNS   []int64 `json:"sinces_ns,omitempty"`
	// Slowed lists which of these delays, counted from 0, are of breaches that were due while
	// the machine was slow or shortly before or after; see MachineLoad.Slow.
	Slowed []int `json:"slowed,omitempty"`

	// Cut says that a search for the knee ended at its limit, before it was done.
	Cut bool `json:"cut,omitempty"`
	// Curve holds the runs of a search for the knee, in order of time.
	Curve []CurvePoint `json:"curve,omitempty"`

	// Void lists the gates that failed; a trial with any is not used.
	Void []string `json:"void,omitempty"`
	// Lost counts accepted samples that the stored file does not have. Above 0 it
	// is a fault of the server, not noise: what kill -9 costs one that promises nothing
	// is in Values.
	Lost int64 `json:"lost,omitempty"`
	// Duplicated counts samples that are stored more than once by a queue that promises
	// once: a fault, too.
	Duplicated int64    `json:"duplicated,omitempty"`
	Warnings   []string `json:"warnings,omitempty"`

	// Accepted counts samples. Stored counts the file's lines; it is 0 for a foreign
	// arm, of which nothing but its answers is known.
	Accepted int64 `json:"accepted"`
	Stored   int64 `json:"stored"`

	Machine    MachineLoad `json:"machine"`
	Signs      *Signs      `json:"signs,omitempty"` // of the measured load
	ServerArgs []string    `json:"server_args"`
	LoadArgs   []string    `json:"load_args,omitempty"`
}

// CurvePoint is one run at one rate.
type CurvePoint struct {
	OfferedRPS  float64 `json:"offered_rps"`
	AchievedRPS float64 `json:"achieved_rps"` // sent
	// P50NS and P99NS are of the response time of accepted requests; 0 where there
	// were too few. AtLeast says that P99NS is a lower bound.
	P50NS   int64 `json:"p50_ns"`
	P99NS   int64 `json:"p99_ns"`
	AtLeast bool  `json:"at_least,omitempty"`
	// ErrShare is the share of the scheduled that was not accepted, 0–1.
	ErrShare float64 `json:"err_share"`
	// Ruling is "pass", "fail", "void" (spoilt by the generator or its machine) or "too
	// few"; Reason says why it is not pass.
	Ruling string `json:"ruling"`
	Reason string `json:"reason,omitempty"`
}

// Valid reports whether every gate held.
func (r *Result) Valid() bool { return len(r.Void) == 0 }

// Value returns the scalar of a unit where the trial has one.
func (r *Result) Value(unit string) (float64, bool) {
	v, ok := r.Values[unit]
	return v, ok
}

func (r *Result) voidf(format string, args ...any) {
	r.Void = append(r.Void, fmt.Sprintf(format, args...))
}

func (r *Result) warnf(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}
