#!/usr/bin/env bash
# How a node starts, whichever role it has today. The image's own entrypoint, or postgres itself, does the rest.
#
#   no data, FIRST_START=initdb   the image's entrypoint makes a database and runs primary-init/
#   no data, FIRST_START=clone    pg_basebackup from whoever is primary
#   data of a standby             start
#   data of a primary             start read-only, and ask the others: see start-writable.sh
#
# Needs: NODE_NAME, FIRST_START, PGDATA (in a folder of its own on the volume), PRIMARY_CONNINFO and the credentials.
# Optional: PRIMARY_WAIT_SECONDS, ASK_PEERS=no, IMAGE_ENTRYPOINT (empty: exec the command itself).
set -euo pipefail
# The server's own psql: Debian's, which is found first, is a program in Perl that looks for it, each time.
PATH=$(dirname "$(command -v postgres)"):$PATH
# shellcheck source=sessions.sh
. "${BASH_SOURCE%/*}/sessions.sh"
# shellcheck source=slots.sh
. "${BASH_SOURCE%/*}/slots.sh"
# shellcheck source=start-writable.sh
. "${BASH_SOURCE%/*}/start-writable.sh"
# shellcheck source=after-patroni.sh
. "${BASH_SOURCE%/*}/after-patroni.sh"

main() {
  # As process 1 of a container, a shell without traps ignores these.
  trap 'exit 130' INT TERM
  drop_root "$@"
  read_members
  write_passfile
  undo_patroni
  if needs_clone; then
    clone
  elif ! has_data && [ "$FIRST_START" = initdb ]; then
    begin_initdb
  elif [ "${ASK_PEERS:-yes}" = yes ]; then
    is_standby || settle_role "$@"
    if is_standby && primary_exists; then ensure_slot; fi
  fi
  if is_reader; then set -- "$@" "${READER_SETTINGS[@]}"; fi
  serve "$@"
}

serve() {
  unset PGOPTIONS
  # shellcheck disable=SC2086  # empty means: no word at all
  exec ${IMAGE_ENTRYPOINT-docker-entrypoint.sh} "$@" --cluster_name="$NODE_NAME" --primary_slot_name="$NODE_NAME"
}

say() { printf 'entrypoint: %s: %s\n' "$NODE_NAME" "$*" >&2; }
fail() {
  say "$*"
  exit 1
}

# Root is needed for nothing but to hand the volume to the postgres user.
drop_root() {
  [ "$(id -u)" = 0 ] || return 0
  mkdir -p "$VOLUME"
  chown postgres "$VOLUME"
  exec gosu postgres bash "$0" "$@"
}

# Nodes were added, or removed, since this container was made: the lab has left what is so instead of its environment. Those
# of the compose file remain the ones of which a majority decides who starts writable: on every node they are the same.
read_members() {
  ELECTORATE=$CLUSTER_NODES
  # shellcheck source=/dev/null
  [ ! -e "$VOLUME/members.sh" ] || . "$VOLUME/members.sh"
}

VOLUME=$(dirname "$PGDATA")
# Left by a rejoin that was interrupted: what is in PGDATA cannot be trusted. See src/operations/rejoin.ts.
CLONE_ANEW=$VOLUME/clone-anew

# There from the first start until primary-init/ has run to its end: what is in PGDATA is half made.
INITIALISING=$VOLUME/initialising

has_data() { [ -s "$PGDATA/PG_VERSION" ] && [ ! -e "$INITIALISING" ]; }
is_standby() { [ -e "$PGDATA/standby.signal" ] && ! is_reader; }
# A database is made only where no node has one: where one answers, primary or not, a primary is waited for.
needs_clone() {
  [ ! -e "$CLONE_ANEW" ] || return 0
  ! has_data && { [ "$FIRST_START" = clone ] || peer_answers; }
}

begin_initdb() {
  touch "$INITIALISING"
  rm -rf "$PGDATA"
}

