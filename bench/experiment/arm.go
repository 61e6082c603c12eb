package experiment

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"phase0/bench/trial"
	"phase0/server/platform"
)

// ErrArm is wrapped by errors about an arm that cannot be measured as described.
var ErrArm = errors.New("wrong arm")

// The names of the two modes as arms, for claims about just these.
const (
	ArmSingle     = "single"
	ArmConcurrent = "concurrent"
)

// Suffixes of the names of arms that are variants of others.
const (
	suffixAgain       = "-aa" // the same arm a second time, as a control
	suffixNoKeepAlive = "-no-keepalive"
)

// maxArms bounds the arms of a run.
const maxArms = 12

// DefaultArms are the two modes, the baseline first.
func DefaultArms() []trial.Arm {
	return []trial.Arm{modeArm(ArmSingle), modeArm(ArmConcurrent)}
}

// modeArm returns the arm of a mode, which has no preset if there is no such mode.
func modeArm(mode string) trial.Arm {
	arm := trial.Arm{Name: mode, ServerArgs: []string{"-mode", mode}}
	if preset, err := platform.Mode(mode); err == nil {
		arm.Preset = preset.Map()
	}
	return arm
}

// componentKeys are the component flags of the server in the order of the data path.
func componentKeys() []string { return []string{"ingest", "queue", "storage", "query", "alerting"} }

// ParseArm reads an arm of our own server: a mode, and flags of the server that
// differ from it, as "single", "mode=single,query=parallel" or
// "concurrent,queue-limit=20000". The name is the same text without "mode=".
// The error wraps ErrArm.
func ParseArm(text string) (trial.Arm, error) {
	head, rest, more := strings.Cut(strings.TrimSpace(text), ",")
	mode := strings.TrimPrefix(head, "mode=")
	components, err := platform.Mode(mode)
	if err != nil {
		return trial.Arm{}, fmt.Errorf("%w %q: it starts with a mode: %w", ErrArm, text, err)
	}
	arm := modeArm(mode)
	if !more {
		return arm, nil
	}
	seen := map[string]bool{}
	for setting := range strings.SplitSeq(rest, ",") {
		key, value, ok := strings.Cut(setting, "=")
		switch {
		case !ok || !armKey.MatchString(key) || value == "":
			return trial.Arm{}, fmt.Errorf("%w %q: %q is not KEY=VALUE with a flag of the server, such as query=parallel", ErrArm, text, setting)
		case seen[key] || key == "mode":
			return trial.Arm{}, fmt.Errorf("%w %q: %s stands twice", ErrArm, text, key)
		case slices.Contains(ownFlags(), key):
			return trial.Arm{}, fmt.Errorf("%w %q: %s is set by bench itself", ErrArm, text, key)
		}
		seen[key] = true
		components = components.With(key, value)
		arm.Name += "," + key + "=" + value
		arm.ServerArgs = append(arm.ServerArgs, "-"+key+"="+value)
	}
	config := platform.Defaults()
	config.Components = components
	if err := config.Validate(); err != nil {
		return trial.Arm{}, fmt.Errorf("%w %q: %w", ErrArm, text, err)
	}
	return arm, nil
}

var armKey = regexp.MustCompile(`^[a-z][a-z-]*$`)

// ownFlags are the server's flags that a trial sets.
func ownFlags() []string { return []string{"addr", "data", "rules", "webhook"} }

