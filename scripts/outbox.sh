#!/usr/bin/env bash
# The outbox, put to the test in full: real servers that are killed ten times, 30,000
# notifications, and a webhook receiver that answers 500 and 503, stalls, resets, takes a
# payload and resets, and is down for a while. Prints what was recorded and delivered, and
# exits 1 when one is missing, out of order, or repeated under another key. A few minutes.
# Usage: scripts/outbox.sh [NOTIFICATIONS [KILLS [FILE]]]   FILE gets what was seen
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
n=${1:-30000} kills=${2:-10} report=${3:-}
[[ $n =~ ^[1-9][0-9]*$ && $kills =~ ^[0-9]+$ ]] || { echo 'usage: scripts/outbox.sh [NOTIFICATIONS [KILLS [FILE]]]' >&2; exit 2; }
[ -z "$report" ] || report=$(realpath -m "$report") # the test runs in another directory
# The small version of the same test is part of go test ./server.
exec "$GO" test ./server -run '^TestOutboxSurvives$' -count 1 -v -timeout 30m \
  -outbox.notifications "$n" -outbox.kills "$kills" -outbox.report "$report"
