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
const (
	healthBound  = 500 * time.Millisecond
	healthBefore = 5 * time.Second // every answer
)

// While ingest is saturated, health answers, and says healthy. The machine may spoil one round
// of three.
func TestHealthWhileSaturated(t *testing.T) {
	const clients, rounds = 64, 3
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
			late := []time.Duration{p.askHealth()}
			for late[0] > healthBound && len(late) < rounds {
				late = append(late, p.askHealth())
			}
			close(stop)
			load.Wait()
			if slices.Sort(late); late[len(late)/2] > healthBound {
				t.Errorf("health answers after %v at the 99th percentiles", late)
			}
		})
	}
}

// askHealth asks a hundred times, wants to hear healthy, and returns the 99th percentile of
// what the answers took.
func (p *process) askHealth() time.Duration {
	p.t.Helper()
	const questions = 100
	var took []time.Duration
	said := map[string]int{}
	for range questions {
		time.Sleep(5 * time.Millisecond)
		begin := time.Now()
		status, health := p.get("/health")
		took = append(took, time.Since(begin))
		said[fmt.Sprint(status, " ", health[:strings.Index(health, ",")])]++
	}
	slices.Sort(took)
	p99 := took[questions*99/100-1] // that or less took 99 of them
	p.t.Logf("p50 %v, p99 %v, longest %v; said %v", took[questions/2-1], p99, took[questions-1], said)
	if longest := took[questions-1]; longest > healthBefore {
		p.t.Errorf("health answers after %v", longest)
	}
	if len(said) != 1 || said[`200 {"status":"healthy"`] != questions {
		p.t.Errorf("health says %v", said)
	}
	return p99
}
