package trial

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestSplitCommand(t *testing.T) {
	tests := []struct {
		line string
		want []string // nil means an error
	}{
		{"nginx -p {dir}", []string{"nginx", "-p", "{dir}"}},
		{"  a\t b\n", []string{"a", "b"}},
		{`sh -c 'exec a "$1"' x`, []string{"sh", "-c", `exec a "$1"`, "x"}},
		{`a "b c" d"e"'f'`, []string{"a", "b c", "def"}},
		{`a "q\"q" "back\\slash" "keep\n"`, []string{"a", `q"q`, `back\slash`, `keep\n`}},
		{`a b\ c \'`, []string{"a", "b c", "'"}},
		{`a '' ""`, []string{"a", "", ""}},
		{`a 'open`, nil},
		{`a "open\"`, nil},
		{`a \`, nil},
		{"   ", nil},
		{`'' a`, nil},
		{strings.Repeat("a", maxCommand+1), nil},
	}
	for _, tt := range tests {
		got, err := splitCommand(tt.line)
		if (err == nil) != (tt.want != nil) || !slices.Equal(got, tt.want) {
			t.Errorf("%.40q: %q, %v; want %q", tt.line, got, err, tt.want)
		}
	}
}

func FuzzSplitCommand(f *testing.F) {
	f.Add(`sh -c 'exec a "$1"' x`)
	f.Add(`a "q\"q" \`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitCommand(line)
		if err != nil {
			return
		}
		var again []string
		for _, w := range words {
			again = append(again, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
		}
		if back, err := splitCommand(strings.Join(again, " ")); len(line) < maxCommand/8 && (err != nil || !slices.Equal(back, words)) {
			t.Errorf("%q quoted and split again is %q, %v", words, back, err)
		}
	})
}

func TestValidateArm(t *testing.T) {
	tests := []struct {
		arm  Arm
		want string // of the error; "" means that it is valid
	}{
		{single(), ""},
		{Arm{Name: "n", Command: "nginx -g {port}", Path: "/a?b=c"}, ""},
		{Arm{Name: "n", URL: "http://127.0.0.1:1/x"}, ""},
		{Arm{}, "needs a name"},
		{Arm{Name: "n", Command: "a {port}", URL: "http://x"}, "both"},
		{Arm{Name: "n", Command: "a {port}", ServerArgs: []string{"-x"}}, "flags of our server"},
		{Arm{Name: "n", Command: "a 'b {port}"}, "not closed"},
		{Arm{Name: "n", Command: "a"}, "no {port}"},
		{Arm{Name: "n", Command: "a {port}", Path: "x"}, "begin with /"},
		{Arm{Name: "n", URL: "ftp://x"}, "http://host"},
		{Arm{Name: "n", URL: "http://"}, "http://host"},
		{Arm{Name: "n", URL: "http://x", Path: "//y/z"}, "not a path"},
		{Arm{Name: "n", URL: "http://%zz"}, "arm n"},
	}
	for _, tt := range tests {
		err := tt.arm.Validate()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.arm, err, tt.want)
		}
	}
}

func TestTargetPath(t *testing.T) {
	tests := []struct{ url, path, want string }{
		{"http://h:1", "", "http://h:1/metrics"},
		{"http://h", "", "http://h:80/metrics"},
		{"http://h:1/", "", "http://h:1/"},
		{"http://h:1/write?db=a", "", "http://h:1/write?db=a"},
		{"http://h:1/write?db=a", "/b?c=d", "http://h:1/b?c=d"},
	}
	for _, tt := range tests {
		if got, err := (Arm{Name: "n", Path: tt.path}).target(tt.url); err != nil || got.String() != tt.want {
			t.Errorf("%s and %q: %v, %v; want %s", tt.url, tt.path, got, err, tt.want)
		}
	}
}

// ownServer is this test binary as a server that is not ours.
func ownServer(t *testing.T) Arm {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Arm{Name: "other", Command: "'" + self + "' -addr 127.0.0.1:{port} -data '{dir}/x y'"}
}

func TestLoadOfAForeignCommand(t *testing.T) {
	h := fakeHarness(t, "")
	load := smallLoad()
	load.SlowClient = true
	r, err := load.Run(t.Context(), h, ownServer(t), 1)
	if err != nil || !r.Valid() {
		t.Fatalf("error %v, void %q", err, r.Void)
	}
	if r.Values[UnitRPS] != 199 || r.Values[UnitPeakMemory] <= 0 || r.Accepted <= 2*fakeRequests || r.Stored != 0 {
		t.Errorf("accepted %d, stored %d, values %v", r.Accepted, r.Stored, r.Values)
	}
	if r.Unavailable[UnitQueueDepth] == "" || !strings.HasPrefix(r.ServerArgs[4], "DIR/") {
		t.Errorf("unavailable %v, server %q", r.Unavailable, r.ServerArgs)
	}
	expectEmpty(t, h.Dir)
}

func TestLoadOfARunningServer(t *testing.T) {
	var asked atomic.Int64
	running := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/write" {
			asked.Add(1)
		}
	}))
	defer running.Close()
	r, err := smallLoad().Run(t.Context(), fakeHarness(t, ""), Arm{Name: "other", URL: running.URL + "/write"}, 1)
	if err != nil || !r.Valid() || r.Accepted != 2*fakeRequests || asked.Load() != 2*fakeRequests {
		t.Fatalf("error %v, void %q, accepted %d, asked %d", err, r.Void, r.Accepted, asked.Load())
	}
	for _, unit := range []string{UnitCPUPerSample, UnitPeakMemory, UnitMemPerSample, UnitServerBusy, UnitQueueDepth} {
		if _, known := r.Value(unit); known || r.Unavailable[unit] == "" {
			t.Errorf("%s is known of a server that bench did not start", unit)
		}
	}
}

func TestForeignServersThatDoNotStart(t *testing.T) {
	tests := []struct {
		arm  Arm
		want string
	}{
		{Arm{Name: "gone", Command: "no-such-program-here {port}"}, "executable file not found"},
		{Arm{Name: "gone", Command: "/no/such/program {port}"}, "no such file"},
		{Arm{Name: "hasty", Command: "sh -c 'echo cannot read {port} >&2; exit 3'"}, "exit status 3): cannot read"},
		{Arm{Name: "daemon", Command: "true {port}"}, "must stay in the foreground"},
	}
	for _, tt := range tests {
		h := fakeHarness(t, "")
		for _, err := range []error{h.Probe(t.Context(), tt.arm), second(smallLoad().Run(t.Context(), h, tt.arm, 1))} {
			if !errors.Is(err, ErrServerStart) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %q", tt.arm.Command, err, tt.want)
			}
		}
	}
	free, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	if err := fakeHarness(t, "").Probe(t.Context(), Arm{Name: "away", URL: "http://127.0.0.1:" + free}); !errors.Is(err, ErrServerStart) {
		t.Errorf("nobody listens: %v", err)
	}
}

func second(_ Result, err error) error { return err }

func TestForeignServerThatDiesVoidsItsTrial(t *testing.T) {
	r, err := smallLoad().Run(t.Context(), fakeHarness(t, "dies"), ownServer(t), 1)
	if err != nil || r.Valid() || !strings.Contains(strings.Join(r.Void, "; "), "the server ended during the trial (exit status 2)") {
		t.Errorf("error %v, void %q", err, r.Void)
	}
}

// A server whose child goes on when it is told to end must not outlive its trial.
func TestForeignChildrenAreEnded(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := fakeHarness(t, "")
	arm := Arm{Name: "parent", Command: "sh -c 'trap : TERM; \"" + self + "\" -addr 127.0.0.1:{port} -data \"{dir}/d\" & (trap : TERM; sleep 60) & wait; wait'"}
	err = h.inDir(func(dir string) error {
		s, err := h.startForeign(t.Context(), nil, dir, arm)
		if err != nil {
			return err
		}
		group := s.cmd.Process.Pid
		if _, err := s.stop(); err != nil {
			return err
		}
		deadline := time.Now().Add(30 * time.Second)
		for time.Now().Before(deadline) {
			if _, err := groupCPU(group); err != nil {
				return nil
			}
			time.Sleep(10 * time.Millisecond)
		}
		return errors.New("the group is still there")
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOthersRefuseForeignArms(t *testing.T) {
	h := fakeHarness(t, "")
	for _, spec := range []Spec{smallLoss(), Query{Points: Points{N: 10}}} {
		if _, err := spec.Run(t.Context(), h, ownServer(t), 1); !errors.Is(err, ErrForeign) {
			t.Errorf("%T: %v", spec, err)
		}
	}
}

func TestCancelledWaitForAPort(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = fakeHarness(t, "").Probe(ctx, Arm{Name: "mute", Command: "sleep 60 {port}"})
	if err == nil {
		t.Error("a server that never listens came up")
	}
}

// Real processes: the load generator against a server that is ours in disguise.
func TestForeignCommandUnderRealLoad(t *testing.T) {
	h := realHarness(t)
	arm := Arm{Name: "disguised", Command: "'" + h.Server + "' -mode concurrent -addr 127.0.0.1:{port} -data '{dir}/d'", LoadArgs: []string{"-batch", "10"}}
	load := Load{Connections: 4, Warmup: 200 * time.Millisecond, Window: time.Second}
	r, err := load.Run(t.Context(), h, arm, 1)
	if err != nil || r.Accepted == 0 || r.Values[UnitRPS] <= 0 || r.Values[UnitPeakMemory] <= 0 {
		t.Fatalf("error %v, void %q, values %v", err, r.Void, r.Values)
	}
	expectEmpty(t, h.Dir)
}
