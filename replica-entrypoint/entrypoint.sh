#!/usr/bin/env bash
# How a node starts, whichever role it has today. The image's own entrypoint, or postgres itself, does the rest.
#
#   no data, FIRST_START=initdb   the image's entrypoint makes a database and runs primary-init/
#   no data, FIRST_START=clone    pg_basebackup from whoever is primary
#   data of a standby             start
#   data of a primary             start, unless another node is the primary by now: then start as its standby
#
# Needs: NODE_NAME, FIRST_START, PGDATA (in a folder of its own on the volume), PRIMARY_CONNINFO and the credentials.
# Optional: PRIMARY_WAIT_SECONDS, ASK_PEERS=no, IMAGE_ENTRYPOINT (empty: exec the command itself).
set -euo pipefail

main() {
  # As process 1 of a container, a shell without traps ignores these.
  trap 'exit 130' INT TERM
  drop_root "$@"
  read_members
  write_passfile
  if needs_clone; then
    clone
  elif ! has_data && [ "$FIRST_START" = initdb ]; then
    begin_initdb
  elif [ "${ASK_PEERS:-yes}" = yes ]; then
    if is_standby; then ! primary_exists || ensure_slot; else follow_if_superseded; fi
  fi
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

# Nodes were added, or removed, since this container was made: the lab has left what is so instead of its environment.
read_members() {
  # shellcheck source=/dev/null
  [ ! -e "$VOLUME/members.sh" ] || . "$VOLUME/members.sh"
}

VOLUME=$(dirname "$PGDATA")
# Left by a rejoin that was interrupted: what is in PGDATA cannot be trusted. See src/operations/rejoin.ts.
CLONE_ANEW=$VOLUME/clone-anew

# There from the first start until primary-init/ has run to its end: what is in PGDATA is half made.
INITIALISING=$VOLUME/initialising

has_data() { [ -s "$PGDATA/PG_VERSION" ] && [ ! -e "$INITIALISING" ]; }
is_standby() { [ -e "$PGDATA/standby.signal" ]; }
needs_clone() {
  [ ! -e "$CLONE_ANEW" ] || return 0
  ! has_data && { [ "$FIRST_START" = clone ] || primary_exists; }
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

# A replication command to whichever node is primary. It needs no database, and works with a role that can only replicate.
ask_primary() { psql --no-psqlrc -Atqw -d "$PRIMARY_CONNINFO dbname=postgres replication=true" -c "$1" 2>&1; }
primary_exists() { command -v psql >/dev/null && ask_primary IDENTIFY_SYSTEM >/dev/null; }

wait_for_primary() {
  local limit=${PRIMARY_WAIT_SECONDS:-60} seen
  say "waiting up to $limit s for a primary: $PRIMARY_CONNINFO"
  until seen=$(ask_primary IDENTIFY_SYSTEM); do
    [ "$SECONDS" -lt "$limit" ] || fail "no primary after $limit s; last seen: $seen"
    sleep 0.1 # between two questions: nothing tells a shell that a primary is there
  done
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
  pg_basebackup -d "$PRIMARY_CONNINFO" --no-password --pgdata "$scratch" --slot "$NODE_NAME" \
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

# Nodes which have been standbys all along may be the primary today, and then they may lack the slot. Between the question
# and the answer somebody else may make it: the lab does, when it heals a cluster.
ensure_slot() {
  local seen
  slot_is_missing || return 0
  seen=$(ask_primary "CREATE_REPLICATION_SLOT \"$NODE_NAME\" PHYSICAL") || ! slot_is_missing ||
    fail "cannot create the slot $NODE_NAME: $seen"
}
slot_is_missing() {
  local seen
  seen=$(ask_primary "READ_REPLICATION_SLOT \"$NODE_NAME\"") || fail "cannot look for the slot $NODE_NAME: $seen"
  [ "$seen" = '||' ]
}

# The data says that this node was the primary. If it was away while another was promoted, two would accept writes:
# so ask the others first, until each has answered or has had its time. Where all start at once after a promotion that
# nobody fenced, the node on the higher timeline must be first: it waits less.
follow_if_superseded() {
  local deadline_us=$((${EPOCHREALTIME/[.,]/} + 6000000 / $(timeline)))
  until primary_exists || all_peers_answer || [ "${EPOCHREALTIME/[.,]/}" -ge "$deadline_us" ]; do
    sleep 0.1 # between two questions, as above
  done
  primary_exists || return 0
  say 'another node is the primary now: starting as a standby'
  touch "$PGDATA/standby.signal"
  ensure_slot
}
# The newest timeline this node knows of: every promotion leaves a history file. (pg_control lags behind a promotion.)
timeline() {
  local newest
  newest=$(cd "$PGDATA/pg_wal" && printf '%s\n' *.history | sort | tail -n 1)
  [ "$newest" = '*.history' ] && echo 1 || echo $((16#${newest%.history}))
}
all_peers_answer() {
  local hosts host
  hosts=${PRIMARY_CONNINFO#*host=}
  for host in $(echo "${hosts%% *}" | tr , ' '); do
    [ "${host%%.*}" = "$NODE_NAME" ] || pg_isready -q -t 1 -h "$host" || return 1
  done
}

main "$@"
