package main

import (
	"fmt"

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
		minTimeout, maxTimeout, defaultTimeout)
}

const help = `loadgen offers load to an HTTP server and reports how long answers took.

usage: loadgen [flags] [url]

The url defaults to %s. host:port or :port will do; without a path it means %s.
Flags may stand before or after it.

examples:
  loadgen -rps 200                                 200 requests per second for 10 seconds
  loadgen -rps 2253 -d 30s -o run.json :8081/metrics
  loadgen -model closed -c 64 -d 5s                as fast as answers come
  loadgen -m GET -n 1000 127.0.0.1:8080/health     1000 requests at 200 per second
  loadgen -body @batch.json -H 'X-Tenant: a' http://10.0.0.7:8080/metrics

load:
  -rps RATE       requests per second in total, %v to %d (default %d)
  -d DURATION     how long to send, %v to %v (default %v, or no bound with -n)
  -n COUNT        how many requests to send, 1 to %d; with -d, whichever ends first
  -c COUNT        most connections at the same time, 1 to %d (default %d)
  -model MODEL    open: requests are due by the clock, whatever the server does (default)
                  closed: each connection sends its next request after the answer
  -timeout TIME   for an answer, and for connecting, %v to %v (default %v)
  -engine ENGINE  epoll (Linux, plain http), fasthttp (any platform), or auto, which is
                  epoll where it can be (default)
  -keepalive=false  a new connection for each request
  -seed NUMBER    kept in the result; a constant rate leaves nothing to chance (default 1)

request:
  -m METHOD       default POST
  -body TEXT      or @file. The default body is a sample of one of the 8 series
                  loadgen_<run id>_0 to _7, its value the number within the series
  -H 'Name: value'  a header, repeatable

output:
  -o FILE         write the result as JSON, with all histograms
  -quiet          print no summary and no progress
  -version        print the version
  -h              print this

How to read it: response time counts from when a request was due, service time from when
its first byte was sent; both of accepted (2xx) answers. Send lag is the difference: own
lateness and waiting for a connection. Requests without an answer are never left out: a
percentile that depends on them is printed as "≥". The verdict says whether the run
measured what was asked for, and if not, what held it back.

exit status: 0 ok, 1 could not run, 2 usage, 3 the run is INVALID, 130 interrupted
`
