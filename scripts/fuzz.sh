#!/usr/bin/env bash
# Runs every fuzz target of the module for a while, one after the other.
# Usage: scripts/fuzz.sh [TIME]   TIME as in 30s or 5m, default 3s
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
time=${1:-3s}

grep -rl --include='*_test.go' '^func Fuzz' server loadgen bench scripts | sort | while read -r file; do
  for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
    echo "fuzz ./$(dirname "$file") $target for $time"
    "$GO" test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$(dirname "$file")" | sed -n '/^--- FAIL/,$p;/panic/p'
  done
done
