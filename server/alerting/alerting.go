// Package alerting turns samples into alerts and alerts into notifications. Its
// contract is Engine, which decides what fires, and Notifier, which tells somebody.
// Mechanisms are child packages: poll, the seed's engine, evaluates every rule at a
// fixed interval. Rules are read by package rule, notifiers are in package notify.
package alerting

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// State of an alert. An alert whose rule is not true has none.
type State string

// States of an alert.
const (
	// Pending means that the rule is true, but not yet for as long as its "for" asks.
	Pending State = "pending"
	Firing  State = "firing"
)

// Alert is a rule that is true at present. But for Value, which may be infinite, it is also
// the JSON of GET /alerts.
type Alert struct {
	State State `json:"state"`
	// Labels are those of the rule, and "alertname".
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	// Value is what the rule compared with its threshold.
	Value float64 `json:"value"`
	// Since is when the rule was first found true.
	Since time.Time `json:"since"`
	// Fingerprint is a short name of the alert; it is that of function Fingerprint. Two
	// alerts may have the same one, unlike an identity.
	Fingerprint string `json:"fingerprint"`
	// Rule is the expression as it was written.
	Rule string `json:"rule"`
	// Summary is the alert in the words of the seed, for people to read.
	Summary string `json:"-"`
}

// Status says what a notification is about.
type Status string

// Statuses of a notification.
const (
	StatusFiring   Status = "firing"
	StatusResolved Status = "resolved"
)

// Notification is one alert to be told.
type Notification struct {
	Status Status
	Alert  Alert
	// EndsAt is when a resolved alert was found to be over, zero while it fires.
	EndsAt time.Time
	// At is when the engine decided to tell it.
	At time.Time
	// Repeat counts how often it was told before that the alert fires, where that was asked
	// for; see Again.
	Repeat uint64
	// Key identifies what is told: a receiver that has seen it need not act again. It is
	// the same whenever the same notification is delivered, and safe in headers and file
	// names. An engine that tells what fires at every evaluation tells one transition.
	Key string
}

// NewNotification returns what is to be told of a, with its key. EndsAt is at if the
// status is resolved.
func NewNotification(status Status, a Alert, at time.Time) Notification {
	// Half a SHA-256: labels that share a fingerprint can be made, and would share a key.
	id := sha256.Sum256([]byte(Identity(a.Labels)))
	n := Notification{Status: status, Alert: a, At: at, Key: hex.EncodeToString(id[:16]) + "-" + strconv.FormatInt(a.Since.UnixNano(), 10) + "-" + string(status)}
	if status == StatusResolved {
		n.EndsAt = at
	}
	return n
}

// Again returns what is to be told of an alert that still fires when n was told last. It has
// a key of its own: whoever asked to be told again must not take it for what he has seen.
func (n Notification) Again(a Alert, at time.Time) Notification {
	next := NewNotification(StatusFiring, a, at)
	next.Repeat = n.Repeat + 1
	next.Key += "-" + strconv.FormatUint(next.Repeat, 10)
	return next
}

// Identity returns the sorted labels in one text, which tell an alert from every other.
func Identity(labels map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		// A byte that no UTF-8 text has keeps neighbours apart.
		b.WriteString(name + "\xff" + labels[name] + "\xff")
	}
	return b.String()
}

// Fingerprint returns 16 hexadecimal digits, a hash (FNV-1a) of the identity.
func Fingerprint(labels map[string]string) string {
	h := fnv.New64a()
	_, _ = io.WriteString(h, Identity(labels)) // a hash takes everything
	text := strconv.FormatUint(h.Sum64(), 16)
	return "0000000000000000"[len(text):] + text
}

// ErrStarting is wrapped by what an engine tells of itself until it has read, for the first
// time, what is stored.
var ErrStarting = errors.New("alerting is still reading what is stored")

// Memory is what was told before the engine was made: a Notifier that remembers across a
// restart implements it, too.
type Memory interface {
	// Told returns, by identity, the last notification of every alert of which the last is
	// that it fires. The map is the caller's.
	Told() map[string]Notification
}

// Notifier delivers notifications. Implementations are safe for concurrent use.
type Notifier interface {
	// Notify takes what one evaluation has to tell and passes it on in this order. It
	// does not wait for delivery, so that a dead receiver never delays evaluation; for room
	// it may wait a bounded time. It keeps the slice, which neither side changes any more.
	Notify([]Notification)
	// Stats counts notifications.
	Stats() Deliveries
	// Close waits a bounded time for what is under way. Nothing is taken afterwards.
	Close()
}

// Deliveries counts notifications by what became of them.
type Deliveries struct {
	Sent    uint64
	Failed  uint64 // the receiver refused or could not be reached
	Dropped uint64 // the receiver was too slow, the queue was full
}

// Stats counts what an engine did, and tells what it holds.
type Stats struct {
	Evaluations      uint64 // of single rules
	EvaluationErrors uint64
	// Series that rules read and samples in their windows, of an engine that has windows.
	Series, Samples int
	// SamplesRefused are of series above a limit, and no rule has seen them.
	// SamplesDropped have left their windows before their time, for want of room.
	SamplesRefused, SamplesDropped uint64
	// Instances are rules about series, of an engine that keeps them.
	Instances int
	// Active counts alerts. AlertsRefused counts the times that a rule was true and raised
	// none, because there were as many as may be.
	Active        int
	AlertsRefused uint64
	// Waiting counts samples that are not evaluated yet, and Refills how often windows were
	// filled from storage.
	Waiting int
	Refills uint64
	Deliveries
}

// RuleState is a rule and what it raises at present.
type RuleState struct {
	Group, Name        string
	Expr               string
	For, KeepFiringFor time.Duration
	Labels             map[string]string
	Annotations        map[string]string
	// Evaluated is when it was last, zero if never.
	Evaluated time.Time
	// Pending and Firing count what it raises, and Alerts are the first of these.
	Pending, Firing int
	Alerts          []Alert
}

// Errors of rules that could not be replaced, beside ErrStarting and those of the context. All leave the
// rules as they were.
var (
	// ErrRules is wrapped by errors about what a rule file says.
	ErrRules = errors.New("rules have faults")
	// ErrUnreadable is wrapped by errors about a rule file that cannot be read.
	ErrUnreadable = errors.New("rule file cannot be read")
	// ErrBusy is returned when something else took too long; to try again may help.
	ErrBusy = errors.New("busy")
)

// Engine evaluates rules. Alerts, FirstAlerts, Rules and Stats are safe for concurrent use.
type Engine interface {
	// Start begins to evaluate. It is called once.
	Start()
	// Alerts returns the alerts that are pending or firing, in the order of the rules.
	// The slice is the caller's, the maps in it are shared and must not be changed.
	Alerts() []Alert
	// FirstAlerts returns the first of them, as many as fit and no more are made, and how
	// many there are. They come in the same order as long as they are the same.
	FirstAlerts(most Bound) (first []Alert, total int)
	// Rules returns the rules in their order, and of all that they raise the first alerts,
	// as many as fit; what is said of Alerts holds here, too.
	Rules(most Bound) []RuleState
	Stats() Stats
	// Close stops evaluating and waits for the evaluation under way. It may be called
	// more than once, and without Start.
	Close()
}
