package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"phase0/server/alerting"
)

func deliver(t *testing.T, r Receiver, batch ...alerting.Notification) error {
	t.Helper()
	return r.Deliver(t.Context(), Batch{Key: batch[0].Key, Notifications: batch})
}

// What an answer means to the outbox.
func TestAnswers(t *testing.T) {
	for status, want := range map[int]string{
		200: "", 202: "", 204: "",
		301: "again", 401: "again", 403: "again", 404: "again", 405: "again", 408: "again", 409: "again", 429: "again", 500: "again", 503: "again",
		400: "refused", 413: "refused", 415: "refused", 422: "refused",
	} {
		r := receive(t, status)
		w, err := NewWebhook(Target{URL: r.URL})
		if err != nil {
			t.Fatal(err)
		}
		err = deliver(t, w, notification("A", "m", alerting.StatusFiring))
		got := ""
		if errors.Is(err, ErrRefused) {
			got = "refused"
		} else if err != nil {
			got = "again"
		}
		if got != want || len(r.got) != 1 {
			t.Errorf("%d: %q (%v), want %q; %d requests", status, got, err, want, len(r.got))
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-1": 0, "1.5": 0, "99999999999999999999": 0, "0": 0, "7": 7 * time.Second,
		"Thu, 26 Nov 2026 12:01:00 GMT": time.Minute, "Thu, 26 Nov 2026 11:59:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(503)
	}))
	defer s.Close()
	w, err := NewWebhook(Target{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	var retry *RetryError
	if err := deliver(t, w, notification("A", "m", alerting.StatusFiring)); !errors.As(err, &retry) || retry.After != 30*time.Second {
		t.Errorf("got %v", err)
	}
}

// secret stands in a place where it must be used and never be shown.
const secret = "s3cr3t"

func TestSecretsAreUsedAndNotShown(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := receive(t, 500)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	open := map[string]func(Target) (Receiver, error){
		"webhook":      func(t Target) (Receiver, error) { return NewWebhook(t) },
		"alertmanager": func(t Target) (Receiver, error) { return NewAlertmanager(t) },
	}
	for name, open := range open {
		for _, c := range []struct {
			target Target
			auth   string
		}{
			{Target{URL: strings.Replace(r.URL, "http://", "http://user:"+secret+"@", 1) + "/" + secret}, "Basic dXNlcjpzM2NyM3Q="},
			{Target{URL: r.URL, Token: Token{File: token}}, "Bearer " + secret},
			{Target{URL: r.URL, Token: Token{Text: secret}}, "Bearer " + secret},
			{Target{URL: "http://user:" + secret + "@" + closed.Addr().String() + "/" + secret}, ""},
		} {
			to, err := open(c.target)
			if err != nil {
				t.Fatal(err)
			}
			err = deliver(t, to, notification("A", "m", alerting.StatusFiring))
			if err == nil || strings.Contains(fmt.Sprintf("%v %+v", err, err), secret) {
				t.Errorf("%s: error %v", name, err)
			}
			if c.auth != "" {
				if got := <-r.got; got.auth != c.auth {
					t.Errorf("%s: authorization %q", name, got.auth)
				}
			}
		}
	}
}

// A token file that is replaced counts from the next delivery on; one that is gone is a
// failure to try again.
func TestTokenFileIsReadAgain(t *testing.T) {
	r := receive(t, 200)
	token := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(token, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	w, err := NewWebhook(Target{URL: r.URL, Token: Token{File: token}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		write(text)
		if err := deliver(t, w, notification("A", "m", alerting.StatusFiring)); err != nil {
			t.Fatal(err)
		}
		if got := <-r.got; got.auth != "Bearer "+text {
			t.Errorf("authorization %q", got.auth)
		}
	}
	for _, bad := range []string{"", "two words", "line\nfeed", "é", strings.Repeat("x", maxToken+1)} {
		write(bad)
		err := deliver(t, w, notification("A", "m", alerting.StatusFiring))
		if err == nil || errors.Is(err, ErrRefused) || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%.20q: %v", bad, err)
		}
		if _, err := NewWebhook(Target{URL: r.URL, Token: Token{File: token}}); err == nil {
			t.Errorf("%.20q was accepted at the start", bad)
		}
	}
}

func TestTargetsAreChecked(t *testing.T) {
	for _, url := range []string{"", "not-a-url", "127.0.0.1:9093/hook", "ftp://host/", "http://", "http:///hook", "http://:9093/hook", "http://host:port/", "http://a b/", "//host/hook", "http://host:99999/", "http://host:0/", "http://user:" + secret + "@"} {
		if _, err := NewWebhook(Target{URL: url}); err == nil || err.Error() != "webhook must be a URL such as http://127.0.0.1:9093/hook" {
			t.Errorf("%q: %v", url, err)
		}
		if _, err := NewAlertmanager(Target{URL: url}); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, url := range []string{"http://localhost/", "https://example.org:9093/hook?a=b", "HTTP://[::1]:9093"} {
		if _, err := NewWebhook(Target{URL: url}); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, url := range []string{"http://localhost/?a=b", "http://localhost/#a"} {
		if _, err := NewAlertmanager(Target{URL: url}); err == nil {
			t.Errorf("%q was accepted", url)
		}
	}
	if _, err := NewWebhook(Target{URL: "http://a:b@localhost/", Token: Token{Text: "c"}}); err == nil {
		t.Error("two ways to authorize were accepted")
	}
}

func TestAlertmanagerGetsItsOwnJSON(t *testing.T) {
	r := receive(t, 200)
	a, err := NewAlertmanager(Target{URL: r.URL + "/am/"})
	if err != nil {
		t.Fatal(err)
	}
	fires, ends := notification("A", "m", alerting.StatusFiring), notification("B", "m", alerting.StatusResolved)
	fires.Alert.Labels["empty"] = ""
	before := time.Now()
	if err := deliver(t, a, fires, ends); err != nil {
		t.Fatal(err)
	}
	got := <-r.got
	var alerts []postable
	if err := json.Unmarshal(got.body, &alerts); err != nil || len(alerts) != 2 || got.path != "/am/api/v2/alerts" || got.contentType != "application/json" || got.key == "" {
		t.Fatalf("%+v, %v", got, err)
	}
	if at := alerts[0].EndsAt; at.Before(before.Add(lapse-time.Second)) || at.After(time.Now().Add(lapse)) {
		t.Errorf("a firing alert lapses at %v", at)
	}
	if _, there := alerts[0].Labels["empty"]; there || alerts[0].Labels["alertname"] != "A" || !alerts[1].EndsAt.Equal(ends.EndsAt) || !alerts[1].StartsAt.Equal(ends.Alert.Since) {
		t.Errorf("got %+v", alerts)
	}
	if err := a.Refresh(t.Context(), []alerting.Notification{fires}); err != nil {
		t.Fatal(err)
	}
	if again := <-r.got; again.key != "" {
		t.Errorf("a refresh has key %q", again.key)
	}
}

// FuzzDelivery: whatever the labels hold, both receivers get one request with one JSON
// text that holds them, and a key that a header can carry.
func FuzzDelivery(f *testing.F) {
	f.Add("HighCPU", "page")
	f.Add("a\r\nX-Evil: 1\r\n\r\nPOST / HTTP/1.1", "\x00\xff\"\\</script>\u2028")
	f.Add("?a=b#c%0d%0a", "{{ $value }}")
	type got struct {
		header http.Header
		target string
		body   []byte
	}
	seen := make(chan got, 10)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a short body is no JSON
		seen <- got{r.Header, r.RequestURI, body}
	}))
	f.Cleanup(s.Close)
	webhook, err := NewWebhook(Target{URL: s.URL + "/hook"})
	if err != nil {
		f.Fatal(err)
	}
	alertmanager, err := NewAlertmanager(Target{URL: s.URL})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, label string) {
		n := notification(name, "m", alerting.StatusFiring)
		n.Alert.Labels["hostile"] = label
		n.Alert.Fingerprint = alerting.Fingerprint(n.Alert.Labels)
		n = alerting.NewNotification(n.Status, n.Alert, n.At)
		for _, to := range []Receiver{webhook, alertmanager} {
			if err := deliver(t, to, n); err != nil {
				t.Fatal(err)
			}
			g := <-seen
			if len(seen) != 0 || g.header.Get("X-Evil") != "" || g.header.Get("Idempotency-Key") != n.Key || !strings.HasPrefix("/hook /api/v2/alerts", g.target) && g.target != "/api/v2/alerts" {
				t.Fatalf("%d more requests; %s %v", len(seen), g.target, g.header)
			}
			if !json.Valid(g.body) {
				t.Fatalf("%q", g.body)
			}
		}
	})
}
