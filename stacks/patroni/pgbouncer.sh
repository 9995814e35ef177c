#!/usr/bin/env bash
# PgBouncer in front of HAProxy's way to the primary. Its files hold passwords, so they are written here, from the environment.
set -euo pipefail
umask 077
folder=/run/pgbouncer
mkdir -p "$folder"

# A quotation mark is doubled: https://www.pgbouncer.org/config.html#authentication-file-format
quoted() { printf '"%s"' "${1//\"/\"\"}"; }
# A name with other characters than these is quoted in pgbouncer.ini.
ini_name() { if [[ $1 =~ ^[a-zA-Z0-9_.-]+$ ]]; then printf '%s' "$1"; else quoted "$1"; fi; }
login() { printf '%s %s\n' "$(quoted "$1")" "$(quoted "$2")"; }
{
  login "$POSTGRES_USER" "$POSTGRES_PASSWORD"
  login "$LAB_USER" "$LAB_PASSWORD"
  login "$PGBOUNCER_ADMIN" "$PGBOUNCER_ADMIN_PASSWORD"
} >"$folder/users.txt"

cat >"$folder/pgbouncer.ini" <<INI
[databases]
$(ini_name "$POSTGRES_DB") = host=haproxy port=5000
* = host=haproxy port=5000

[pgbouncer]
listen_addr = *
listen_port = 6432
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $folder/users.txt
admin_users = $PGBOUNCER_ADMIN
pool_mode = $POOL_MODE
max_client_conn = 500
default_pool_size = 20
; What node-postgres and libpq send with a connection, and a pool cannot keep for each client.
ignore_startup_parameters = extra_float_digits,options
; PgBouncer's defaults: server_login_retry 15, server_connect_timeout 15, query_wait_timeout 120, server_check_delay 30,
; tcp_user_timeout 0, dns_max_ttl 15. compose.yml has shorter ones.
server_login_retry = $SERVER_LOGIN_RETRY
server_connect_timeout = $SERVER_CONNECT_TIMEOUT
query_wait_timeout = $QUERY_WAIT_TIMEOUT
server_check_delay = $SERVER_CHECK_DELAY
tcp_user_timeout = $TCP_USER_TIMEOUT
tcp_keepidle = 5
tcp_keepintvl = 2
tcp_keepcnt = 3
dns_max_ttl = $DNS_MAX_TTL
dns_nxdomain_ttl = $DNS_MAX_TTL
INI
chown -R postgres "$folder"
exec gosu postgres pgbouncer "$folder/pgbouncer.ini"
