#!/usr/bin/env bash
# Alerts all the way to a mailbox, with nothing but real programs: our server, a real
# Alertmanager that groups and silences, a real SMTP server (exim) that delivers into a
# maildir. Shows a table of what was checked and exits 1 when a line of it fails.
# Usage: scripts/alertmanager.sh [--install] [--out DIR]
#   --out DIR   writes the table to DIR/alertmanager.md, too, such as results/alertmanager
#   --install   first installs what is missing, with apt-get: prometheus-alertmanager (amtool
#               is in it), exim4-daemon-light, jq, curl
# Everything listens on loopback, lives in a temporary directory and ends with the script.
set -euo pipefail
cd "$(dirname "$0")/.."
GO=${GO:-go}

usage() { echo 'usage: scripts/alertmanager.sh [--install] [--out DIR]' >&2; exit 2; }
install= out=
while [ $# != 0 ]; do
  case $1 in
  --install) install=yes ;;
  --out) [ $# -ge 2 ] || usage; out=$2; shift ;;
  *) usage ;;
  esac
  shift
done

PATH=$PATH:/usr/sbin
missing=()
for need in prometheus-alertmanager:prometheus-alertmanager amtool:prometheus-alertmanager exim4:exim4-daemon-light jq:jq curl:curl; do
  command -v "${need%:*}" >/dev/null || missing+=("${need#*:}")
