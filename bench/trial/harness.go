package trial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Arm is one configuration under test.
type Arm struct {
	// Name is the arm's key in results.
	Name string `json:"name"`
	// ServerArgs are flags of the server, such as -mode single.
	ServerArgs []string `json:"server_args"`
	// Preset is what the mode in ServerArgs stood for when the arm was made, by component.
	// Modes follow the best mechanisms there are; what was measured does not. Files from
	// before it was stored have none.
	Preset map[string]string `json:"preset,omitempty"`
	// LoadArgs are flags of the load generator that belong to the arm.
	LoadArgs []string `json:"load_args,omitempty"`
	// Command starts a server that is not ours: a command line of the shell, in which
	// {port} stands for the port it has to listen on and {dir} for its directory.
	Command string `json:"command,omitempty"`
	// URL is a server that runs already; only one of Command and URL is set.
	URL string `json:"url,omitempty"`
	// Path is what is asked of a server that is not ours; empty means the URL's own,
	// or /metrics.
	Path string `json:"path,omitempty"`
}

// Foreign reports whether the arm is a server that is not ours.
func (a Arm) Foreign() bool { return a.Command != "" || a.URL != "" }

// Limits are the gates' limits. A trial beyond one is void.
type Limits struct {
	// Steal and Foreign are shares of all cores' time, 0–1.
	Steal   float64 `json:"steal"`
	Foreign float64 `json:"foreign"`
	// OfferedError is the relative error of the offered rate in open loop.
	OfferedError float64 `json:"offered_error"`
}

// DefaultLimits returns the limits that results are published with.
func DefaultLimits() Limits { return Limits{Steal: 0.01, Foreign: 0.10, OfferedError: 0.001} }

// Harness is what all trials of a run share.
type Harness struct {
	// Server and Loadgen are paths of built programs.
	Server, Loadgen string
	// Dir is where trials keep their data while they run. It exists; each trial
	// creates and removes its own directory in it. Prepared files stay in it for the
	// next trial: who made the directory removes it.
	Dir       string
	Placement Placement
	Limits    Limits

	files map[Points]*prepared
}

// Run runs one trial of the arm.
func (h *Harness) Run(ctx context.Context, spec Spec, arm Arm, seed uint64) (Result, error) {
	return spec.Run(ctx, h, arm, seed)
}

// requestTimeout bounds every request that bench itself makes.
const requestTimeout = 20 * time.Second

// maxAnswer bounds an answer that bench reads.
const maxAnswer = 64 << 20

// inDir runs measure in a fresh directory and removes it afterwards.
func (h *Harness) inDir(measure func(dir string) error) error {
	dir, err := os.MkdirTemp(h.Dir, "trial-")
	if err != nil {
		return fmt.Errorf("create trial directory: %w", err)
	}
	return errors.Join(measure(dir), os.RemoveAll(dir))
}

// shown replaces the harness' directory in command lines and messages: it is gone when a
// result is read.
func (h *Harness) shown(args []string) []string {
	if args == nil {
		return nil
	}
	all := make([]string, len(args))
	for i, a := range args {
		all[i] = strings.ReplaceAll(a, h.Dir, "DIR")
	}
	return all
}

func dataFile(dir string) string { return filepath.Join(dir, "phase0_metrics.jsonl") }

// newClient returns a client of one connection. With reuse false each request
// dials, so that no idle connection is left to hold a single accept loop.
func newClient(reuse bool) *http.Client {
	return &http.Client{
		Timeout:   requestTimeout,
		Transport: &http.Transport{DisableKeepAlives: !reuse, MaxConnsPerHost: 1, DisableCompression: true},
	}
}

// fetch returns a whole answer, of whatever status.
func fetch(ctx context.Context, client *http.Client, url string) (status int, header http.Header, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("get %s: %w", url, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, nil, fmt.Errorf("get %s: %w", url, err)
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return 0, nil, nil, fmt.Errorf("get %s: %w", url, err)
	}
	return response.StatusCode, response.Header, body, nil
}

// get returns the body of a 200 answer.
func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	status, _, body, err := fetch(ctx, client, url)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("get %s: status %d: %.200s", url, status, body)
	}
	return body, nil
}
