#!/usr/bin/env bash
# Healthy: the primary's server runs, or the standby's streams. By GET /patroni, which asks the server: what /cluster says is up to
# loop_wait old, and to HEAD /readiness and HEAD /liveness Patroni 4.0 answers 503 however well the node is. The image has no curl.
# https://patroni.readthedocs.io/en/latest/rest_api.html
set -euo pipefail
exec 3<>/dev/tcp/127.0.0.1/8008
printf 'GET /patroni HTTP/1.0\r\n\r\n' >&3
answer=$(timeout 3 cat <&3)
[[ $answer = *'"state": "running"'* ]]
[[ $answer = *'"role": "primary"'* || $answer = *'"replication_state": "streaming"'* ]]
