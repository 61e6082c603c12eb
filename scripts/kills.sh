#!/usr/bin/env bash
# Ends a durable server with kill -9 at 300 random moments under load, with -sync always and with
# -sync interval=100ms, and counts what is lost; writes results/kills/. About a second each. Then
# starts it on long logs and measures what a start takes for each GB.
# Usage: scripts/kills.sh [FLAGS]
#   FLAGS   -kills N, -policies a,b, -seed N, -log MB, -out DIR; -h explains them
# Exit codes: 0 nothing lost and ready in time, 3 a kill proves nothing, 4 a promise is broken
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

"$GO" build -o bin/ ./server
"$GO" build -o bin/chaosbench ./scripts/chaos
exec bin/chaosbench kills "$@"
