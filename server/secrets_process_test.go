package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Secrets of receivers are used, and stand in nothing that the server says: not on either
// output, not in any answer, not when they cannot be used, and not in the outbox.
func TestSecretsAreNeverShown(t *testing.T) {
	const secret = "s3cr3t"
	var mu sync.Mutex
	used := map[string]bool{}
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		used[r.Header.Get("Authorization")+" "+r.URL.Path] = true
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer hook.Close()
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	withUser := strings.Replace(hook.URL, "http://", "http://user:"+secret+"@", 1)
	t.Setenv("PHASE0_ALERTMANAGER", withUser+"/"+secret)
	p := startIn(t, dir, "-alert-interval", "100ms", "-webhook", hook.URL+"/"+secret, "-webhook-token-file", token)
	p.post(`{"name":"cpu_usage","value":85}`)
	p.waitFor(func() bool { mu.Lock(); defer mu.Unlock(); return len(used) == 2 })
	p.waitFor(func() bool {
		_, text := p.get("/metrics")
		return strings.Contains(text, `retries_total{receiver="alertmanager"}`)
	})
	said := map[string]string{}
	for _, path := range []string{"/alerts", "/metrics", "/health", "/query?name=cpu_usage", "/nothing"} {
		_, said[path] = p.get(path)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	said["stdout"], said["stderr"] = p.output(), p.stderr.String()
	for _, want := range []string{"Bearer " + secret + " /" + secret, "Basic dXNlcjpzM2NyM3Q= /" + secret + "/api/v2/alerts"} {
		if mu.Lock(); !used[want] {
			t.Errorf("not used: %q; %v", want, used)
		}
		mu.Unlock()
	}
	if !strings.Contains(said["stderr"], "delivery failed") {
		t.Errorf("no failure was logged: %s", said["stderr"])
	}
	// What is wrong with a receiver is said without it, too.
	for _, args := range [][]string{
		{"-webhook", "ftp://user:" + secret + "@host/"}, {"-webhook", "http://host:" + secret + "/"}, {"-alertmanager", withUser + "/?" + secret},
		{"-webhook", withUser, "-webhook-token-file", token}, {"-h"},
	} {
		out, _ := command(dir, args...).CombinedOutput() // how it ends is not the question
		said[strings.Join(args, " ")] = string(out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(files) < 3 {
		t.Errorf("files: %v, %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		said[file] = string(content)
	}
	for where, text := range said {
		if text == "" || strings.Contains(text, secret) || strings.Contains(text, "dXNlcjpzM2NyM3Q") {
			t.Errorf("%s: %s", where, text)
		}
	}
}
