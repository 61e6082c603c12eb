package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The load that every client is asked for.
const (
	connections = 64
	body        = `{"name":"cpu_usage","value":85}`
	contentType = "application/json"
	header      = "Content-Type: " + contentType
)

// call is what a command line depends on.
type call struct {
	url     string
	seconds int
	rate    int    // requests per second; 0 asks for the closed loop
	latency bool   // percentiles are wanted
	pool    int    // connections that an open loop may use; the others always use connections
	dir     string // holds body.json, post.lua and load.js; the client may write there
}

func (c call) file(name string) string { return filepath.Join(c.dir, name) }

// perConnection is the rate of each of the connections.
func (c call) perConnection() string { return number(float64(c.rate) / connections) }

func (c call) duration() string { return strconv.Itoa(c.seconds) + "s" }

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// tool is a client.
type tool struct {
	name   string
	binary string
	closed bool
	// top is the highest rate that the client is asked for, 0 without such a mode.
	// For most it lies where they have long been out of one core's reach.
	top int

	args func(call) []string
	// result names the file that args makes the client write, empty for none.
	result func(call) string
	// report gives two more command lines, for clients that write their results in a
	// form of their own: what they print takes the place of output and file.
	report func(call) (stdout, file []string)
	parse  func(output) (claim, error)

	version []string // prints the version
}

// Values of top.
const (
	topPaced = 2000 // takes part where the schedule is of interest, not its cost
	topLow   = 20_000
	topHigh  = 80_000
)

// tools lists all clients, loadgen first.
func tools() []tool {
	return []tool{
		{name: "loadgen", binary: "loadgen", closed: true, top: topHigh, args: loadgenArgs, result: inDir("loadgen.json"), parse: parseLoadgen, version: []string{"-version"}},
		{name: "wrk", binary: "wrk", closed: true, args: wrkArgs, parse: parseWrk, version: []string{"-v"}},
		{name: "wrk2", binary: "wrk2", top: topLow, args: wrk2Args, parse: parseWrk2, version: []string{"-v"}},
		{name: "hey", binary: "hey", closed: true, top: topPaced, args: heyArgs, parse: parseHey},
		{name: "ab", binary: "ab", closed: true, args: abArgs, parse: parseAb, version: []string{"-V"}},
		{name: "h2load", binary: "h2load", closed: true, top: topPaced, args: h2loadArgs, result: inDirForLatency("h2load.log"), parse: parseH2load, version: []string{"--version"}},
		{name: "bombardier", binary: "bombardier", closed: true, top: topHigh, args: bombardierArgs, parse: parseBombardier, version: []string{"--version"}},
		{name: "vegeta", binary: "vegeta", closed: true, top: topLow, args: vegetaArgs, report: vegetaReport, parse: parseVegeta, version: []string{"-version"}},
		{name: "fortio", binary: "fortio", closed: true, top: topLow, args: fortioArgs, parse: parseFortio, version: []string{"version"}},
		{name: "oha", binary: "oha", closed: true, top: topPaced, args: ohaArgs, parse: parseOha, version: []string{"--version"}},
		{name: "k6", binary: "k6", closed: true, top: topPaced, args: k6Args, result: inDir("k6.json"), parse: parseK6, version: []string{"version"}},
	}
}

func inDir(name string) func(call) string {
	return func(c call) string { return c.file(name) }
}

func inDirForLatency(name string) func(call) string {
	return func(c call) string {
		if !c.latency {
			return ""
		}
		return c.file(name)
	}
}

func loadgenArgs(c call) []string {
	args := []string{"-c", strconv.Itoa(c.pool), "-d", c.duration(), "-body", body, "-H", header, "-quiet", "-o", c.file("loadgen.json")}
	if c.rate == 0 {
		return append(args, "-model", "closed", c.url)
	}
	return append(args, "-rps", strconv.Itoa(c.rate), c.url)
}

func wrkArgs(c call) []string {
	return []string{"-t1", "-c" + strconv.Itoa(connections), "-d" + c.duration(), "--latency", "-s", c.file("post.lua"), c.url}
}

func wrk2Args(c call) []string {
	return append([]string{"-R" + strconv.Itoa(c.rate)}, wrkArgs(c)...)
}

func heyArgs(c call) []string {
	args := []string{"-z", c.duration(), "-c", strconv.Itoa(connections), "-m", "POST", "-T", contentType, "-d", body}
	if c.rate > 0 {
		args = append(args, "-q", c.perConnection())
	}
	return append(args, c.url)
}

// abArgs gives -n after -t, which would otherwise stop at 50,000 requests.
func abArgs(c call) []string {
	return []string{"-q", "-k", "-c", strconv.Itoa(connections), "-t", strconv.Itoa(c.seconds), "-n", "100000000", "-p", c.file("body.json"), "-T", contentType, c.url}
}

