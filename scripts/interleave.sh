#!/usr/bin/env bash
# Runs Go benchmarks in the order that a comparison needs: every sub-benchmark once per round, shuffled anew
# in each round, so that a drift of the machine hits all of them alike. `go test -count` repeats each one
# before the next, which is the one order that must not be used. Appends to one file for benchstat.
# Usage: scripts/interleave.sh [-n ROUNDS] [-t BENCHTIME] [-o FILE] [-b REGEXP] PACKAGE...
#   -n ROUNDS      1 to 1000 (10)
#   -t BENCHTIME   as go test takes it (200ms); 1x for the system benchmarks of ./bench
#   -o FILE        appended to (bench.txt)
#   -b REGEXP      as go test -bench takes it: one pattern, or one for each level, separated by / (.)
# Example: scripts/interleave.sh -o q.txt ./server/queue && go tool -modfile=scripts/tools.mod benchstat -col /queue q.txt
set -euo pipefail
GO=${GO:-go}
usage() { sed -n '/^# Usage/,/^# Example/s/^# //p' "$0"; }
fail() { echo "interleave: $1" >&2; exit 2; }

rounds=10 time=200ms out=bench.txt only=.
case ${1:-} in -h | --help) usage; exit 0 ;; esac
while getopts ':n:t:o:b:h' flag; do
  case $flag in
    n) rounds=$OPTARG ;;
    t) time=$OPTARG ;;
    o) out=$OPTARG ;;
    b) only=$OPTARG ;;
    h) usage; exit 0 ;;
    *) fail "unknown or incomplete flag -$OPTARG; -h explains" ;;
  esac
done
shift $((OPTIND - 1))
[[ $rounds =~ ^[1-9][0-9]{0,3}$ && $rounds -le 1000 ]] || fail "-n $rounds is outside 1 to 1000"
[[ $time =~ ^([0-9.]+(ns|us|µs|ms|s|m|h)|[0-9]+x)$ ]] || fail "-t $time is no duration and no count such as 1x"
[ $# -gt 0 ] || fail 'no package is given; -h explains'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One line per sub-benchmark: directory, binary, exact name. Names come from a run of one iteration each,
# because only that knows sub-benchmarks.
n=0
for package in "$@"; do
  dir=$("$GO" list -f '{{.Dir}}' "$package") || exit 1
  [ "$(wc -l <<<"$dir")" = 1 ] || fail "$package is more than one package; name each"
  binary=$work/$((n += 1)).test
  "$GO" test -c -o "$binary" "$package"
  [ -e "$binary" ] || { echo "interleave: $package has no tests" >&2; exit 1; }
  said=$(cd "$dir" && "$binary" -test.run '^$' -test.bench "$only" -test.benchtime 1x) || { echo "$said" >&2; exit 1; }
  # The name ends in -GOMAXPROCS where that is not 1; no name of ours ends in a hyphen and digits by itself.
  awk -v dir="$dir" -v binary="$binary" '/^Benchmark/ && NF > 1 { sub(/-[0-9]+$/, "", $1); print dir "\t" binary "\t" $1 }' <<<"$said" >>"$work/list"
done
[ -s "$work/list" ] || fail "no benchmark matches $only"
echo "interleave: $(wc -l <"$work/list") benchmarks, $rounds rounds" >&2

exact() { # NAME: a pattern for -test.bench that matches it and nothing else
  sed 's/[][().*+?^$|{}\\]/\\&/g; s|/|$/^|g; s/^/^/; s/$/$/' <<<"$1"
}

[ -s "$out" ] || printf 'Unit %s better=%s\n' B/sample lower ns/sample lower ns/rule lower points/s higher rps higher >"$out"
for round in $(seq "$rounds"); do
  while IFS=$'\t' read -r dir binary name; do
    # The lines that are the same each time (goos, cpu, pkg) may repeat; benchstat reads them as they come.
    said=$(cd "$dir" && "$binary" -test.run '^$' -test.bench "$(exact "$name")" -test.benchtime "$time" -test.count 1) ||
      { echo "$said" >&2; exit 1; }
    grep -E '^(goos|goarch|pkg|cpu|Unit|Benchmark)' <<<"$said" >>"$out" || true
  done < <(shuf "$work/list")
  echo "interleave: round $round of $rounds" >&2
done
