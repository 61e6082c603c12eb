package knee

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"phase0/loadgen/record"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

func TestWrite(t *testing.T) {
	noisy := server{capacity: 5000, seconds: 2, noise: 0.1, spikes: 0.1}
	behind := noisy
	behind.ours = 3000
	for name, s := range map[string]server{"bracket": noisy, "generator": behind} {
		k := find(t, Config{Objectives: objectives(t, "p99<20ms,err<0.1%"), Seed: 9}, s.measure)
		var b bytes.Buffer
		if err := Write(&b, k); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", b.Bytes())
	}
}

// The JSON form is written to files, so its names must not change.
func TestJSON(t *testing.T) {
	cfg := Config{Objectives: objectives(t, "p99<20ms"), From: 20, Precision: 1, Confirm: 1}
	k := find(t, cfg, func(_ context.Context, rate float64, _ uint64) (record.Result, error) {
		res := run(rate, 10, time.Duration(rate*rate*1000))
		res.RunID = "ab12cd34"
		return res, nil
	})
	text, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "knee.json", append(text, '\n'))
	var back Knee
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, k) {
		t.Errorf("read back as %+v, %v", back, err)
	}
}

func TestSentence(t *testing.T) {
	vote := func(rate float64, r Ruling) Point { return Point{Rate: rate, Ruling: r, Vote: true} }
	points := []Point{
		{Rate: 4900, Ruling: Pass}, {Rate: 5050, Ruling: Fail}, vote(5050, Fail), vote(5050, Fail),
		vote(4900, Pass), vote(4900, Fail), {Rate: 4900, Ruling: Void}, vote(4900, Pass),
	}
	tests := []struct {
		k    Knee
		want string
	}{
		{Knee{LastPass: 4900, FirstFail: 5050, Confirmed: true, Bottleneck: "server"},
			"between 4,900 and 5,050 rps (last pass, first fail; confirmed by 2 of 3 and 2 of 2 runs)|held back by the server"},
		{Knee{LastPass: 4900, Confirmed: true, LimitedBy: byMax},
			"at least 4,900 rps (last pass; confirmed by 2 of 3 runs)|no rate failed, up to the highest allowed"},
		{Knee{LastPass: 4900, Confirmed: true, LimitedBy: byMachine, Bottleneck: "machine"},
			"at least 4,900 rps (last pass; confirmed by 2 of 3 runs)|limited by the machine: the server may sustain more"},
		{Knee{FirstFail: 5050, Confirmed: true, LimitedBy: byLowest, Bottleneck: "pool"},
			"below 5,050 rps (first fail; confirmed by 2 of 2 runs)|not even the lowest rate passed|held back by the pool"},
		{Knee{FirstFail: 5050, Confirmed: true, LimitedBy: byObservations},
			"below 5,050 rps (first fail; confirmed by 2 of 2 runs)|runs at lower rates have too few requests for the objectives; make them longer"},
		{Knee{LimitedBy: byInterrupted}, "not found|the search was interrupted|not confirmed"},
		{Knee{LimitedBy: byError}, "not found|the search ended because a run could not be carried out|not confirmed"},
		{Knee{LimitedBy: byRuns, Runs: 60}, "not found|the search ended after 60 runs|not confirmed"},
	}
	for _, tt := range tests {
		tt.k.Points = points
		if got := strings.Join(append([]string{tt.k.sentence()}, tt.k.notes()...), "|"); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestWriteWithoutPoints(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, Knee{Objectives: "err<1%", LimitedBy: byInterrupted}); err != nil {
		t.Fatal(err)
	}
	want := "objectives  err<1%\n\nknee  not found\n      the search was interrupted\n      not confirmed\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestWriteReportsFailure(t *testing.T) {
	if err := Write(fullDisk{}, Knee{}); err == nil || err.Error() != "write knee: full" {
		t.Errorf("error %v", err)
	}
}

func TestFigure(t *testing.T) {
	for rps, want := range map[float64]string{0: "0", 0.5: "0.5", 70.711: "70.71", 999: "999", 4524.6: "4,525", 100_000: "100,000", 1_000_000: "1,000,000"} {
		if got := figure(rps); got != want {
			t.Errorf("%v: %s, want %s", rps, got, want)
		}
	}
}
