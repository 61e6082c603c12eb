package notify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/rs/zerolog"

	"phase0/server/alerting"
)

// receiver is a webhook receiver that keeps what it gets.
type receiver struct {
	*httptest.Server
	status int
	got    chan received
}

type received struct {
	method, path, contentType, auth string
	body                            []byte
}

func receive(t *testing.T, status int) *receiver {
	r := &receiver{status: status, got: make(chan received, 1000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body) // a short body fails to decode
		r.got <- received{req.Method, req.RequestURI, req.Header.Get("Content-Type"), req.Header.Get("Authorization"), body}
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Server.Close)
	return r
}

func open(t *testing.T, url string, l limits) (*Webhook, *logBuffer) {
	t.Helper()
	log := &logBuffer{}
	w, err := newWebhook(url, zerolog.New(log), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w, log
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestWebhookPostsVersion4(t *testing.T) {
	r := receive(t, 200)
	w, log := open(t, r.URL+"/hook?x=1", defaults())
	w.Notify([]alerting.Notification{
		notification("A", "cpu_usage", alerting.StatusFiring),
		notification("B\n\"<", "memory_usage", alerting.StatusResolved),
	})
	w.Close()
	got := <-r.got
	if got.method != "POST" || got.path != "/hook?x=1" || got.contentType != "application/json" {
		t.Errorf("got %s %s %s", got.method, got.path, got.contentType)
	}
	const want = `{
		"version": "4", "groupKey": "{}", "truncatedAlerts": 0, "status": "firing", "receiver": "webhook",
		"groupLabels": {}, "commonLabels": {"severity": "page"}, "commonAnnotations": {}, "externalURL": "",
		"alerts": [
			{"status": "firing", "labels": {"alertname": "A", "severity": "page"}, "annotations": {},
			 "startsAt": "2023-11-14T22:13:20Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "%s"},
			{"status": "resolved", "labels": {"alertname": "B\n\"<", "severity": "page"}, "annotations": {},
			 "startsAt": "2023-11-14T22:13:20Z", "endsAt": "2023-11-14T22:14:20Z", "generatorURL": "", "fingerprint": "%s"}
		]}`
	a := model.LabelSet{"alertname": "A", "severity": "page"}.Fingerprint()
	b := model.LabelSet{"alertname": "B\n\"<", "severity": "page"}.Fingerprint()
	wantJSON(t, got.body, fmt.Sprintf(want, a, b))
	if s := w.Stats(); s != (alerting.Deliveries{Sent: 2}) || log.String() != "" {
		t.Errorf("stats %+v, log %s", s, log)
	}
}

func wantJSON(t *testing.T, got []byte, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPayloadStatus(t *testing.T) {
	body, err := encode([]alerting.Notification{notification("A", "a", alerting.StatusResolved), notification("B", "b", alerting.StatusResolved)})
	if err != nil {
		t.Fatal(err)
	}
	var p payload
	if err := json.Unmarshal(body, &p); err != nil || p.Status != alerting.StatusResolved {
		t.Errorf("status %q, %v", p.Status, err)
	}
}

// FuzzPayload: whatever the labels hold, the payload is JSON and the alert is the
// one that Prometheus' own fingerprint names.
func FuzzPayload(f *testing.F) {
	f.Add("HighCPU", "page", "cpu at 85")
	f.Add("a\x00\n\"\\</script>", "\xff\xfe", "{{ $value }}\u2028")
	f.Fuzz(func(t *testing.T, name, label, annotation string) {
		n := notification(name, "m", alerting.StatusFiring)
		n.Alert.Labels["severity"] = label
		n.Alert.Annotations["summary"] = annotation
		body, err := encode([]alerting.Notification{n})
		if err != nil {
			t.Fatal(err)
		}
		var p payload
		if err := json.Unmarshal(body, &p); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if a := p.Alerts[0]; a.Labels["alertname"] != strings.ToValidUTF8(name, "\ufffd") && !strings.Contains(a.Labels["alertname"], "\ufffd") {
			t.Fatalf("name %q came back as %q", name, a.Labels["alertname"])
		}
		want := model.LabelSet{"alertname": model.LabelValue(name), "severity": model.LabelValue(label)}.Fingerprint()
		if got := p.Alerts[0].Fingerprint; got != want.String() {
			t.Fatalf("fingerprint %s, want %s", got, want)
		}
	})
}

func TestWebhookKeepsOrder(t *testing.T) {
	r := receive(t, 204)
	l := defaults()
	l.alerts = 7
	w, _ := open(t, r.URL, l)
	var want []string
	for range 3 { // evaluations
		var batch []alerting.Notification
		for range 40 {
			want = append(want, fmt.Sprint("A", len(want)))
			batch = append(batch, notification(want[len(want)-1], "m", alerting.StatusFiring))
		}
		w.Notify(batch)
	}
	w.Close()
	var got []string
	for len(got) < len(want) {
		var p payload
		if err := json.Unmarshal((<-r.got).body, &p); err != nil || len(p.Alerts) > 7 {
			t.Fatalf("%d alerts, %v", len(p.Alerts), err)
		}
		for _, a := range p.Alerts {
			got = append(got, a.Labels["alertname"])
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

// One evaluation is one payload, so that many alerts reach a receiver as fast as one.
func TestWebhookSendsOneEvaluationAtOnce(t *testing.T) {
	r := receive(t, 200)
	w, _ := open(t, r.URL, defaults())
	w.Notify(many(40))
	w.Close()
	var p payload
	if err := json.Unmarshal((<-r.got).body, &p); err != nil || len(p.Alerts) != 40 || len(r.got) != 0 {
		t.Errorf("%d alerts in the first of %d payloads, %v", len(p.Alerts), 1+len(r.got), err)
	}
}

func many(n int) []alerting.Notification {
	var batch []alerting.Notification
	for i := range n {
		batch = append(batch, notification(fmt.Sprint("A", i), "m", alerting.StatusFiring))
	}
	return batch
}

func TestWebhookCountsAndLogsFailures(t *testing.T) {
	for _, status := range []int{301, 404, 500} {
		r := receive(t, status)
		w, log := open(t, strings.Replace(r.URL, "http://", "http://user:secret@", 1)+"/token", defaults())
		w.Notify(many(3))
		w.Close()
		if got := <-r.got; got.auth == "" || len(r.got) != 0 {
			t.Errorf("%d: authorization %q, %d more attempts", status, got.auth, len(r.got))
		}
		if s := w.Stats(); s != (alerting.Deliveries{Failed: 3}) {
			t.Errorf("%d: stats %+v", status, s)
		}
		want := fmt.Sprintf(`"error":"post notification: receiver answered %d"`, status)
		if !strings.Contains(log.String(), want) || strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "token") {
			t.Errorf("log %s", log)
		}
	}
}

func TestWebhookGoesOnAfterAFailure(t *testing.T) {
	r := receive(t, 200)
	address := r.Listener.Addr().String()
	r.Server.Close() // nobody listens there now
	w, _ := open(t, "http://"+address, defaults())
	w.Notify(many(1))
	await(t, "first delivery to fail", func() bool { return w.Stats().Failed == 1 })
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skip("port was taken meanwhile:", err)
	}
	serveOK(t, l)
	w.Notify(many(1))
	w.Close()
	if s := w.Stats(); s != (alerting.Deliveries{Sent: 1, Failed: 1}) {
		t.Errorf("stats %+v", s)
	}
}

// serveOK answers 200 to everything on l.
func serveOK(t *testing.T, l net.Listener) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
}

// await looks for what another goroutine is about to count.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// stalled takes connections and never answers.
func stalled(t *testing.T) (url string, taken <-chan net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		close(conns)
		for c := range conns {
			c.Close()
		}
	})
	return "http://" + l.Addr().String(), conns
}

func TestStalledReceiverBlocksNobodyAndCostsABoundedQueue(t *testing.T) {
	url, taken := stalled(t)
	l := limits{queue: 3, alerts: 500, delivery: 500 * time.Millisecond, closing: time.Millisecond}
	w, log := open(t, url, l)
	w.Notify(many(2))
	conn := <-taken // this payload is under way, the queue is empty
	for range 10 {
		w.Notify(many(2))
	}
	if s := w.Stats(); s != (alerting.Deliveries{Dropped: 14}) {
		t.Errorf("stats %+v; want 7 of 10 payloads dropped at once", s)
	}
	w.Close()
	w.Close()
	conn.Close()
	if s := w.Stats(); s != (alerting.Deliveries{Failed: 2, Dropped: 20}) {
		t.Errorf("stats after Close %+v", s)
	}
	w.Notify(many(2))
	if s := w.Stats(); s.Dropped != 22 {
		t.Errorf("stats after Notify after Close %+v", s)
	}
	if n := strings.Count(log.String(), "notifications are dropped"); n != 1 {
		t.Errorf("%d warnings: %s", n, log)
	}
	if !strings.Contains(log.String(), `"payloads":3,"message":"webhook is too slow; what is still queued is dropped"`) {
		t.Errorf("log %s", log)
	}
}

func TestWebhookReachesIPv6(t *testing.T) {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip("no IPv6 here:", err)
	}
	serveOK(t, l)
	w, log := open(t, "http://"+l.Addr().String(), defaults())
	w.Notify(many(1))
	w.Close()
	if w.Stats().Sent != 1 {
		t.Errorf("log %s", log)
	}
}

func TestNewWebhookChecksItsURL(t *testing.T) {
	for _, url := range []string{"", "not-a-url", "127.0.0.1:9093/hook", "ftp://host/", "http://", "http:///hook", "http://:9093/hook", "http://host:port/", "http://a b/", "//host/hook", "http://host:99999/", "http://host:0/"} {
		w, err := NewWebhook(url, zerolog.Nop())
		if err == nil {
			w.Close()
			t.Errorf("%q was accepted", url)
		} else if err.Error() != "webhook must be a URL such as http://127.0.0.1:9093/hook" {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, url := range []string{"http://localhost/", "https://example.org:9093/hook?a=b", "HTTP://[::1]:9093"} {
		w, err := NewWebhook(url, zerolog.Nop())
		if err != nil {
			t.Errorf("%q: %v", url, err)
			continue
		}
		w.Close()
	}
}
