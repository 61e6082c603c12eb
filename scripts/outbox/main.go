package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"phase0/bench/stat"
	"phase0/bench/trial"
	"phase0/scripts/lab"
)

const help = `Outbox writes outbox.json and outbox.md from what the outbox's test has seen;
scripts/outbox.sh starts it.

usage: outbox -out DIR FILE

exit codes: 0 nothing is missing · 1 could not run · 2 usage · 4 something is missing, out of order, or
            was told under two keys
`

const exitBroken = 4

var errBroken = errors.New("the outbox did not keep its word")

func main() {
	lab.Main(lab.Program{Name: "outbox", Help: help, Start: start, Brief: true, Codes: codes()})
}

func codes() lab.Codes { return lab.Codes{{Err: errBroken, Code: exitBroken}} }

func start(ctx context.Context, args []string, stdout, _ io.Writer) error {
	fs := flag.NewFlagSet("outbox", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	out := fs.String("out", "", "")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", lab.ErrUsage, err)
	case fs.NArg() != 1 || *out == "":
		return fmt.Errorf("%w: outbox -out DIR FILE", lab.ErrUsage)
	}
	text, err := os.ReadFile(filepath.Clean(fs.Arg(0)))
	if err != nil {
		return fmt.Errorf("read what was seen: %w", err)
	}
	var r report
	if err := json.Unmarshal(text, &r.proof); err != nil {
		return fmt.Errorf("read what was seen: %w", err)
	}
	r.Schema, r.MissingBound = schema, stat.UpperBound(r.Missing, r.Recorded)
	if r.Missing == 0 && r.Recorded > 0 { // otherwise it is not known how many kills lost something
		r.KillBound = stat.UpperBound(0, r.Kills)
	}
	r.Conditions = lab.Describe(ctx, *out, trial.Placement{Why: "not pinned"}, []string{"scripts/outbox.sh"})
	err = lab.Write(*out, map[string]func(io.Writer) error{
		"outbox.json": func(w io.Writer) error { return lab.WriteJSON(w, r) },
		"outbox.md":   func(w io.Writer) error { return writeMarkdown(w, r) },
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s\nwritten: %s\n", r.verdict(), filepath.Join(*out, "outbox.md"))
	if r.broken() {
		return errBroken
	}
	return nil
}

const schema = 1

// proof is what the test has seen, in the words of its file.
type proof struct {
	Engine        string         `json:"engine"`
	Seed          uint64         `json:"seed"`
	Seconds       float64        `json:"seconds"`
	Recorded      int            `json:"recorded"`
	Delivered     int            `json:"delivered"`
	Missing       int            `json:"missing"`
	Keys          int            `json:"keys"`
	Told          int            `json:"told"`
	PayloadsAgain int            `json:"payloads_again"`
	Disorder      int            `json:"disorder"`
	Abused        int            `json:"abused"`
	Kills         int            `json:"kills"`
	Posted        int            `json:"posted"`
	PostedAgain   int            `json:"posted_again"`
	Rules         int            `json:"rules"`
	Receiver      map[string]int `json:"receiver"`
}

// report is outbox.json.
type report struct {
	Schema     int            `json:"schema"`
	Conditions lab.Conditions `json:"conditions"`
	proof
	// KillBound is what the share of kills that lose something is below with 95 % confidence,
	// when none of them did. Kills are the tries: what follows each other shares its fate.
	KillBound float64 `json:"kill_bound,omitempty"`
	// MissingBound is what the share of missing notifications would be below, were each of
	// them a try of its own.
	MissingBound float64 `json:"missing_bound"`
}

// broken counts a report of nothing as broken.
func (r report) broken() bool { return r.Recorded == 0 || r.Missing+r.Disorder+r.Abused > 0 }

func (r report) verdict() string {
	return fmt.Sprintf("Of %d notifications recorded %d were delivered, %d are missing; out of order within an alert: %d; under another key: %d; %s.",
		r.Recorded, r.Delivered, r.Missing, r.Disorder, r.Abused, r.kills())
}

// kills says what the kills show.
func (r report) kills() string {
	if r.KillBound == 0 || r.Kills == 0 {
		return fmt.Sprintf("%d kills", r.Kills)
	}
	return fmt.Sprintf("none of %d kills lost any, so with 95 %% confidence fewer than %.1f %% of kills do", r.Kills, r.KillBound*100)
}

func writeMarkdown(w io.Writer, r report) error {
	var d lab.Document
	d.Line("# The outbox under kill -9 and a receiver that fails\n")
	d.Line("**%s**\n", r.verdict())
	d.Line("%s\n", r.Conditions.String("receiver"))
	d.Line("Real servers on the same files, `-mode concurrent -alerting %s`, one killed after the other, preferably while the receiver fails and something waits for it. Samples are posted until", r.Engine)
	d.Line("`GET /alerts` shows all %d alerts, and again where a kill took them; they end when the samples have left their windows. A notification is *recorded* when the evaluation that found it has", r.Rules)
	d.Line("told it and nothing waits to be written. The books of what arrived are the receiver's. Notifications that follow each other share their fate; the %d kills are the independent tries, and what they show is in the first line.", r.Kills)
	row := func(what string, n int) []string { return []string{what, fmt.Sprint(n)} }
	d.Table([]string{"", "notifications"}, [][]string{
		row("recorded", r.Recorded), row("delivered", r.Delivered), row("missing", r.Missing),
		{"share of missing, below that with 95 % confidence if each were a try of its own", fmt.Sprintf("%.4f %%", r.MissingBound*100)},
		row("distinct keys delivered, also of what was not seen to be recorded", r.Keys), row("told again under the same key, in another payload", r.Told-r.Keys),
		row("out of order within an alert", r.Disorder), row("keys of two things, or things with two keys", r.Abused),
	})
	d.Table([]string{"", ""}, [][]string{
		row("server killed", r.Kills), row("payloads that came again, with the same key and body", r.PayloadsAgain), row("batches of samples posted", r.Posted), row("of them again", r.PostedAgain),
		{"time", fmt.Sprintf("%.0f s", r.Seconds)}, {"seed of receiver", fmt.Sprint(r.Seed)},
	})
	var moods []string
	for _, mood := range slices.Sorted(maps.Keys(r.Receiver)) {
		moods = append(moods, fmt.Sprintf("%s (%d)", mood, r.Receiver[mood]))
	}
	d.Line("What the receiver did, and to how many payloads (*is down*: how often): %s.\n", strings.Join(moods, ", "))
	d.Line("Reproduce: `scripts/outbox.sh -alerting %s`; the moments of kills follow from what was seen, not from the seed.", r.Engine)
	_, err := io.WriteString(w, d.String())
	return err
}
