#!/usr/bin/env bash
# Audits the real server with strace: with -queue wal -sync always, is any 202 written to a socket before
# the sync that covers its sample has returned? And, so that the audit is known to see it, the same with
# -sync none, where it must be.
# Usage: scripts/audit.sh [SECONDS]   default 5; needs strace (apt-get install strace) and Linux
# Exit codes: 0 no, 1 could not run, 3 too few answers, 4 yes, or the audit saw nothing without syncs
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
seconds=${1:-5}

command -v strace >/dev/null || { echo 'audit: strace is not installed (apt-get install strace)' >&2; exit 1; }
dir=$(mktemp -d)
server=
end() { # the server is the child of strace, which ends with it
  [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true
  rm -rf "$dir"
}
trap end EXIT
"$GO" build -o "$dir/" ./server ./loadgen ./scripts/audit

record() { # POLICY: writes $dir/trace
  local port tracer
  strace -D -f -qq -yy -s 1048576 -e trace=read,recvfrom,write,writev,sendto,pwrite64,pwritev,fsync,fdatasync -o "$dir/trace" \
    "$dir/server" -mode concurrent -queue wal -sync "$1" -addr 127.0.0.1:0 -data "$dir/$1.jsonl" >"$dir/out" 2>"$dir/err" &
  server=$!
  for _ in $(seq 100); do
    port=$(sed -n 's/^\[Ingestion\] Server started on port \([0-9]*\)$/\1/p' "$dir/out")
    [ -z "$port" ] || break
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  [ -n "$port" ] || { echo "audit: server did not start: $(tail -1 "$dir/err")" >&2; exit 1; }
  # Its report is not of interest: a traced server is slow.
  "$dir/loadgen" -model closed -c 16 -d "${seconds}s" -body '{"name":"audit_{{seq}}_","value":1}' "http://127.0.0.1:$port/metrics" >"$dir/load" 2>&1 || [ $? = 3 ]
  tracer=$(sed -n 's/^TracerPid:[[:space:]]*\([0-9]*\)$/\1/p' "/proc/$server/status")
  kill -TERM "$server"
  wait "$server" || { echo "audit: server failed: $(tail -1 "$dir/err")" >&2; exit 1; }
  server=
  for _ in $(seq 100); do # strace writes its last lines after its tracee has ended
    kill -0 "$tracer" 2>/dev/null || break
    sleep 0.1
  done
}

record always
echo "-sync always:"
"$dir/audit" "$dir/trace"
record none
echo "-sync none, where it must be found:"
"$dir/audit" -expect early "$dir/trace"