# libpq reads passwords from here, and so do the WAL receiver, pg_basebackup and pg_rewind: none of them is told one.
# https://www.postgresql.org/docs/current/libpq-pgpass.html
write_passfile() {
  export PGPASSFILE=$VOLUME/.pgpass
  (
    umask 077
    {
      pass_line "$REPLICATION_USER" "$REPLICATION_PASSWORD"
      pass_line "$LAB_USER" "$LAB_PASSWORD"
    } >"$PGPASSFILE"
  )
}
pass_line() { printf '*:*:*:%s:%s\n' "$(pass_escape "$1")" "$(pass_escape "$2")"; }
pass_escape() { printf '%s' "$1" | sed 's/[\\:]/\\&/g'; }

# Replication commands: they need no database, and work with a role that can only replicate. To whichever node is primary,
# and to one of them.
ask_primary() { psql --no-psqlrc -Atqw -d "$PRIMARY_CONNINFO dbname=postgres replication=true" -c "$1" 2>&1; }
ask_node() {
  local host=127.0.0.1
  [ "$1" = "$NODE_NAME" ] || host=$(hosts | grep -E "^$1(\.|\$)")
  psql --no-psqlrc -Atqw -d "$PRIMARY_CONNINFO host=$host target_session_attrs=any dbname=postgres replication=true" "${@:2}"
}
hosts() { sed 's/.*host=\([^ ]*\).*/\1/' <<<"$PRIMARY_CONNINFO" | tr , '\n'; }

primary_exists() { command -v psql >/dev/null && ask_primary IDENTIFY_SYSTEM >/dev/null; }
peer_answers() {
  command -v psql >/dev/null &&
    psql --no-psqlrc -Atqw -d "$PRIMARY_CONNINFO target_session_attrs=any dbname=postgres replication=true" -c IDENTIFY_SYSTEM >/dev/null 2>&1
}

wait_for_primary() {
  local limit=${PRIMARY_WAIT_SECONDS:-60} seen
  say "waiting up to $limit s for a primary: $PRIMARY_CONNINFO"
  until seen=$(ask_primary IDENTIFY_SYSTEM); do
    [ "$SECONDS" -lt "$limit" ] || fail "no primary after $limit s; last seen: $seen"
    say_empty
    sleep 0.1 # between two questions: nothing tells a shell that a primary is there
  done
}

# To those that are there and are no primary: what they wait for may be a word of every node. See nodes_without_data. The word is
# the session itself, so each stays for a second: a node that looks every 100 ms does not miss it.
say_empty() {
  local node
  for node in ${CLUSTER_NODES//,/ }; do
    [ "$node" = "$NODE_NAME" ] || PGAPPNAME=empty:$NODE_NAME ask_node "$node" -c '\! sleep 1' >/dev/null 2>&1 &
  done
  wait
}

# Into a scratch folder, renamed when it is whole: an interrupted clone is tried again, and never mistaken for data.
clone() {
  local scratch=$PGDATA.cloning
  command -v psql >/dev/null && wait_for_primary
  ensure_slot
  rm -rf "$scratch"
  say 'cloning from the primary with pg_basebackup'
  # --no-sync: the folder is thrown away if the machine dies now, so there is nothing to make durable.
  # What --write-recovery-conf writes is the same on every node (cluster_name is the application_name), because pg_rewind
  # copies it from one node to another.
  # --no-clean: a full disk is still full when it is looked at. In the background, because a trap waits for no child.
  env -u PGOPTIONS pg_basebackup -d "$PRIMARY_CONNINFO" --no-password --pgdata "$scratch" --slot "$NODE_NAME" \
    --write-recovery-conf --wal-method stream --checkpoint fast --no-sync --no-clean &
  if ! wait $!; then
    local free
    free=$(df -Pk "$VOLUME" | awk 'NR == 2 { print int($4 / 1024) " MB are free on " $6 }')
    rm -rf "$scratch"
    fail "the clone failed; $free"
  fi
  rm -rf "$PGDATA"
  mv "$scratch" "$PGDATA"
  rm -f "$CLONE_ANEW" "$INITIALISING"
}

main "$@"
