#!/usr/bin/env bash
# Keeps a durable server under 70 % of its capacity, with queries, an alert and a kill -9 every minute, and
# says whether memory, file descriptors and goroutines stay flat and nothing accepted is lost.
# Usage: scripts/soak.sh [--minutes N] [FLAGS]
#   --minutes N   default 30
#   FLAGS         -life D, -dir DIR; -h explains them
# Exit codes: 0 flat and nothing lost, 3 no verdict (fewer than four lives, or too restless), 4 it grows or lost something
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

"$GO" build -o bin/ ./server ./loadgen
"$GO" build -o bin/soakbench ./scripts/soak
exec bin/soakbench "$@"
