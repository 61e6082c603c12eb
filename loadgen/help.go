package main

import (
	"fmt"

	"phase0/loadgen/engine"
	"phase0/loadgen/schedule"
)

// helpText is what -h prints.
func helpText() string {
	return fmt.Sprintf(help,
		defaultURL, defaultPath,
		schedule.MinRate, schedule.MaxRate, defaultRPS,
		minDuration, maxDuration, defaultDuration,
		maxRequests,
		maxConnections, defaultConnections,
		minTimeout, maxTimeout, defaultTimeout,
		engine.MaxBatch, engine.Slots,
		defaultVerifyWait)
}

const help = `loadgen offers load to an HTTP server and reports how long answers took.

usage: loadgen [flags] [url]                 one run
       loadgen find [flags] [url]            the highest rate that keeps -slo; see loadgen find -h
       loadgen merge [flags] file file ...   add up results; see loadgen merge -h

The url defaults to %s. host:port or :port will do; without a path it means %s.
Flags may stand before or after it.

examples:
  loadgen -rps 200                                 200 requests per second for 10 seconds
  loadgen -rps 2k -d 30s -o run.json :8081/metrics
  loadgen -model closed -c 64 -d 5s                as fast as answers come
  loadgen -profile 10s@100,30s@100..5k,10s@100     a step, a ramp, a step
  loadgen -rps 500 -arrivals poisson -slo 'p99<20ms,err<0.1%%'
  loadgen -rps 5k -verify -freshness               is every accepted sample stored, and when
  loadgen -rps 1k -batch 100 -query-rps 5          batches, and queries beside them
  loadgen -body '{"id":{{seq}},"at":{{unix_ms}}}' -H 'X-Tenant: a' http://10.0.0.7:8080/items
  loadgen -m GET -n 1000 127.0.0.1:8080/health     1000 requests at 200 per second

load:
  -rps RATE       requests per second in total, %v to %d: 200, 2k, 50/s, 3000/m
                  (default %d)
  -profile PHASES instead of -rps: DURATION@RATE or DURATION@FROM..TO, separated by commas
  -arrivals LAW   uniform: at equal distances (default); poisson: at random, as from many
                  clients who know nothing of each other
  -d DURATION     how long to send, %v to %v (default %v, or no bound with -n)
  -n COUNT        how many requests to send, 1 to %d; with -d, whichever ends first
  -c COUNT        most connections at the same time, 1 to %d (default %d)
  -max-conns COUNT  the same as -c
  -model MODEL    open: requests are due by the clock, whatever the server does (default)
                  closed: each connection sends its next request after the answer
  -timeout TIME   for an answer, and for connecting, %v to %v (default %v)
  -engine ENGINE  epoll (Linux, plain http), fasthttp (any platform), or auto, which is
                  epoll where it can be (default)
  -keepalive=false  a new connection for each request
  -reconnect      requests wait, up to the timeout, for a server that went away during the
                  run; without it they count as never sent
  -seed NUMBER    of all that is random: the same seed offers the same load (default 1)

request:
  -m METHOD       default POST
  -body TEXT      or @file. The default body is a sample of one of the 8 series
                  loadgen_<run id>_0 to _7, its value the number within the series
  -batch COUNT    samples in a request of the default body, 1 to %d (default 1)
  -H 'Name: value'  a header, repeatable
                  Body, header values and url may have slots, filled for each request:
                  %s
                  seq counts requests from 0, padded with blanks; seq:N shows its last N
                  digits, padded with zeros, and fits url and headers
  -cacert FILE    certificates in PEM form to trust, for https
  -insecure       accept any certificate
  -literal        send {{...}} as it stands

beside the load:
  -query-rps RATE GET requests on a schedule and connections of their own
  -query-url URL  or path, what they ask for (default: the first of the 8 series)
  -freshness      10 probes per second: how long until an accepted sample is in /query.
                  They post samples of their own; plain http only
  -verify         afterwards read back what was accepted through /query; a server that was
                  restarted meanwhile must still have it. Counts what is lost, duplicated,
                  phantom (never sent) or zombie (refused, yet stored)
  -verify-wait TIME  how long the server may take to store it all or to come back (default %v)
  -slo OBJECTIVES p50 p90 p95 p99 p99.9 p99.99 max < TIME, err < SHARE, rate > SHARE,
                  separated by commas. Times are response times; err is the share of the
                  scheduled that was not accepted, rate that of the offered that was sent

output:
  -o FILE         write the result as JSON, with all histograms
  -hdr FILE       write the percentiles of the response time for viewers of HdrHistogram
  -format FORMAT  of what is printed: text (default), json, or bench (of Go benchmarks, for
                  benchstat)
  -quiet          print no summary and no progress
  -version        print the version
  -h              print this

How to read it: response time counts from when a request was due, service time from when
its first byte was sent; both of accepted (2xx) answers. Send lag is the difference: own
lateness and waiting for a connection. Requests without an answer are never left out: a
percentile that depends on them is printed as "≥". The verdict says whether the run
measured what was asked for, and if not, what held it back: generator (this program),
pool (too few connections), server, or machine (other programs).

exit status: 0 ok, 1 could not run or not verify, 2 usage, 3 the run is INVALID or has too
few requests for an objective, 4 the server did not keep
what it accepted, 5 an objective of -slo is missed, 130 interrupted
`

