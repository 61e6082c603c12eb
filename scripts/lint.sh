#!/usr/bin/env bash
# Checks that the code is formatted, tidy and free of what the linters know.
# Prints what is wrong and exits 1; prints one line when nothing is.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}
tool() { "$GO" tool -modfile=scripts/tools.mod "$@"; }

failed=0
check() { # NAME COMMAND...: fails when the command fails or prints something
  local name=$1 out status=0
  shift
  out=$("$@" 2>&1) || status=$?
  out=$(grep -v '^go: downloading ' <<<"$out") || true # on a machine's first run
  if [ $status != 0 ] || [ -n "$out" ]; then
    printf '%s:\n%s\n' "$name" "$out"
    failed=1
  fi
}

check gofmt gofmt -l server loadgen bench scripts
check 'go vet' "$GO" vet ./...
check 'go vet (darwin)' env GOOS=darwin CGO_ENABLED=0 "$GO" vet ./...
check 'go fix' "$GO" fix -diff ./...
check 'go mod tidy' "$GO" mod tidy -diff
check staticcheck tool staticcheck ./...
check errcheck tool errcheck -exclude scripts/errcheck.txt -ignoretests ./...
check deadcode tool deadcode -test ./...
check 'README.md' scripts/headline.sh --check
for script in scripts/*.sh .ci/run; do check "bash -n $script" bash -n "$script"; done

[ $failed = 0 ] && echo 'lint: nothing found'
exit $failed
