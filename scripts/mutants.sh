#!/usr/bin/env bash
# Plants bugs in a copy of the code, one at a time, and runs the tests that should catch them; writes
# results/mutants/. A few seconds each.
# Usage: scripts/mutants.sh [FLAGS]
#   FLAGS   -only a,b, -list, -out DIR; -h explains them
# Exit codes: 0 all caught, 3 one could not be tried, 4 one survived
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
export GO

"$GO" build -o bin/mutantbench ./scripts/mutants
exec bin/mutantbench "$@"
