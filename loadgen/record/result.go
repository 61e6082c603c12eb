package record

import "time"

// SchemaVersion is the version of Result's JSON form. It changes when a field
// changes its meaning or goes away, not when one is added.
const SchemaVersion = 1

// Result is what one run measured, as written by -o. Units stand last in the
// names: _ns are nanoseconds, _seconds seconds, _rps requests per second.
type Result struct {
	Schema      int    `json:"schema"`
	RunID       string `json:"run_id"` // part of the series' names in the default body
	ToolVersion string `json:"tool_version"`
	Engine      string `json:"engine"` // what drove the connections: "epoll" or "fasthttp"

	Model     string `json:"model"` // "open" or "closed"
	KeepAlive bool   `json:"keep_alive"`
	Seed      uint64 `json:"seed"`
	// Profile holds the phases of a rate that varies, as they were asked for; empty
	// when the rate is constant and in the closed model.
	Profile string `json:"profile,omitempty"`

	Start       time.Time `json:"start"` // UTC
	End         time.Time `json:"end"`   // UTC
	Interrupted bool      `json:"interrupted"`

	// PlannedSeconds is 0 when only a number of requests was asked for.
	PlannedSeconds float64 `json:"planned_seconds"`
	// PlannedRequests is 0 when only a duration was asked for.
	PlannedRequests int64 `json:"planned_requests"`
	// ElapsedSeconds includes the wait for the last answers.
	ElapsedSeconds float64 `json:"elapsed_seconds"`
	TimeoutSeconds float64 `json:"timeout_seconds"`

	Stream // the load that was asked for
	// Queries is what was offered beside it, if anything was.
	Queries *Stream `json:"queries,omitempty"`
	// Freshness is how long accepted samples took to become visible to queries, if
	// that was asked for.
	Freshness *Freshness `json:"freshness,omitempty"`
	// Verification is what reading the accepted samples back found, if that was
	// asked for.
	Verification *Verification `json:"verification,omitempty"`

	Generator Generator `json:"generator"`
	Verdict   Verdict   `json:"verdict"`

	MergedFrom []string `json:"merged_from,omitempty"` // the run ids, when this is the sum of several runs
}

// Stream is one kind of request, offered on a schedule of its own, and what
// became of it.
type Stream struct {
	URL    string `json:"url"`
	Method string `json:"method"`

	// WindowSeconds is what AchievedRPS is computed over: from the first intended
	// start to the end of the schedule, or to the last actual start when that
	// was later.
	WindowSeconds float64 `json:"window_seconds"`

	Arrivals string `json:"arrivals,omitempty"` // "uniform" or "poisson"; empty in the closed model
	// Batch is how many samples a request of the default body carries; 0 with
	// another body.
	Batch int `json:"batch,omitempty"`
	// SendBoundNS is how late requests were sent at most so that several left in one
	// wake-up of the generator; 0 when each left by itself.
	SendBoundNS int64 `json:"send_bound_ns"`

	OfferedRPS  float64 `json:"offered_rps"`  // asked for; 0 in the closed model
	AchievedRPS float64 `json:"achieved_rps"` // sent ÷ window
	// AcceptedRPS is the goodput: 2xx answers ÷ the longer of the window and the
	// time of the last such answer.
	AcceptedRPS float64 `json:"accepted_rps"`

	Connections Connections `json:"connections"`
	Accounting  Accounting  `json:"accounting"`

	// ResponseTime is completion − intended start of accepted (2xx) answers.
	// Requests without an answer for lack of time are censored in it.
	ResponseTime Distribution `json:"response_time"`
	// ServiceTime is completion − actual start of accepted (2xx) answers.
	ServiceTime Distribution `json:"service_time"`
	// OtherResponseTime and OtherServiceTime are those of all other answers.
	OtherResponseTime Distribution `json:"other_response_time"`
	OtherServiceTime  Distribution `json:"other_service_time"`

	// SendLag is actual − intended start; empty in the closed model, where a
	// request is due when it is sent. It is the sum of OwnLateness (waking up and
	// handing over) and ConnectionWait (for a free connection, or for dialling).
	SendLag        Distribution `json:"send_lag"`
	OwnLateness    Distribution `json:"own_lateness"`
	ConnectionWait Distribution `json:"connection_wait"`

	Timeline Timeline `json:"timeline"`
}

