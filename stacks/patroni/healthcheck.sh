#!/usr/bin/env bash
# Healthy: Patroni says that its server runs, and leads or follows. Without curl, which the image lacks. Not /readiness or
# /liveness: to HEAD, Patroni 4.0 answers those two with 503, however well the node is; it knows them as GET alone.
# https://patroni.readthedocs.io/en/latest/rest_api.html
set -euo pipefail
exec 3<>/dev/tcp/127.0.0.1/8008
printf 'HEAD /read-only HTTP/1.0\r\n\r\n' >&3
read -r -t 3 status <&3
[[ $status = *' 200 '* ]]
