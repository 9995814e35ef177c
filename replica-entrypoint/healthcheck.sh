#!/usr/bin/env bash
# Healthy: a primary that takes connections, or a standby that streams.
# Over TCP, because the server that the image starts for its init scripts listens on the Unix socket only.
set -euo pipefail
export PGPASSWORD=$LAB_PASSWORD PGCONNECT_TIMEOUT=3
healthy=$(psql --no-psqlrc -Atqw -h 127.0.0.1 -U "$LAB_USER" -d "$POSTGRES_DB" -c "
  SELECT NOT pg_is_in_recovery() OR EXISTS (
    -- A WAL receiver that is refused (no such slot, say) says streaming for a moment, too: it must have lasted.
    SELECT FROM pg_stat_wal_receiver JOIN pg_stat_activity USING (pid)
    WHERE status = 'streaming' AND backend_start < clock_timestamp() - interval '150 ms')")
[ "$healthy" = t ]

# Slots are not replicated: a node that was promoted by hand lacks those of the others, and they could not follow it.
# Which nodes there are (see read_members in entrypoint.sh) is read last, or one that has just been removed got its slot back.
export MEMBERS=${PGDATA%/*}/members.sh
psql --no-psqlrc -Atqw -h 127.0.0.1 -U "$LAB_USER" -d "$POSTGRES_DB" -v me="$NODE_NAME" <<'SQL' >/dev/null || true # the lab may have been faster
  \set nodes `[ ! -e "$MEMBERS" ] || . "$MEMBERS"; echo "$CLUSTER_NODES"`
  SELECT pg_create_physical_replication_slot(name)
  FROM unnest(string_to_array(:'nodes', ',')) AS name
  WHERE NOT pg_is_in_recovery() AND name <> :'me' AND name NOT IN (SELECT slot_name FROM pg_replication_slots)
SQL
