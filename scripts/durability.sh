#!/usr/bin/env bash
# Measures what the durable queue costs: samples per second with each sync policy beside the queue in
# memory, syncs per sample, and response times at a moderate rate. Writes results/durability/.
# Usage: scripts/durability.sh [FLAGS]
#   FLAGS   --rounds N (6: under 6 minutes), --seconds S, --rate RPS, --dir DIR (whose disk holds the data),
#           --out DIR, --seed N; -h explains them
# Exit codes: 0 all targets are reached, 4 accepted samples were lost, 5 a target is missed; -h lists the others
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

"$GO" build -o bin/ ./server ./loadgen
"$GO" build -o bin/durabilitybench ./scripts/durability
bin/durabilitybench "$@"
