#!/usr/bin/env bash
# Who may connect, from where, and how. Replaces the rules initdb wrote; standbys get a copy with the base backup.
# Rules are read from the top, and the first that matches decides:
# https://www.postgresql.org/docs/current/auth-pg-hba-conf.html
quoted() { printf '"%s"' "${1//\"/\"\"}"; }
replication=$(quoted "$REPLICATION_USER")

cat >"$PGDATA/pg_hba.conf" <<EOF
# TYPE  DATABASE     USER            ADDRESS  METHOD
# The Unix socket can be reached only from inside the container, or by the owner of the servers.
local   all          all                      trust
# samenet: the networks this server is attached to, so the cluster's own.
host    replication  $replication    samenet  scram-sha-256
host    replication  all             all      reject
# The replication role may replicate, and nothing else.
host    all          $replication    all      reject
host    all          all             all      scram-sha-256
EOF
