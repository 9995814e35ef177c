#!/usr/bin/env bash
# serves.sh PORT...   whether PostgreSQL answers behind each of these ports of this container. HAProxy accepts connections also
# while it has nobody to hand them to, so an open port is no answer.
set -euo pipefail
for port; do
  exec 3<>"/dev/tcp/127.0.0.1/$port"
  # SSLRequest: its length, 8, and the code 80877103. Any server answers it with one byte, N or S, and logs nothing.
  # https://www.postgresql.org/docs/current/protocol-message-formats.html
  printf '\0\0\0\10\4\322\26\57' >&3
  read -r -t 3 -n 1 answer <&3
  [[ $answer = [NS] ]]
  exec 3>&-
done
