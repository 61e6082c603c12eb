#!/usr/bin/env bash
# Measures what the server's mechanisms are worth on this machine, beside other
# time-series databases as far as they are installed, and writes results/platform/.
# Usage: scripts/platform.sh [--install] [FLAGS]
#   --install   first fetch the databases that are missing from Debian's packages
#               (needs root); they are not started as services
#   FLAGS       --only a,b (of single, batch, scan, overload, slow, grid), --rounds N,
#               --seconds S, --add, --out DIR, --seed N, --list, and others; -h explains them
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

install_packages() {
  local package log=$1
  for package in victoria-metrics influxdb; do
    if dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
      continue
    elif ! command -v apt-get >/dev/null; then
      echo "install: $package: skipped: no apt-get here"
    elif RUNLEVEL=1 apt-get install -y -qq "$package" >"$log" 2>&1; then
      echo "install: $package: done"
    else
      echo "install: $package: skipped: $(tail -1 "$log")"
    fi
  done
}

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
fi

"$GO" build -o bin/ ./server ./loadgen ./scripts/bareserver
"$GO" build -o bin/platformbench ./scripts/platform
bin/platformbench "${flags[@]}"
