#!/usr/bin/env bash
# Measures the instrument: how often bench finds a planted slowdown of 5 %, and how often it claims a
# difference between two arms that are the same. Writes results/power/.
# Usage: scripts/power.sh [FLAGS]
#   FLAGS   -repetitions N (20, added to earlier ones), -planted N (10 of them have the slower arm, about 45 s
#           each, the others about 30 s: 12 minutes for all), -fresh, -pairs N, -window D, -warmup D,
#           -connections N, -spin D, -slowdown S, -seed N, -out DIR; -h explains them
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

"$GO" build -o bin/ ./server ./loadgen ./bench ./scripts/spinserver
"$GO" build -o bin/powerbench ./scripts/power
bin/powerbench "$@"
