// Package scripts holds no program, only the check that README.md tells the truth:
// its links lead somewhere, its flags exist, its commands work.
package scripts

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLinks(t *testing.T) {
	for _, file := range []string{"README.md", "results/README.md", "results/reference/report.md"} {
		path := filepath.Join("..", file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		links := regexp.MustCompile(`\]\(([^)#\s]+)`).FindAllStringSubmatch(string(text), -1)
		links = append(links, regexp.MustCompile(`(?:src|srcset)="([^"]+)"`).FindAllStringSubmatch(string(text), -1)...)
		for _, link := range links {
			if strings.Contains(link[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), link[1])); err != nil {
				t.Errorf("%s links to %s: %v", file, link[1], err)
			}
		}
	}
}

// build returns the path of a freshly built program.
func build(t *testing.T, program string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), program)
	if out, err := exec.Command("go", "build", "-o", path, "../"+program).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

var flagName = regexp.MustCompile(`(?:^|[\s|\x60])-([a-z][a-z-]*)`)

// Every flag that README.md shows with a program, or in a program's section, is in
// that program's help.
func TestFlags(t *testing.T) {
	for _, program := range []string{"server", "loadgen", "bench"} {
		out, err := exec.Command(build(t, program), "-h").Output()
		if err != nil {
			t.Fatal(err)
		}
		known := flagName.FindAllStringSubmatch(string(out), -1)
		for _, use := range uses(readme(t), program) {
			for _, flag := range flagName.FindAllStringSubmatch(use, -1) {
				if !slices.ContainsFunc(known, func(k []string) bool { return k[1] == flag[1] }) {
					t.Errorf("README shows %s -%s, which its help does not know: %s", program, flag[1], use)
				}
			}
		}
	}
}

// uses returns the command lines of a program and the flag tables of its section.
func uses(text, program string) []string {
	var found []string
	section := ""
	command := regexp.MustCompile(`(?:go run \./|bin/|^|\x60)` + program + ` [^\x60#]*`)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "## ") {
			section = strings.ToLower(strings.TrimSpace(line[3:]))
		}
		if section == program && strings.HasPrefix(line, "| `-") {
			found = append(found, line[:strings.Index(line[3:], "`")+3])
		}
		found = append(found, command.FindAllString(line, -1)...)
	}
	return found
}

// The curl lines of the HTTP section, run as they stand but for the port, in both
// modes.
func TestCommands(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	block := regexp.MustCompile("(?s)```sh\n(curl.*?)```").FindStringSubmatch(readme(t))
	if block == nil {
		t.Fatal("README.md has no block of curl commands")
	}
	server := build(t, "server")
	for _, mode := range []string{"single", "concurrent"} {
		port := startServer(t, server, mode)
		script := strings.ReplaceAll(block[1], "8080", port)
		script = strings.Replace(script, "NOW=", "sleep 1\nNOW=", 1) // asked at least a second after ingest
		script = strings.ReplaceAll(script, "curl ", "curl -fsS ")
		out, err := exec.Command("bash", "-eu", "-c", script).CombinedOutput()
		if err != nil || !regexp.MustCompile(`^\{"status":"accepted"\}\[\{"name":"cpu_usage","value":85,"timestamp":\d{13}\}\]$`).Match(out) {
			t.Errorf("%s: %v\n%s\nprinted: %s", mode, err, script, out)
		}
	}
}

func startServer(t *testing.T, program, mode string) (port string) {
	t.Helper()
	var out syncBuffer
	cmd := exec.Command(program, "-mode", mode, "-addr", "127.0.0.1:0")
	cmd.Dir, cmd.Stdout = t.TempDir(), &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("server: %v", err)
		}
	})
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if m := regexp.MustCompile(`started on port (\d+)`).FindStringSubmatch(out.String()); m != nil {
			return m[1]
		}
	}
	t.Fatalf("server did not start: %s", out.String())
	return ""
}

// syncBuffer is written by a process and read by the test.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