done
if [ ${#missing[@]} != 0 ] && [ -n "$install" ]; then
  # RUNLEVEL=1 keeps the services of the packages from being started.
  apt-get update -q && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -qy --no-install-recommends "${missing[@]}"
elif [ ${#missing[@]} != 0 ]; then
  echo "alertmanager.sh: not installed: ${missing[*]} (Debian: scripts/alertmanager.sh --install)" >&2
  exit 1
fi

dir=$(mktemp -d)
chmod 711 "$dir" # exim runs as another user when this is root
server_pid= alertmanager_pid= exim_pid=
finish() {
  local pid
  for pid in $server_pid $alertmanager_pid $exim_pid; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$dir"
}
trap finish EXIT
fail() { # TEXT: with the logs, when the table cannot be made
  echo "alertmanager.sh: $1" >&2
  tail -n 5 "$dir"/*.log "$dir/server.out" "$dir"/exim/mainlog "$dir"/exim/paniclog >&2 2>/dev/null || true
  exit 1
}

await() { # SECONDS COMMAND...: until it succeeds; its failure is the caller's to judge
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || return 1
    sleep 0.2
  done
}
port_in() { grep -o "$1" "$2" | head -1 | grep -o '[0-9]*$'; }

failed=0 rows=0
row() { # WHAT WANT GOT
  local verdict=ok
  [ "$2" = "$3" ] || { verdict=FAILED; failed=$((failed + 1)); }
  rows=$((rows + 1))
  printf '| %s | %s | %s |\n' "$1" "${3//|/\\|}" "$verdict" >>"$dir/table"
  printf '%-56s %-52s %s\n' "$1" "$3" "$verdict"
  [ $verdict = ok ] || printf '%-56s %s\n' '  wanted' "$2"
}

# --- exim: takes mail for oncall@localhost and puts it into a maildir
as=()
mkdir "$dir/exim" "$dir/mail"
if [ "$(id -u)" = 0 ]; then # exim delivers nothing as root
  as=(setpriv --reuid Debian-exim --regid Debian-exim --clear-groups)
  chown Debian-exim "$dir/exim" "$dir/mail"
fi
start_exim() { # PORT
  cat >"$dir/exim.conf" <<CONF
primary_hostname = localhost
spool_directory = $dir/exim
log_file_path = $dir/exim/%slog
pid_file_path = $dir/exim/pid
local_interfaces = 127.0.0.1
disable_ipv6
tls_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
deliver_drop_privilege
domainlist local_domains = localhost
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  accept domains = +local_domains
  deny
begin routers
all:
  driver = accept
  transport = box
begin transports
box:
  driver = appendfile
  maildir_format
  directory = $dir/mail/box
  create_directory
  mode = 0644
  directory_mode = 0755
CONF
  "${as[@]}" exim4 -C "$dir/exim.conf" -bdf -oX "127.0.0.1.$1" >"$dir/exim.log" 2>&1 &
  exim_pid=$!
  await 5 curl -s --max-time 1 -o /dev/null "smtp://127.0.0.1:$1" -X NOOP
}
for try in 1 2 3 4 5; do # exim cannot choose a free port itself
  smtp_port=$((20000 + RANDOM % 10000))
  start_exim $smtp_port && kill -0 "$exim_pid" 2>/dev/null && break
  kill "$exim_pid" 2>/dev/null || true
  wait "$exim_pid" 2>/dev/null || true
  exim_pid=
  [ $try != 5 ] || fail 'exim does not start'
done

# --- Alertmanager: one mail per team
cat >"$dir/alertmanager.yml" <<CONF
global:
  smtp_smarthost: 127.0.0.1:$smtp_port
  smtp_from: alertmanager@localhost
  smtp_hello: localhost
  smtp_require_tls: false
route:
  receiver: oncall
  group_by: [team]
  group_wait: 3s
  group_interval: 3s
  repeat_interval: 1h
receivers:
- name: oncall
  email_configs:
  - to: oncall@localhost
    send_resolved: true
    headers:
      Subject: '{{ .Status }} {{ .GroupLabels.team }}:{{ range .Alerts.Firing }} {{ .Labels.alertname }}{{ end }}{{ range .Alerts.Resolved }} -{{ .Labels.alertname }}{{ end }}'
    html: ''
    text: '{{ range .Alerts }}{{ .Annotations.summary }}{{ "\n" }}{{ end }}'
CONF
start_alertmanager() { # PORT: 0 picks a free one
  rm -f "$dir/alertmanager.log"
  prometheus-alertmanager --config.file="$dir/alertmanager.yml" --storage.path="$dir/alertmanager" \
    --web.listen-address="127.0.0.1:$1" --cluster.listen-address= >"$dir/alertmanager.log" 2>&1 &
  alertmanager_pid=$!
  await 10 grep -q 'msg="Listening on"' "$dir/alertmanager.log" || fail 'Alertmanager does not start'
  alertmanager_port=$(port_in 'address=127.0.0.1:[0-9]*' "$dir/alertmanager.log")
  am=http://127.0.0.1:$alertmanager_port
  await 10 curl -fsS "$am/-/ready" || fail 'Alertmanager is not ready'
}
amtool check-config "$dir/alertmanager.yml" >"$dir/check.log" 2>&1 || fail 'Alertmanager refuses its configuration'
start_alertmanager 0

# --- our server
cat >"$dir/rules.yml" <<'CONF'
groups:
- name: delivery
  rules:
  - {alert: DiskFull, expr: 'avg_over_time(disk_used[12s]) > 90', labels: {team: storage}, annotations: {summary: 'disk at {{ $value }}'}}
  - {alert: DiskSlow, expr: 'avg_over_time(disk_wait[60s]) > 50', labels: {team: storage}, annotations: {summary: 'wait at {{ $value }}'}}
  - {alert: CPUHigh, expr: 'avg_over_time(cpu_usage[60s]) > 80', labels: {team: compute}, annotations: {summary: 'cpu at {{ $value }}'}}
  - {alert: CPUNoisy, expr: 'avg_over_time(cpu_steal[60s]) > 5', labels: {team: compute}, annotations: {summary: 'steal at {{ $value }}'}}
  - {alert: NetDown, expr: 'avg_over_time(net_errors[60s]) > 1', labels: {team: network}, annotations: {summary: 'errors at {{ $value }}'}}
CONF
"$GO" build -o "$dir/server" ./server
start_server() {
  rm -f "$dir/server.out" # of the one before, which has the line that is waited for
  "$dir/server" -mode concurrent -addr 127.0.0.1:0 -data "$dir/metrics.jsonl" -rules "$dir/rules.yml" -alert-interval 500ms \
    -alertmanager "$am" >"$dir/server.out" 2>"$dir/server.log" &
  server_pid=$!
  await 10 grep -q 'Server started on port' "$dir/server.out" || fail 'the server does not start'
  url=http://127.0.0.1:$(sed -n 's/.*Server started on port //p' "$dir/server.out")
}
post() { curl -fsS -o "$dir/answer.log" -d "{\"name\":\"$1\",\"value\":$2}" "$url/metrics" || fail "POST $1 failed"; }
start_server

# --- what is asked of each of them
active() { amtool --alertmanager.url="$am" alert query --active "$@" -o json | jq -r '[.[].labels.alertname] | sort | join(" ")'; }
silenced() { amtool --alertmanager.url="$am" alert query --silenced -o json | jq -r '[.[].labels.alertname] | sort | join(" ")'; }
groups() {
  curl -fsS "$am/api/v2/alerts/groups?silenced=true" |
    jq -r '[.[] | .labels.team + "(" + ([.alerts[].labels.alertname] | sort | join(" ")) + ")"] | sort | join(" ")'
}
subjects() { cat "$dir"/mail/box/new/* 2>/dev/null | sed -n 's/^Subject: //p' | tr -d '\r' | sort; }
mailed() { subjects | grep -qxF -- "$1"; }
show() { subjects | grep -F -- "$1" | paste -sd';' || true; }
is() { [ "$("$2" )" = "$1" ]; } # VALUE COMMAND

amtool --alertmanager.url="$am" silence add --author=script --comment=noise --duration=1h alertname=CPUNoisy >"$dir/silence.log" || fail 'no silence'
for metric in disk_used disk_wait cpu_usage cpu_steal; do post $metric 99; done

printf '%-56s %s\n' 'Checked' 'Found'
await 20 is 'CPUHigh DiskFull DiskSlow' active || true
row 'Alertmanager has our alerts (amtool)' 'CPUHigh DiskFull DiskSlow' "$(active)"
row 'the silenced one is silenced (amtool)' CPUNoisy "$(silenced)"
row 'groups are as configured (API)' 'compute(CPUHigh CPUNoisy) storage(DiskFull DiskSlow)' "$(groups)"

await 30 mailed 'firing storage: DiskFull DiskSlow' || true
await 10 mailed 'firing compute: CPUHigh' || true
row 'one mail for the two alerts of a group' 'firing storage: DiskFull DiskSlow' "$(show 'firing storage: DiskFull DiskSlow')"
row 'a mail for the group with a silenced alert, without it' 'firing compute: CPUHigh' "$(show 'firing compute')"
row 'the mail says what the annotation says' 'cpu at 99' "$(grep -ho 'cpu at 99' "$dir"/mail/box/new/* 2>/dev/null | sort -u)"

# The window of DiskFull empties by itself.
await 30 mailed 'firing storage: DiskSlow -DiskFull' || true
row 'what is over is mailed as over' 'firing storage: DiskSlow -DiskFull' "$(show '-DiskFull')"

# Alertmanager is down, an alert fires, the server is killed: told all the same.
kill "$alertmanager_pid"; wait "$alertmanager_pid" 2>/dev/null || true
post net_errors 7
recorded() { grep -qs NetDown "$dir"/metrics.jsonl.outbox/*.seg; } # what waits may be another alert's
await 20 recorded || fail 'NetDown does not fire'
kill -9 "$server_pid"; wait "$server_pid" 2>/dev/null || true
start_alertmanager "$alertmanager_port"
start_server
row 'left in the outbox by kill -9, with Alertmanager down' yes \
  "$(sed -n 's/.*Notifying alertmanager: \([0-9]*\) waiting.*/\1/p' "$dir/server.out" | sed 's/^[1-9].*/yes/')"
await 60 mailed 'firing network: NetDown' || true
row 'mailed after both are back' 'firing network: NetDown' "$(show NetDown)"

sleep 4 # a group interval more, in which a silenced alert might still be mailed
row 'mails about the silenced alert' 0 "$(cat "$dir"/mail/box/new/* 2>/dev/null | grep -c 'CPUNoisy\|steal at')"
row 'mails that wait in exim' 0 "$("${as[@]}" exim4 -C "$dir/exim.conf" -bpc)"
versions="$(exim4 --version | head -1 | cut -d' ' -f1-3), $(prometheus-alertmanager --version 2>&1 | head -1 | cut -d' ' -f1-3)"
mails=$(ls "$dir/mail/box/new" | wc -l)
echo "$((rows - failed)) of $rows as they should be; $mails mails; $versions"

report() {
  local commit
  commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
  [ -z "$(git status --porcelain 2>/dev/null)" ] || commit+=' (with changes)'
  cat <<MD
# Alerts all the way to a mailbox

**$((rows - failed)) of $rows checks as they should be.**

$(date -u '+%Y-%m-%d %H:%M UTC') · commit $commit · $("$GO" env GOVERSION) · $versions · \`$(sed -n 's/^\[Mode\] //p' "$dir/server.out")\`

Our server posts its alerts to a real Alertmanager (Debian's package), which groups and silences them and mails them through a real SMTP server (exim, Debian's package) into a mailbox; it held $mails mails in the end.
What was found is what amtool, Alertmanager's API and the mails said.

| checked | found | |
|---|---|---|
MD
  cat "$dir/table"
  printf '\nReproduce: `scripts/alertmanager.sh --install`\n'
}
if [ -n "$out" ]; then
  mkdir -p "$out"
  report >"$out/alertmanager.md"
fi
[ $failed = 0 ]
