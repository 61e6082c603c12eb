#!/usr/bin/env bash
# Measures a server with 10,000 rules on 10,000 series at 20,000 samples/s, and as fast as it
# goes: queue, evaluations, CPU and memory per rule, by kind of rule. Under 3 minutes.
# Usage: scripts/rules.sh [FLAGS]
#   FLAGS   -only a,b, -rate N, -seconds S, -flatout S, -out DIR (such as results/rules), -add; -h explains them
# Exit codes: 0 all targets are reached, 3 a cell is void, 4 samples were lost or not seen by a rule, 5 a target is missed
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

"$GO" build -o bin/ ./server ./loadgen
"$GO" build -o bin/rulesbench ./scripts/rules
exec bin/rulesbench "$@"
