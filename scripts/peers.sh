#!/usr/bin/env bash
# Measures loadgen side by side with other HTTP load generators, as far as they are
# installed, and writes results/peers/.
# Usage: scripts/peers.sh [--install] [FLAGS]
#   --install   first fetch what is missing: from Debian's packages (needs root), and
#               as Go modules into bin/peers/
#   FLAGS       --rounds N, --seconds S, --only a,b, --experiments a,b, --add, --out DIR,
#               --seed N, --list; -h explains them
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

packages=(wrk apache2-utils nghttp2-client hey)
modules=(
  github.com/codesenberg/bombardier@v1.2.6
  github.com/tsenart/vegeta/v12@v12.13.0
  fortio.org/fortio@latest
  github.com/rakyll/hey@latest
)

program_of() { # PACKAGE-OR-MODULE: the program that it brings
  case $1 in
    apache2-utils) echo ab ;;
    nghttp2-client) echo h2load ;;
    *bombardier*) echo bombardier ;;
    *vegeta*) echo vegeta ;;
    *fortio*) echo fortio ;;
    *hey*) echo hey ;;
    *) echo "$1" ;;
  esac
}

skipped() { # NAME LOG: says why in one line and goes on
  echo "install: $1: skipped: $(grep -v '^go: downloading' "$2" | tail -1)"
}

install_packages() {
  local package log=$1
  for package in "${packages[@]}"; do
    command -v "$(program_of "$package")" >/dev/null && continue
    if ! command -v apt-get >/dev/null; then
      echo "install: $package: skipped: no apt-get here"
    elif apt-get install -y -qq "$package" >"$log" 2>&1; then
      echo "install: $package: done"
    else
      skipped "$package" "$log"
    fi
  done
}

install_modules() {
  local module log=$1
  mkdir -p bin/peers
  for module in "${modules[@]}"; do
    command -v "$(program_of "$module")" >/dev/null && continue
    if GOBIN=$PWD/bin/peers "$GO" install "$module" >"$log" 2>&1; then
      echo "install: $module: done"
    else
      skipped "$module" "$log"
    fi
  done
}

export PATH=$PWD/bin/peers:$PATH
flags=()
install=
for flag in "$@"; do
  case $flag in
    --install) install=yes ;;
    *) flags+=("$flag") ;;
  esac
done
if [ -n "$install" ]; then
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  install_packages "$log"
  install_modules "$log"
fi

"$GO" build -o bin/ ./loadgen ./scripts/refserver
"$GO" build -o bin/peerbench ./scripts/peers # bin/peers/ holds the peers themselves
bin/peerbench "${flags[@]}"
