#!/usr/bin/env bash
# Puts the figures of results/reference into README.md, between the headline and the
# claims markers, so that nobody types a number. Run it after replacing the reference.
# Usage: scripts/headline.sh [--check]   --check changes nothing and exits 1 if README.md is out of date
set -euo pipefail
cd "$(dirname "$0")/.."
report=results/reference/report.md
[ -f "$report" ] || { echo "headline: $report is missing; see results/README.md" >&2; exit 1; }

section() { awk -v title="## $1" '$0 == title { on = 1; next } /^## / { on = 0 } on' "$report" | sed '/^$/d'; }

# The results without the columns for experts (metric, both modes, ratio, interval, verdict and pairs stay) and
# without the rows that say the same at other rates, sizes and intervals.
results() {
  section Results | grep '^|' | grep -vE '^[|] (p50 at [0-9]+ rps|p99 at 1000 rps|RPS, (1|16) connections?|query, 1[.]25 % of 10?,000 points|p99 over 10 %.*|query, p99 over 10 %.*|alert at the webhook, .*|alert detection, .*|p99 of ingest .*) [|]' | rows
}
# What durability costs and buys, where the reference has it.
durable() {
  section 'What durability costs and buys' | grep '^|' | grep -vE '^[|] (server CPU per sample|samples stored more than once|syncs of the log per accepted sample, at [0-9]+ rps) [|]' | rows
}
# How soon breaches are told beside the load: the three ways with one rule, and stream with many.
alerts() {
  section 'Alert detection' | awk -F' *[|] *' -v OFS=' | ' '
    $2 ~ /^Alert(s at the webhook| detection): arm$/ { on = 1; webhook = $2 ~ /webhook/; delete column; for (i = 2; i < NF; i++) if (!($i in column)) column[$i] = i; next }
    /^[|] metric / { on = 0 }
    !on || /^[|]---/ || $column["samples/s"] == "0" { next }
    $column["rules"] != "1" && $column["how"] != "stream" { next }
    !webhook { key[++n] = $2 OFS $column["rules"]; row[n] = "| " $2 OFS $column["how"] OFS $column["rules"] OFS $column["breaches"] OFS $column["p50"] OFS $column["p99"] }
    webhook { arrive[$2 OFS $column["rules"]] = $column["p50"] OFS $column["p99"] " |" }
    END {
      if (!n) exit
      print "| arm | alerting | rules | breaches | detected, p50 | p99 | at the webhook, p50 | p99 |"
      print "|---|---|--:|--:|--:|--:|--:|--:|"
      for (i = 1; i <= n; i++) print row[i], arrive[key[i]]
    }'
}
rows() {
  awk -F' *[|] *' -v OFS=' | ' '
    NR == 1 { for (i = 2; i < NF; i++) column[$i] = i }
    /^\|---/ { print "|---|--:|--:|--:|---|---|---|"; next }
    { note = $column["note"] ~ /same mechanism/ ? " (same mechanism in both)" : "" }
    { print "| " $2 note, $3, $4, $column["ratio"], $column["95 % interval"], $column["verdict"], $column["n"] " |" }'
}
headline() {
  sed -n 's/^Measured \(.*\)$/*Measured \1*/p' "$report" | sed 's/ [0-9]* warnings\{0,1\} below\.//' | head -1
  printf '\n<img src="results/reference/response.svg" width="440" alt="Response time of both modes against the offered rate">\n'
  printf '<img src="results/reference/slow-client.svg" width="440" alt="Response time of both modes beside one slow client">\n'
  printf '<img src="results/reference/query.svg" width="440" alt="Query time of both modes against the stored points">\n'
  printf '<img src="results/reference/ladder-rps.svg" width="440" alt="Maximum requests per second with one component after another replaced">\n\n'
  results
  if [ -n "$(alerts)" ]; then
    printf '\nFrom a breach to its alert, beside 5,000 samples/s:\n\n'
    alerts
    printf '\n<img src="results/reference/alert.svg" width="440" alt="How soon a breach is told, polling and streaming">\n'
  fi
  if [ -n "$(durable)" ]; then
    printf '\nA 202 that survives: `durable` is `-mode concurrent -queue wal -sync always`.\n\n'
    durable
  fi
  printf '\nn counts pairs of trials; more rates are in the report. [How to read the numbers](#how-to-read-the-numbers)\n'
  sed -n 's/^.*Different means: /Different means: /p' "$report"
  sed -n '/^- each verdict/p' "$report" | sed 's/^- /\nWarning: /'
}
claims() { section "The seed's claims beside ours" | grep '^|'; }

fill() { # NAME: the lines of stdin between the markers become those of the function
  awk -v begin="<!-- $1:begin -->" -v end="<!-- $1:end -->" -v text="$("$1")" '
    $0 == begin { print; print text; skip = 1 }
    $0 == end { skip = 0 }
    !skip || $0 == end { if ($0 != begin) print }'
}

new=$(fill headline <README.md | fill claims)
if [ "${1:-}" = --check ]; then
  [ "$new" = "$(cat README.md)" ] || { echo 'headline: README.md does not show results/reference; run scripts/headline.sh'; exit 1; }
else
  printf '%s\n' "$new" >README.md
fi
