package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// healthBound is what an answer of GET /health may take while every connection pushes as
// fast as it can. It is 50 ms that are promised; on a machine of two cores that runs the
// clients, and perhaps the race detector, too, the bound is ten times that.
const healthBound = 500 * time.Millisecond

// While ingest is saturated, health answers, and says healthy.
func TestHealthWhileSaturated(t *testing.T) {
	const clients, questions = 64, 100
	for _, mode := range []string{"concurrent", durable} {
		t.Run(mode, func(t *testing.T) {
			p := start(t, "-mode", mode)
			stop := make(chan struct{})
			var load sync.WaitGroup
			transport := &http.Transport{MaxIdleConnsPerHost: clients}
			defer transport.CloseIdleConnections()
			pusher := &http.Client{Transport: transport, Timeout: 20 * time.Second}
			body := `{"metrics":[` + strings.Repeat(`{"name":"a","value":1},`, 99) + `{"name":"a","value":1}]}`
			for range clients {
				load.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						resp, err := pusher.Post("http://"+p.addr+"/metrics", "", strings.NewReader(body))
						if err != nil {
							t.Error(err)
							return
						}
						resp.Body.Close()
					}
				})
			}
			var took []time.Duration
			said := map[string]int{}
			for range questions {
				time.Sleep(5 * time.Millisecond)
				begin := time.Now()
				status, health := p.get("/health")
				took = append(took, time.Since(begin))
				said[fmt.Sprint(status, " ", health[:strings.Index(health, ",")])]++
			}
			close(stop)
			load.Wait()
			slices.Sort(took)
			t.Logf("p50 %v, p99 %v, longest %v; said %v", took[questions/2], took[questions*99/100], took[questions-1], said)
			if took[questions*99/100] > healthBound || len(said) != 1 || said[`200 {"status":"healthy"`] != questions {
				t.Errorf("health answers after %v at the 99th percentile, and says %v", took[questions*99/100], said)
			}
		})
	}
}
