package trial

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"phase0/loadgen/record"
)

const fakeRequests = 20

// fakeLoadgen posts fakeRequests requests and reports made-up times.
func fakeLoadgen(faults string) int {
	args := os.Args[1:]
	report, url, batch := "", args[len(args)-1], 1
	for i, a := range args {
		switch a {
		case "-o":
			report = args[i+1]
		case "-batch":
			fmt.Sscan(args[i+1], &batch)
		}
	}
	if strings.Contains(faults, "hangs") {
		time.Sleep(time.Minute)
	}
	r := fakeRun(url, batch)
	if strings.Contains(faults, "slowpoke") {
		r.AchievedRPS = 100
	}
	code := 0
	if strings.Contains(faults, "invalid") {
		r.Verdict = record.Verdict{Level: record.Invalid, Reasons: []string{"late"}, Bottleneck: "generator"}
		code = exitNotValid
	}
	text, err := json.Marshal(r)
	if err != nil || os.WriteFile(report, text, 0o644) != nil {
		return 1
	}
	return code
}

// fakeResult is what the fake reports where it does not count.
func fakeResult() record.Result {
	var r record.Result
	r.Schema, r.Start = record.SchemaVersion, time.Now().UTC()
	r.Verdict.Level = record.Valid
	r.OfferedRPS, r.AchievedRPS, r.AcceptedRPS, r.WindowSeconds = 200, 200, 199, 0.1
	r.ResponseTime.Percentiles = []record.Percentile{
		{Name: "p50", Quantile: 0.5, NS: 1000}, {Name: "p99", Quantile: 0.99, Unavailable: "needs 368 observations, has 20"},
	}
	return r
}

func fakeRun(url string, batch int) record.Result {
	r := fakeResult()
	body := `{"metrics":[` + strings.Repeat(`{"name":"x","value":1},`, batch-1) + `{"name":"x","value":1}]}`
	for range fakeRequests {
		response, err := http.Post(url, "application/json", strings.NewReader(body))
		r.Accounting.Scheduled++
		r.Accounting.Sent++
		if err != nil {
			r.Accounting.Failed++
			continue
		}
		response.Body.Close()
		r.Accounting.Answered++
		if response.StatusCode/100 == 2 {
			r.Accounting.Accepted++
		}
	}
	return r
}
