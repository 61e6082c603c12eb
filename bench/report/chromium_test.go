package report

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser opens pages in a headless Chromium that cannot reach any network: all it
// asks for goes to a proxy of ours, which hangs up.
type browser struct {
	program string
	proxy   string
}

// newBrowser finds Chromium. Without one the test is skipped, but not in CI, which
// installs it.
func newBrowser(t *testing.T) browser {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if program, err := exec.LookPath(name); err == nil {
			return browser{program: program, proxy: hangUp(t)}
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no Chromium found, and CI requires the page to be opened")
	}
	t.Skip("no Chromium found, so that the page is not opened (install chromium to run this)")
	return browser{}
}

// hangUp returns the address of a listener that closes every connection.
func hangUp(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	})
	t.Cleanup(func() { l.Close(); served.Wait() })
	return l.Addr().String()
}

// open loads a page and returns its elements as they are afterwards, and what the
// console says.
func (b browser) open(t *testing.T, page []byte) (dom string, console []string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "page.html")
	if err := os.WriteFile(file, page, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, b.program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--user-data-dir="+filepath.Join(dir, "profile"), "--proxy-server="+b.proxy, "--proxy-bypass-list=<-loopback>",
		"--enable-logging=stderr", "--virtual-time-budget=2000", "--hide-scrollbars", "--dump-dom", "file://"+file)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, stderr.String())
	}
	for line := range strings.Lines(stderr.String()) {
		if strings.Contains(line, ":CONSOLE") {
			console = append(console, strings.TrimSpace(line))
		}
	}
	return stdout.String(), console
}

func renderedPage(t *testing.T) []byte {
	t.Helper()
	files, err := Files(sampleRun())
	if err != nil {
		t.Fatal(err)
	}
	return files["report.html"]
}

func TestPageOpensWithoutErrors(t *testing.T) {
	b := newBrowser(t)
	page := renderedPage(t)
	dom, console := b.open(t, page)
	if len(console) > 0 {
		t.Errorf("console says:\n%s", strings.Join(console, "\n"))
	}
	if strings.Count(dom, "<svg") != bytes.Count(page, []byte("<svg")) || !strings.Contains(dom, "Every comparison</h2>") {
		t.Error("the page did not arrive whole")
	}
}

// TestPageErrorsAreSeen proves that the test above can fail: the page's policy turns
// every request, and any script, into an error on the console.
func TestPageErrorsAreSeen(t *testing.T) {
	b := newBrowser(t)
	broken := bytes.Replace(renderedPage(t), []byte("<main>"), []byte(`<main><img src="http://example.invalid/p.png" alt="">
<style>@font-face{font-family:x;src:url(http://example.invalid/f.woff2)}h1{font-family:x}</style><script>throw new Error("no")</script>`), 1)
	_, console := b.open(t, broken)
	for _, want := range []string{"p.png", "f.woff2", "inline script"} {
		if !strings.Contains(strings.Join(console, "\n"), want) {
			t.Errorf("no error about %s in %q", want, console)
		}
	}
}

// TestPageFitsItsWindow asks the browser whether the page is wider than its window, on
// phones too: only the boxes around tables may scroll sideways.
func TestPageFitsItsWindow(t *testing.T) {
	b := newBrowser(t)
	page := regexp.MustCompile(`<meta http-equiv[^>]*>`).ReplaceAll(renderedPage(t), nil)
	widths := []int{320, 390, 820, 1280}
	var frames strings.Builder
	for _, width := range widths {
		fmt.Fprintf(&frames, "<iframe width=%d height=800 frameborder=0 srcdoc=\"%s\"></iframe>\n", width, html.EscapeString(string(page)))
	}
	// A page that does not fit, so that the test is known to see it.
	frames.WriteString(`<iframe width=400 height=100 srcdoc="<div style='width:1999px'>wide</div>" frameborder=0></iframe>`)
	dom, _ := b.open(t, []byte("<!doctype html><title>-</title>"+frames.String()+`<script>
onload = () => document.title = [...document.querySelectorAll("iframe")].map(f => f.contentDocument.documentElement.scrollWidth).join(" ")
</script>`))
	_, title, _ := strings.Cut(dom, "<title>")
	title, _, _ = strings.Cut(title, "</title>")
	got := strings.Fields(title)
	for i, width := range widths {
		if i >= len(got) || got[i] != fmt.Sprint(width) {
			t.Errorf("windows of %v and 400 show pages that are %v wide", widths, got)
			break
		}
	}
	if len(got) != len(widths)+1 || got[len(got)-1] == "400" {
		t.Errorf("the page that does not fit is not seen: %v", got)
	}
}
