package notify

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/prometheus/common/model"

	"phase0/server/alerting"
)

// receiver is a webhook receiver that keeps what it gets.
type receiver struct {
	*httptest.Server
	status int
	got    chan received
}

type received struct {
	method, path, contentType, auth, key string
	body                                 []byte
}

func receive(t *testing.T, status int) *receiver {
	r := &receiver{status: status, got: make(chan received, 1000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body) // a short body fails to decode
		r.got <- received{req.Method, req.RequestURI, req.Header.Get("Content-Type"), req.Header.Get("Authorization"), req.Header.Get("Idempotency-Key"), body}
		w.WriteHeader(r.status)
	}))
	t.Cleanup(r.Server.Close)
	return r
}

func TestWebhookPostsVersion4(t *testing.T) {
	r := receive(t, 200)
	w, err := NewWebhook(Target{URL: r.URL + "/hook?x=1"})
	if err != nil {
		t.Fatal(err)
	}
	batch := []alerting.Notification{
		notification("A", "cpu_usage", alerting.StatusFiring),
		notification("B\n\"<", "memory_usage", alerting.StatusResolved),
	}
	if err := w.Deliver(t.Context(), Batch{Key: "k1", Notifications: batch}); err != nil {
		t.Fatal(err)
	}
	got := <-r.got
	if got.key != "k1" || got.method != "POST" || got.path != "/hook?x=1" || got.contentType != "application/json" {
		t.Errorf("got %s %s %s", got.method, got.path, got.contentType)
	}
	const want = `{
		"version": "4", "groupKey": "{}", "truncatedAlerts": 0, "status": "firing", "receiver": "webhook",
		"groupLabels": {}, "commonLabels": {"severity": "page"}, "commonAnnotations": {}, "externalURL": "",
		"alerts": [
			{"status": "firing", "labels": {"alertname": "A", "severity": "page"}, "annotations": {},
			 "startsAt": "2023-11-14T22:13:20Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "%s", "idempotencyKey": "%s"},
			{"status": "resolved", "labels": {"alertname": "B\n\"<", "severity": "page"}, "annotations": {},
			 "startsAt": "2023-11-14T22:13:20Z", "endsAt": "2023-11-14T22:14:20Z", "generatorURL": "", "fingerprint": "%s", "idempotencyKey": "%s"}
		]}`
	a := model.LabelSet{"alertname": "A", "severity": "page"}.Fingerprint()
	b := model.LabelSet{"alertname": "B\n\"<", "severity": "page"}.Fingerprint()
	wantJSON(t, got.body, fmt.Sprintf(want, a, batch[0].Key, b, batch[1].Key))
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
		n.Alert.Fingerprint = alerting.Fingerprint(n.Alert.Labels)
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
