#!/usr/bin/env bash
# Runs an nginx of one worker that answers every request with 202: an arm of bench that is
# not ours, as a yardstick for what an HTTP server costs that stores nothing.
# Usage: scripts/nginx.sh PORT DIR    DIR is for its configuration and temporary files
#   bench run -arm single -arm concurrent -arm-cmd 'nginx=scripts/nginx.sh {port} {dir}' -only ingest
set -euo pipefail
[ $# = 2 ] && [[ $1 =~ ^[0-9]+$ ]] && [ -d "$2" ] || { echo 'usage: scripts/nginx.sh PORT DIR' >&2; exit 2; }
command -v nginx >/dev/null || { echo 'nginx.sh: nginx is not installed (Debian: apt-get install nginx-light)' >&2; exit 1; }
cat >"$2/nginx.conf" <<CONF
daemon off;
worker_processes 1;
pid $2/nginx.pid;
error_log stderr;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path $2/body;
  proxy_temp_path $2/proxy; fastcgi_temp_path $2/fastcgi; uwsgi_temp_path $2/uwsgi; scgi_temp_path $2/scgi;
  server { listen 127.0.0.1:$1; location / { return 202; } }
}
CONF
exec nginx -e stderr -p "$2" -c "$2/nginx.conf"
