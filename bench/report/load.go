package report

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"phase0/bench/plot"
	"phase0/loadgen/record"
)

// MaxLoads is how many results fit on one page: one colour each.
const MaxLoads = plot.Colors

// ErrLoads is wrapped by errors about files that Loads cannot draw.
var ErrLoads = errors.New("cannot draw results of loadgen")

// load is one result of loadgen with its name and colour on the page.
type load struct {
	record.Result
	name  string
	color int
}

// Loads reads results of loadgen, as its -o writes them, and draws them on one page,
// a series each. The error names the file and says what was expected.
func Loads(files []string) (*Document, error) {
	if len(files) < 1 || len(files) > MaxLoads {
		return nil, fmt.Errorf("%w: %d files given, want 1 to %d", ErrLoads, len(files), MaxLoads)
	}
	names := seriesNames(files)
	var loads []load
	seen := map[string]string{}
	for i, file := range files {
		r, err := readLoad(file)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w; expected a file that loadgen wrote with -o", ErrLoads, file, err)
		}
		if other, again := seen[r.RunID]; again {
			return nil, fmt.Errorf("%w: %s and %s are the same run, %s", ErrLoads, other, file, r.RunID)
		}
		seen[r.RunID] = file
		loads = append(loads, load{Result: r, name: names[i], color: i})
	}
	return drawLoads(loads)
}

func readLoad(path string) (r record.Result, err error) {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		var cause *os.PathError
		if errors.As(err, &cause) { // the path is said already
			err = cause.Err
		}
		return r, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return record.Read(file)
}

// seriesNames are the files' names without folder and ending, as far as that tells
// them apart.
func seriesNames(files []string) []string {
	names, count := make([]string, len(files)), map[string]int{}
	for i, file := range files {
		names[i] = strings.TrimSuffix(filepath.Base(file), ".json")
		count[names[i]]++
	}
	for i, file := range files {
		if count[names[i]] > 1 {
			names[i] = strings.TrimSuffix(filepath.ToSlash(file), ".json")
		}
	}
	return names
}

func drawLoads(loads []load) (*Document, error) {
	d := &Document{Title: "loadgen: " + joinNames(loads), Byline: loadByline(loads)}
	for _, l := range loads {
		d.Stamps = append(d.Stamps, loadStamps(l)...)
		d.Verdict = append(d.Verdict, loadVerdict(l)...)
	}
	pictures, err := loadFigures(loads)
	if err != nil {
		return nil, err
	}
	d.add("In pictures", pictures...)
	d.add("How long answers took", timesTable(loads), Prose("Response time counts from the moment a request was due, service time from its first byte; send lag is the difference. n/a: too few requests for that percentile. ≥: requests were given up, and their true times could only be longer."))
	d.add("What became of every request", accountingTable(loads), Prose("Scheduled = sent + never sent; sent = answered + timed out + failed + open."))
	d.add("What beside the accepted came back", kindsTable(loads))
	d.add("Were accepted samples stored?", verificationTable(loads))
	d.add("How soon accepted samples could be queried", freshnessTable(loads))
	d.add("Can these figures be trusted?", verdictTable(loads))
	d.add("Conditions", loadConditions(loads))
	return d, nil
}

func joinNames(loads []load) string {
	var names []string
	for _, l := range loads {
		names = append(names, l.name)
	}
	return strings.Join(names, ", ")
}

func loadByline(loads []load) string {
	first := loads[0]
	for _, l := range loads {
		if l.Start.Before(first.Start) {
			first = l
		}
	}
	text := fmt.Sprintf("Measured %s UTC with loadgen %s", first.Start.Format("2006-01-02 15:04"), first.ToolVersion)
	if len(loads) == 1 {
		return text + fmt.Sprintf(", %s %s.", first.Method, first.URL)
	}
	return text + fmt.Sprintf(", %d runs.", len(loads))
}

func loadStamps(l load) []string {
	var all []string
	if l.Interrupted {
		all = append(all, fmt.Sprintf("INTERRUPTED: %s ended before its time.", l.name))
	}
	if l.Verdict.Level == record.Invalid {
		all = append(all, fmt.Sprintf("INVALID: %s is not a measurement of what was asked for: %s.", l.name, strings.Join(l.Verdict.Reasons, "; ")))
	}
	if v := l.Verification; v != nil && !v.OK() {
		all = append(all, fmt.Sprintf("NOT STORED AS ACCEPTED: in %s the server lost %s, duplicated %s and invented %s samples.",
			l.name, thousands(v.Lost), thousands(v.Duplicated), thousands(v.Phantom+v.Zombie)))
	}
	return all
}

// loadVerdict is one run in sentences.
func loadVerdict(l load) []string {
	a := l.Accounting
	first := fmt.Sprintf("%s: %s of %s requests accepted, %s per second", l.name, thousands(a.Accepted), thousands(a.Scheduled), digits(l.AcceptedRPS))
	if l.Model == "open" && l.Profile == "" {
		first += " of " + digits(l.OfferedRPS) + " offered"
	}
	if p50, ok := l.ResponseTime.At(0.5); ok && p50.Unavailable == "" {
		first += "; half were answered within " + percentileText(p50)
	}
	if p99, ok := l.ResponseTime.At(0.99); ok && p99.Unavailable == "" {
		first += ", 99 of 100 within " + percentileText(p99)
	}
	all := []string{first + "."}
	if v := l.Verification; v != nil {
		all = append(all, fmt.Sprintf("%s lost %s of %s accepted samples.", capital(l.name), thousands(v.Lost), thousands(v.Accepted)))
	}
	if l.Verdict.Level == record.Degraded {
		all = append(all, fmt.Sprintf("%s is to be read with doubt: %s.", capital(l.name), strings.Join(l.Verdict.Reasons, "; ")))
	}
	return all
}

func percentileText(p record.Percentile) string {
	switch {
	case p.Unavailable != "":
		return none
	case p.AtLeast:
		return "≥ " + nanoseconds(float64(p.NS))
	}
	return nanoseconds(float64(p.NS))
}

func seconds(v float64) string {
	return time.Duration(v * float64(time.Second)).Round(time.Millisecond).String()
}
