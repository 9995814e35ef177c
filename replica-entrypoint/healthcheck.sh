#!/usr/bin/env bash
# Healthy: a primary that takes connections, or a standby that streams. A former primary that starts read-only, and waits for
# its peers (see start-writable.sh), is not healthy yet: `docker compose up --wait` waits with it.
# Over TCP, because the server that the image starts for its init scripts listens on the Unix socket only.
set -euo pipefail
# shellcheck source=sessions.sh
. "${BASH_SOURCE%/*}/sessions.sh"
# shellcheck source=slots.sh
. "${BASH_SOURCE%/*}/slots.sh"
export PGPASSWORD=$LAB_PASSWORD PGCONNECT_TIMEOUT=3
server=(--no-psqlrc -Atqw -h 127.0.0.1 -U "$LAB_USER" -d "$POSTGRES_DB")
healthy=$(psql "${server[@]}" -c "
  SELECT NOT pg_is_in_recovery() OR EXISTS (
    -- A WAL receiver that is refused (no such slot, say) says streaming for a moment, too: it must have lasted.
    SELECT FROM pg_stat_wal_receiver JOIN pg_stat_activity USING (pid)
    WHERE status = 'streaming' AND backend_start < clock_timestamp() - interval '150 ms')")
[ "$healthy" = t ]
create_slots "${server[@]}" >/dev/null || true # the lab may have been faster