func h2loadArgs(c call) []string {
	args := []string{"--h1", "-t1", "-c" + strconv.Itoa(connections), "-D", strconv.Itoa(c.seconds), "-d", c.file("body.json"), "-H", header}
	if c.rate > 0 {
		args = append(args, "--rps="+c.perConnection())
	}
	if c.latency {
		args = append(args, "--log-file="+c.file("h2load.log"))
	}
	return append(args, c.url)
}

func bombardierArgs(c call) []string {
	args := []string{"-c", strconv.Itoa(connections), "-d", c.duration(), "-m", "POST", "-H", header, "-b", body, "-l", "--print=result", "--format=json"}
	if c.rate > 0 {
		args = append(args, "-r", strconv.Itoa(c.rate))
	}
	return append(args, c.url)
}

// vegetaArgs leaves the number of workers open at a rate, so that waiting for a
// connection counts; in the closed loop there is one per connection.
func vegetaArgs(c call) []string {
	n := strconv.Itoa(connections)
	args := []string{
		"attack", "-targets", c.file("targets"), "-duration", c.duration(), "-rate", strconv.Itoa(c.rate), "-connections", n, "-max-connections", n,
		"-workers", n, "-body", c.file("body.json"), "-header", header, "-output", c.file("vegeta.bin"),
	}
	if c.rate == 0 {
		return append(args, "-max-workers", n)
	}
	return args
}

func vegetaReport(c call) (stdout, file []string) {
	return []string{"report", "-type", "json", c.file("vegeta.bin")}, []string{"report", "-type", "hdrplot", c.file("vegeta.bin")}
}

func fortioArgs(c call) []string {
	return []string{
		"load", "-c", strconv.Itoa(connections), "-qps", strconv.Itoa(c.rate), "-t", c.duration(), "-payload", body, "-content-type", contentType,
		"-p", "50,95,99,99.9", "-json", "-", "-quiet", c.url,
	}
}

func ohaArgs(c call) []string {
	args := []string{"-z", c.duration(), "-c", strconv.Itoa(connections), "-m", "POST", "-d", body, "-T", contentType, "--no-tui", "--output-format", "json"}
	if c.rate > 0 {
		args = append(args, "-q", strconv.Itoa(c.rate), "--latency-correction")
	}
	return append(args, c.url)
}

func k6Args(c call) []string {
	return []string{
		"run", "--quiet", "--summary-trend-stats", "p(50),p(95),p(99),p(99.9)", "--summary-export", c.file("k6.json"),
		"-e", "URL=" + c.url, "-e", "RATE=" + strconv.Itoa(c.rate), "-e", "SECONDS=" + strconv.Itoa(c.seconds), c.file("load.js"),
	}
}

// inputs are the files that clients read, by name.
func inputs(url string) map[string]string {
	return map[string]string{
		"body.json": body,
		"targets":   "POST " + url + "\n",
		"post.lua":  fmt.Sprintf("wrk.method = \"POST\"\nwrk.body = '%s'\nwrk.headers[\"Content-Type\"] = \"%s\"\n", body, contentType),
		"load.js":   k6Script,
	}
}

const k6Script = `import http from 'k6/http';
const rate = Number(__ENV.RATE), duration = __ENV.SECONDS + 's';
export const options = { scenarios: { load: rate > 0
  ? { executor: 'constant-arrival-rate', rate: rate, timeUnit: '1s', duration: duration, preAllocatedVUs: 64, maxVUs: 64 }
  : { executor: 'constant-vus', vus: 64, duration: duration } } };
const params = { headers: { 'Content-Type': 'application/json' } };
export default function () { http.post(__ENV.URL, '{"name":"cpu_usage","value":85}', params); }
`

// versionTimeout bounds each question for a version.
const versionTimeout = 10 * time.Second

var versionPattern = regexp.MustCompile(`v?\d+\.\d[^\s,]*`)

// askVersion asks the program, its build information, and Debian's packages, in
// the order in which they are likely to know. It returns "unknown" when none does.
func (t tool) askVersion(ctx context.Context, path string) string {
	if info, err := buildinfo.ReadFile(path); err == nil && versionPattern.MatchString(info.Main.Version) {
		return info.Main.Version
	}
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	if t.version != nil {
		text, _ := exec.CommandContext(ctx, path, t.version...).CombinedOutput() // wrk exits with 1
		if v := versionPattern.Find(text); v != nil {
			return string(v)
		}
	}
	if text, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${Version}", t.binary).Output(); err == nil {
		return "Debian " + strings.TrimSpace(string(text))
	}
	return "unknown"
}
