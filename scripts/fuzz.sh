#!/usr/bin/env bash
# Runs every fuzz target of the module for a while, one after the other.
# Usage: scripts/fuzz.sh [TIME]   TIME as in 30s or 5m, default 3s
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
time=${1:-3s}

# Go's fuzzer sometimes reports the end of its own time as a failure ("context
# deadline exceeded", without an input): then the target runs again.
fuzz() { # PACKAGE TARGET
  local out try
  for try in 1 2 3; do
    echo "fuzz $1 $2 for $time"
    out=$("$GO" test -run '^$' -fuzz "^$2\$" -fuzztime "$time" "$1" 2>&1) && return
    grep -q '^ *context deadline exceeded' <<<"$out" && ! grep -q 'Failing input' <<<"$out" || break
  done
  echo "$out"
  return 1
}

grep -rl --include='*_test.go' '^func Fuzz' server loadgen bench scripts | sort | while read -r file; do
  for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
    fuzz "./$(dirname "$file")" "$target"
  done
done