// Connections says how many connections a run used.
type Connections struct {
	Allowed int   `json:"allowed"`
	Peak    int   `json:"peak"`  // open or being dialled at the same time
	Dials   int64 `json:"dials"` // attempts, failed ones included
}

// Generator is what the run cost the generator and where it ran.
type Generator struct {
	CPUSeconds     float64 `json:"cpu_seconds"` // user + system, whole process, during the run
	GCPauseSeconds float64 `json:"gc_pause_seconds"`
	GCs            uint32  `json:"gcs"`
	// StealShare is the share of the machine's CPU time that the hypervisor gave
	// to others during the run, 0–1; 0 where it is not known.
	StealShare float64 `json:"steal_share"`
	// BusiestThreadShare is the CPU time of the thread that used most, per wall
	// time, 0–1; 0 where it is not known. One thread of the epoll engine does all
	// the work, so that its share counts, not that of all cores.
	BusiestThreadShare float64 `json:"busiest_thread_share"`
	// BusiestThreadWaitShare is for how much of the time that thread could have run
	// but waited for a core, 0–1.
	BusiestThreadWaitShare float64 `json:"busiest_thread_wait_share"`
	// RunQueueWaitShare is the same added up over all threads of the generator: it
	// can exceed 1. 0 where it is not known.
	RunQueueWaitShare float64 `json:"run_queue_wait_share"`
	// RunQueueWaitMeanNS is that waiting time per turn on a core. Waking up alone
	// takes some microseconds.
	RunQueueWaitMeanNS int64  `json:"run_queue_wait_mean_ns"`
	CPUs               int    `json:"cpus"` // cores the process may use
	GOMAXPROCS         int    `json:"gomaxprocs"`
	GoVersion          string `json:"go_version"`
	Platform           string `json:"platform"` // GOOS/GOARCH

	Machine Machine `json:"machine"`
}

// Machine is what the generator's machine went through during the run. The
// server and other programs may have been on it too: the figures are of all of
// them. They are 0 where they are not known.
type Machine struct {
	// OtherCPUShare is the share of the generator's cores that other programs used,
	// the server among them, 0–1; interrupts are not counted.
	OtherCPUShare float64 `json:"other_cpu_share"`
	// CPUPressureShare is the share of the time in which at least one thread on the
	// machine waited for a core, 0–1 (Linux's pressure figure "some").
	CPUPressureShare float64 `json:"cpu_pressure_share"`
	// RetransmittedSegments counts TCP segments that were sent again.
	RetransmittedSegments int64 `json:"retransmitted_segments"`
	// DuplicateSegments counts those of them that the receiver reported to have had
	// already: they were acknowledged late, not lost.
	DuplicateSegments int64 `json:"duplicate_segments"`
	// ListenOverflows counts connections that a full accept queue turned away, and
	// ListenDrops those and the ones that were dropped for another reason.
	ListenOverflows int64 `json:"listen_overflows"`
	ListenDrops     int64 `json:"listen_drops"`
}

// Level grades how far a run's numbers can be trusted.
type Level string

// The levels of a Verdict.
const (
	Valid    Level = "VALID"
	Degraded Level = "DEGRADED" // usable with the reasons in mind
	Invalid  Level = "INVALID"  // not a measurement of what was asked for
)

// Verdict is a run's judgement of itself.
type Verdict struct {
	Level   Level    `json:"level"`
	Reasons []string `json:"reasons"` // why it is not better; empty when VALID
	// Bottleneck is "generator", "pool", "server" or "machine", or empty when
	// nothing held the run back.
	Bottleneck string `json:"bottleneck,omitempty"`
}
