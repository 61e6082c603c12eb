package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"phase0/loadgen/run"
	"phase0/loadgen/schedule"
)

func TestParseDefaults(t *testing.T) {
	o, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := o.config
	if c.URL.String() != defaultURL || c.RPS != 200 || c.Duration != 10*time.Second || c.Requests != 0 ||
		c.Connections != 64 || c.Model != run.Open || c.Method != "POST" || !c.KeepAlive || c.Timeout != 5*time.Second || c.Body != nil {
		t.Errorf("defaults %+v", c)
	}
}

func TestParse(t *testing.T) {
	body := filepath.Join(t.TempDir(), "body")
	if err := os.WriteFile(body, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		args  string
		check func(options) bool
	}{
		{"-rps 2253.5 -d 500ms -c 1 -n 7", func(o options) bool {
			c := o.config
			return c.RPS == 2253.5 && c.Duration == 500*time.Millisecond && c.Connections == 1 && c.Requests == 7
		}},
		{"-n 7", func(o options) bool { return o.config.Duration == 0 && o.config.Requests == 7 }},
		{"localhost:9 -rps 5 -quiet", func(o options) bool {
			return o.config.URL.String() == "http://localhost:9/metrics" && o.config.RPS == 5 && o.quiet
		}},
		{"-rps 5 http://h/a?b=c -o x.json", func(o options) bool {
			return o.config.URL.String() == "http://h/a?b=c" && o.config.RPS == 5 && o.out == "x.json"
		}},
		{"http://h/", func(o options) bool { return o.config.URL.Path == "/" }},
		{":8081", func(o options) bool { return o.config.URL.String() == "http://127.0.0.1:8081/metrics" }},
		{"[::1]:8081/x", func(o options) bool { return o.config.URL.String() == "http://[::1]:8081/x" }},
		{"-model closed -keepalive=false -timeout 1s -seed 9", func(o options) bool {
			c := o.config
			return c.Model == run.Closed && !c.KeepAlive && c.Timeout == time.Second && c.Seed == 9
		}},
		{"-H A:1 -H B:x:y", func(o options) bool {
			h := o.config.Headers
			return len(h) == 2 && h[0].Name == "A" && h[0].Value == "1" && h[1].Value == "x:y"
		}},
		{"-body text", func(o options) bool { return string(o.config.Body) == "text" }},
		{"-body @" + body, func(o options) bool { return string(o.config.Body) == "from a file" }},
		{"-rps 2k", func(o options) bool { return o.config.RPS == 2000 }},
		{"-rps 120/m -arrivals poisson", func(o options) bool { return o.config.RPS == 2 && o.config.Arrivals == schedule.Poisson }},
		{"-profile 1s@10,2s@10..50", func(o options) bool { return len(o.config.Phases) == 2 && o.config.Duration == 0 }},
		{"-profile 1s@10,2s@10..50 -d 2s", func(o options) bool { return o.config.Duration == 2*time.Second }},
		{"-max-conns 8", func(o options) bool { return o.config.Connections == 8 }},
		{"-batch 10 -verify -verify-wait 1s", func(o options) bool {
			return o.config.Batch == 10 && o.config.Verify && o.config.VerifyWait == time.Second
		}},
		{"-query-rps 5 -query-url /query?name=a http://h:1/x", func(o options) bool {
			return o.config.QueryRPS == 5 && o.config.QueryURL.String() == "http://h:1/query?name=a"
		}},
		{"-query-rps 5 -query-url http://other/q", func(o options) bool { return o.config.QueryURL.Host == "other" }},
		{"-slo p99<5ms,err<1%", func(o options) bool { return len(o.objectives) == 2 }},
		{"https://h/x -insecure", func(o options) bool { return o.config.URL.Scheme == "https" && o.config.TLS.InsecureSkipVerify }},
		{"-body {{seq}} -literal", func(o options) bool { return o.config.Literal }},
		{"-engine fasthttp -reconnect -freshness", func(o options) bool {
			return o.config.Engine == run.FastHTTP && o.config.Reconnect && o.config.Freshness
		}},
		{"-m GET", func(o options) bool { return o.config.Method == "GET" }},
		{"--version", func(o options) bool { return o.version }},
	}
	for _, tt := range tests {
		o, err := parse(strings.Fields(tt.args))
		if err != nil || !tt.check(o) {
			t.Errorf("parse %q: %+v, error %v", tt.args, o, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		args string
		want string // part of the message
	}{
		{"-rps 0", "0.01 to 1000000"},
		{"-rps -1", "0.01 to 1000000"},
		{"-rps NaN", "0.01 to 1000000"},
		{"-rps 1e12", "0.01 to 1000000"},
		{"-rps many", "0.01 to 1000000"},
		{"-d -5s", "10ms to 24h0m0s"},
		{"-d 0", "10ms to 24h0m0s"},
		{"-d 5", "with a unit"},
		{"-c 0", "1 to 10000"},
		{"-c 1.5", "1 to 10000"},
		{"-c 10001", "1 to 10000"},
		{"-n 0", "1 to 1000000000000"},
		{"-timeout 0s", "1ms to 10m0s"},
		{"-model both", "neither open nor closed"},
		{"-model closed -rps 5", "-rps needs -model open"},
		{"-model closed -profile 1s@5", "-profile needs -model open"},
		{"-rps 5 -profile 1s@5", "give one"},
		{"-profile 1s@", "phase 1"},
		{"-arrivals often", "neither uniform nor poisson"},
		{"-engine carrier-pigeon", "unknown"},
		{"-batch 0", "1 to 100000"},
		{"-batch 2 -body x", "-batch is of the default body"},
		{"-verify -body x", "-verify knows"},
		{"-verify -m GET", "-verify knows"},
		{"-verify-wait 1s", "needs -verify"},
		{"-query-url /q", "needs -query-rps"},
		{"-query-rps 1 -model closed -n 5", "needs -d"},
		{"-slo p99", "p99"},
		{"-slo=", "slo"},
		{"-format xml", "text, json or bench"},
		{"-body {{id}}", "{{id}} is unknown"},
		{"http://h/{{id}}", "{{id}} is unknown"},
		{"http://h/{{seq}}", "write {{seq:N}}"},
		{"-H X:{{seq}} http://h/", "write {{seq:N}}"},
		{"-o a -hdr a", "same file"},
		{"-m {}", "not an HTTP method"},
		{"-m GET -body x", "-body needs a method"},
		{"-body @/does/not/exist", "no such file"},
		{"-H nonsense", "Name: value"},
		{"-H :x", "Name: value"},
		{"-H Connection:close", "-keepalive"},
		{"-o=", "file name"},
		{"-unknown", "-unknown"},
		{"one:1 two:2", `"two:2"`},
		{"-insecure http://h", "need an https url"},
		{"-cacert /does/not/exist https://h", "no such file"},
		{"-freshness https://h", "plain http only"},
		{"-engine epoll https://h", "plain http only"},
		{"ftp://h", "scheme ftp"},
		{"http://", "no host"},
		{"http://u:p@h", "credentials"},
		{"h:0", "1 to 65535"},
		{"h:70000", "1 to 65535"},
		{"h:abc", "not a URL"},
		{"-keepalive=maybe", "keepalive"},
		{"-seed -1", "seed"},
	}
	for _, tt := range tests {
		_, err := parse(strings.Fields(tt.args))
		var usage *usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("parse %q: error %v, want one line with %q", tt.args, err, tt.want)
		}
	}
}

func TestHelpNamesEveryFlag(t *testing.T) {
	if _, err := parse([]string{"-rps", "5", "-h"}); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("error %v", err)
	}
	var r raw
	r.flags().VisitAll(func(f *flag.Flag) {
		if !strings.Contains(helpText(), "\n  -"+f.Name) {
			t.Errorf("help does not explain -%s", f.Name)
		}
	})
	if strings.Contains(helpText(), "%!") {
		t.Error("help has a broken verb")
	}
}

// FuzzParse checks that no command line panics and that what is accepted can be
// requested.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"-rps 5 h:1", "http://[::1]:80/x?y", "-H A:b -m PUT", "-d 1s -n 3 ://", ":", "%zz", "-body x\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "@") {
			t.Skip("would read files")
		}
		o, err := parse(strings.Fields(line))
		if err == nil && !o.version && o.config.URL.Hostname() == "" {
			t.Errorf("accepted %q as a target", o.config.URL)
		}
	})
}
