#!/usr/bin/env bash
# The walk through the platform: starts a server of its own, sends samples, asks for
# them, and waits for an alert. Everything it makes is gone afterwards.
# Usage: scripts/demo.sh [SERVER-PROGRAM]   (built from this checkout when not given)
set -euo pipefail

server=${1:-}
dir=$(mktemp -d)
if [ -z "$server" ]; then
  (cd "$(dirname "$0")/.." && go build -o "$dir/server" ./server)
  server=$dir/server
fi

"$server" -addr 127.0.0.1:0 -data "$dir/phase0_metrics.jsonl" -alert-interval 2s >"$dir/out" 2>"$dir/log" &
pid=$!
finish() {
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  rm -rf "$dir"
}
trap finish EXIT

wait_for() { # TEXT SECONDS: until the server has printed TEXT
  for _ in $(seq $(($2 * 10))); do
    grep -q "$1" "$dir/out" && return
    kill -0 "$pid" 2>/dev/null || { cat "$dir/log" >&2; exit 1; }
    sleep 0.1
  done
  echo "demo: the server did not print '$1' within $2 s" >&2
  cat "$dir/out" "$dir/log" >&2
  exit 1
}
step() { printf '\n--- %s\n' "$1"; }
post() { echo "POST $1"; curl -fsS -d "$1" "$url/metrics"; echo; }

wait_for 'Server started on port' 10
url=http://127.0.0.1:$(sed -n 's/.*Server started on port //p' "$dir/out")
cat "$dir/out"

step 'Ingest: three metrics and a batch'
post '{"name":"cpu_usage","value":85}'
post '{"name":"memory_usage","value":75}'
post '{"name":"request_latency","value":125.5}'
post '{"metrics":[{"name":"cpu_usage","value":91},{"name":"error_rate","value":2}]}'

step 'A bad one is refused and says why'
curl -sS -d '{"name":"cpu_usage","value":"high"}' "$url/metrics"; echo

sleep 1 # the memory queue is looked at every 100 ms
step 'Query: cpu_usage of the last five minutes'
now=$(date +%s)000
curl -fsS "$url/query?name=cpu_usage&start=$((now - 300000))&end=$((now + 1000))"; echo

step 'Health'
curl -fsS "$url/health"; echo

step 'Alert: cpu_usage is above 80 on average; evaluated every 2 s here, every 10 s by default'
wait_for 'ALERT' 10
grep 'ALERT' "$dir/out" | head -3
curl -fsS "$url/alerts"; echo

step 'Storage: one line per sample'
cat "$dir/phase0_metrics.jsonl"

step 'Shutdown: drain, then end'
kill "$pid"
wait "$pid"
tail -2 "$dir/out"