var foreignName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+=-]{0,39}$`)

// ParseForeign reads NAME=TEXT, an arm that is not ours; the caller knows whether
// the text is a command or a URL. The error wraps ErrArm.
func ParseForeign(text string) (name, value string, err error) {
	name, value, ok := strings.Cut(text, "=")
	if !ok || !foreignName.MatchString(name) || strings.TrimSpace(value) == "" {
		return "", "", fmt.Errorf("%w %q: want NAME=…, the name of letters, digits and . _ + -", ErrArm, text)
	}
	return name, value, nil
}

// ValidateArms refuses a set of arms that cannot be told apart.
func ValidateArms(arms []trial.Arm) error {
	names := map[string]bool{}
	if len(arms) > maxArms {
		return fmt.Errorf("%w: %d arms, at most %d", ErrArm, len(arms), maxArms)
	}
	for _, a := range arms {
		if variant := strings.HasSuffix(a.Name, suffixAgain) || strings.HasSuffix(a.Name, suffixNoKeepAlive); variant {
			return fmt.Errorf("%w %q: names that end in %s or %s are bench's own", ErrArm, a.Name, suffixAgain, suffixNoKeepAlive)
		}
		if a.Name == ArmDurable {
			return fmt.Errorf("%w: %q is the name of bench's own", ErrArm, a.Name)
		}
		if names[a.Name] {
			return fmt.Errorf("%w: two arms are named %q", ErrArm, a.Name)
		}
		names[a.Name] = true
	}
	return nil
}

func again(a trial.Arm) trial.Arm {
	a.Name += suffixAgain
	return a
}

func noKeepAlive(a trial.Arm) trial.Arm {
	a.Name += suffixNoKeepAlive
	a.LoadArgs = append(slices.Clone(a.LoadArgs), "-keepalive=false")
	return a
}

// Base returns the name of the arm that a variant is one of, or name itself.
func Base(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, suffixAgain), suffixNoKeepAlive)
}

// IsAgain and IsNoKeepAlive report which variant a name stands for.
func IsAgain(name string) bool       { return strings.HasSuffix(name, suffixAgain) }
func IsNoKeepAlive(name string) bool { return strings.HasSuffix(name, suffixNoKeepAlive) }

// control returns the arm that the A/A comparison repeats: the first that is
// compared with the baseline, or the baseline where it is alone.
func control(arms []trial.Arm) trial.Arm { return arms[min(1, len(arms)-1)] }

// own returns the arms that are our own server's.
func own(arms []trial.Arm) []trial.Arm {
	return slices.DeleteFunc(slices.Clone(arms), trial.Arm.Foreign)
}

// components returns the mechanisms that an arm of our own was measured with.
func components(a trial.Arm) (c platform.Components, ok bool) {
	if a.Foreign() || len(a.ServerArgs) < 2 {
		return c, false
	}
	c, err := platform.Mode(a.ServerArgs[1])
	if err != nil {
		return c, false
	}
	if a.Preset == nil {
		c.Alerting = "poll" // as in both modes while presets were not stored
	}
	for key, mechanism := range a.Preset {
		c = c.With(key, mechanism)
	}
	for _, setting := range a.ServerArgs[2:] {
		key, value, _ := strings.Cut(strings.TrimPrefix(setting, "-"), "=")
		c = c.With(key, value)
	}
	return c, true
}

// rungs returns the arms of the ladder from a to b: each component of b alone in a,
// and one component after another until b is reached.
func rungs(a, b trial.Arm) (alone, stacked []trial.Arm) {
	from, okA := components(a)
	to, okB := components(b)
	if !okA || !okB {
		return nil, nil
	}
	target, start := to.Map(), from.Map()
	whole := a
	for _, key := range componentKeys() {
		if target[key] == start[key] {
			continue
		}
		alone = append(alone, with(a, key, target[key]))
		whole = with(whole, key, target[key])
		stacked = append(stacked, whole)
	}
	return alone, stacked
}

func with(a trial.Arm, key, value string) trial.Arm {
	a.Name += "," + key + "=" + value
	a.ServerArgs = append(slices.Clone(a.ServerArgs), "-"+key+"="+value)
	return a
}

// uniqueArms joins lists of arms and drops those whose name is there already.
func uniqueArms(lists ...[]trial.Arm) []trial.Arm {
	var all []trial.Arm
	seen := map[string]bool{}
	for _, list := range lists {
		for _, a := range list {
			if !seen[a.Name] {
				seen[a.Name] = true
				all = append(all, a)
			}
		}
	}
	return all
}

// ClosesConnections reports whether the arm's server closes a connection after every
// answer, whatever its client asked for.
func ClosesConnections(a trial.Arm) bool {
	c, ok := components(a)
	return ok && c.Ingest == "single"
}

// queues says that samples wait for different times before they can be evaluated, where
// the two arms differ in that.
func queues(a, b trial.Arm) string {
	x, okA := components(a)
	y, okB := components(b)
	if !okA || !okB || x.Queue == y.Queue {
		return ""
	}
	const slow = "memory" // it is emptied at a fixed interval
	for _, of := range []struct{ arm, queue string }{{a.Name, x.Queue}, {b.Name, y.Queue}} {
		if of.queue == slow {
			return fmt.Sprintf("not alerting but the queue differs: queue=%s of %s is looked at every 100 ms", slow, of.arm)
		}
	}
	return fmt.Sprintf("not alerting but the queue differs: queue=%s of %s, queue=%s of %s", x.Queue, a.Name, y.Queue, b.Name)
}

// sameMechanism says which mechanism both arms share for what a component does, as
// "query=scan", or nothing.
func sameMechanism(a, b trial.Arm, component string) string {
	x, okA := components(a)
	y, okB := components(b)
	if !okA || !okB || component == "" {
		return ""
	}
	if value := x.Map()[component]; value == y.Map()[component] {
		return component + "=" + value
	}
	return ""
}