// findHelpText is what find -h prints.
func findHelpText() string { return fmt.Sprintf(findHelp, defaultSLO, defaultFindTime) }

const findHelp = `loadgen find searches for the knee: the highest rate that a server sustains.

usage: loadgen find [flags] [url]

It doubles the rate until a run misses an objective, and bisects. Both ends of the
bracket, the last rate that passes and the first that fails, are confirmed by the majority
of several runs. Runs that the generator spoilt say nothing about the server and are
repeated.

examples:
  loadgen find                                       with the default objectives
  loadgen find -slo 'p99<20ms,err<0.1%%' -d 10s :8081
  loadgen find -m GET -from 1k -max 50k -precision 2%% http://10.0.0.7/index.html

search:
  -slo OBJECTIVES p50 p90 p95 p99 p99.9 p99.99 max < TIME, err < SHARE, rate > SHARE,
                  separated by commas (default %s). err<=0.1%% is added
                  if none limits err: a server that sheds load would pass at any rate
  -d DURATION     of each run (default %v); a percentile needs enough requests in it
  -from RATE      the first rate (default 100)
  -max RATE       the highest rate (default 1M)
  -precision SHARE  width of the bracket (default 5%%)
  -confirm COUNT  runs that vote on each end, odd (default 3)

All other flags of a run but -rps, -profile, -model, -n, -verify, -freshness, -hdr and
-format bench are known too: see loadgen -h. -o writes the knee with every run of the search as JSON.

exit status: 0 a bracket was found and confirmed, 1 could not run, 2 usage, 3 the search was
limited by something else than the server, 5 no rate keeps the objectives, 130 interrupted
`

const mergeHelp = `loadgen merge adds up the results of several machines that offered load to one server.

usage: loadgen merge [flags] file file ...

The files are those that -o writes. Counts and histograms are added and percentiles
computed anew: percentiles are never averaged. Start the generators together; how far
their times overlap is checked, by their clocks. Files that contradict themselves are
refused.

example, on two machines and then on one of them:
  loadgen -rps 5k -d 60s -o a.json http://10.0.0.7:8080/metrics
  loadgen -rps 5k -d 60s -o b.json http://10.0.0.7:8080/metrics
  loadgen merge a.json b.json -o both.json

output:
  -o FILE         write the sum as JSON
  -hdr FILE       write the percentiles of the response time for viewers of HdrHistogram
  -format FORMAT  of what is printed: text (default), json or bench
  -quiet          print nothing
  -h              print this

exit status: 0 ok, 1 a file cannot be read or does not fit, 2 usage, 3 the sum is INVALID
`
