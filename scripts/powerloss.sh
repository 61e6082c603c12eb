#!/usr/bin/env bash
# Runs the real server on a file system that knows what was synced (FUSE), cuts the power at random moments
# under load, starts it again on what is left, and counts what is lost; lets syncs and writes fail; and does
# the same to servers without syncs, to see that it sees. Writes results/powerloss/. About 8 minutes.
# Usage: scripts/powerloss.sh [FLAGS]   needs root, Linux and /dev/fuse; else it says so and exits 1
#   FLAGS   -tries N, -only a,b, -list, -seed N, -out DIR; -h explains them
# Exit codes: 0 all as expected, 3 no verdict or a planted bug not seen, 4 a promise is broken
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

[ -e /dev/fuse ] || { echo 'powerloss: there is no /dev/fuse here (modprobe fuse, or another machine)' >&2; exit 1; }
"$GO" build -o bin/ ./server
"$GO" build -o bin/mutantbench ./scripts/mutants
(cd scripts/powerloss && "$GO" build -o ../../bin/powerlossbench .)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
bugs=()
for bug in log-sync-removed log-answer-before-sync log-directory-not-synced; do
  bin/mutantbench -only "$bug" -overlay "$dir/$bug"
  "$GO" build -overlay "$dir/$bug/overlay.json" -o "$dir/$bug/server" ./server
  bugs+=(-mutant "$bug=$dir/$bug/server")
done
bin/powerlossbench "${bugs[@]}" "$@"
