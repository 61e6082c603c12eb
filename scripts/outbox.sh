#!/usr/bin/env bash
# The outbox, put to the test in full: real servers that are killed ten times, 30,000
# notifications, and a webhook receiver that answers 500 and 503, stalls, resets, takes a
# payload and resets, and is down for a while. Prints what was recorded and delivered, and
# fails when one is missing, out of order, or repeated under another key. A few minutes.
# Usage: scripts/outbox.sh [-alerting stream|poll] [-out DIR] [NOTIFICATIONS [KILLS]]
#   -alerting NAME  engine that finds what is told (stream)
#   -out DIR        where outbox.json and outbox.md go, such as results/outbox (nowhere)
# Exit codes: 0 all delivered, 1 not, or the test could not run, 2 usage, 4 not, and the report says what
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

usage() { echo 'usage: scripts/outbox.sh [-alerting stream|poll] [-out DIR] [NOTIFICATIONS [KILLS]]' >&2; exit 2; }
alerting=stream out=
while [[ ${1:-} = -* ]]; do
  [ $# -ge 2 ] || usage
  case ${1#-} in
    alerting|-alerting) alerting=$2 ;;
    out|-out) out=$2 ;;
    *) usage ;;
  esac
  shift 2
done
n=${1:-30000} kills=${2:-10}
[[ $# -le 2 && $n =~ ^[1-9][0-9]*$ && $kills =~ ^[0-9]+$ && $alerting =~ ^(stream|poll)$ ]] || usage

seen=$(mktemp)
trap 'rm -f "$seen"' EXIT
# The small version of the same test is part of go test ./server.
code=0
"$GO" test ./server -run '^TestOutboxSurvives$' -count 1 -v -timeout 30m \
  -outbox.notifications "$n" -outbox.kills "$kills" -outbox.alerting "$alerting" -outbox.report "$seen" || code=$?
if [ -n "$out" ] && [ -s "$seen" ]; then # also when something is missing
  "$GO" run ./scripts/outbox -out "$out" "$seen" || exit 4
fi
exit $code
