#!/usr/bin/env bash
# How a node starts under Patroni. The arguments are docker-compose.yml's command: postgres, and its settings.
#
#   no data, FIRST_START=initdb   Patroni makes a database, and runs primary-init/
#   no data, FIRST_START=clone    waits until somebody leads, then Patroni clones
#   data of a primary             Patroni starts it as it is, and it takes the leader's lock
#   data of a standby             waits until somebody leads: on data that it meets for the first time, with etcd new, Patroni would
#                                 let a standby that happens to come first lead the cluster
#
# What Patroni writes into the data directory is taken out again by replica-entrypoint/after-patroni.sh, when the lab's own
# entrypoint starts there the next time.
set -euo pipefail
# The server's own psql: Debian's, which is found first, is a program in Perl.
PATH=/usr/lib/postgresql/$PG_MAJOR/bin:$PATH

VOLUME=$(dirname "$PGDATA")
RUN=/run/patroni
SCRIPTS=/docker-entrypoint-initdb.d

main() {
  if [ "${1:-}" = post-bootstrap ]; then post_bootstrap "$2" && return; fi
  trap 'exit 143' TERM INT
  drop_root "$@"
  refuse_other_major
  forget_half_made
  # Of a server that ended with its container, as all that is in it does: any process may have its number by now.
  rm -f "$PGDATA/postmaster.pid"
  write_config "${@:2}"
  if ! has_data && [ "$FIRST_START" = initdb ]; then touch "$VOLUME/initialising"; else wait_for_leader; fi
  unset PGPASSFILE
  exec patroni "$RUN/patroni.yml"
}

say() { printf 'node: %s: %s\n' "$NODE_NAME" "$*" >&2; }
fail() { say "$*" && exit 1; }

drop_root() {
  [ "$(id -u)" = 0 ] || return 0
  mkdir -p "$VOLUME"
  chown postgres "$VOLUME"
  # The lab fences a stopped node through the engine, as root. PostgreSQL only looks whether standby.signal is there; Patroni
  # writes it, and gives up the node where it cannot.
  [ ! -d "$PGDATA" ] || find "$PGDATA" ! -user postgres -exec chown postgres '{}' +
  install --directory --owner postgres --mode 700 "$RUN"
  exec gosu postgres bash "$0" "$@"
}

has_data() { [ -s "$PGDATA/PG_VERSION" ]; }

refuse_other_major() {
  local found
  has_data || return 0
  found=$(cat "$PGDATA/PG_VERSION")
  [ "$found" = "$PG_MAJOR" ] || fail "its data is of PostgreSQL $found, and this image has $PG_MAJOR"
}

# What replica-entrypoint/ would not trust either: a clone that was declared worthless, a first start that was interrupted.
forget_half_made() {
  local mark
  for mark in "$VOLUME/clone-anew" "$VOLUME/initialising"; do
    [ -e "$mark" ] || continue
    rm -rf "$PGDATA"
    rm -f "$mark"
  done
  rm -rf "$PGDATA.cloning"
}

# Its configuration is written into etcd by the first that leads, and not before.
wait_for_leader() {
  local limit=${LEADER_WAIT_SECONDS:-120} key=/service/$PATRONI_SCOPE/config
  if has_data && [ ! -e "$PGDATA/standby.signal" ]; then return; fi
  say "waiting up to $limit s until a node leads"
  until [ -n "$(etcdctl --endpoints="$PATRONI_ETCD3_HOSTS" --command-timeout=2s get --keys-only "$key" 2>/dev/null)" ]; do
    [ "$SECONDS" -lt "$limit" ] || fail "no node has led after $limit s. Is there one with the data of a primary?"
    sleep 0.2 # between two questions
  done
}

# Passwords are not in it: Patroni reads PATRONI_... from its environment.
write_config() {
  export PATRONI_NAME=$NODE_NAME
  export PATRONI_SUPERUSER_USERNAME=$POSTGRES_USER PATRONI_SUPERUSER_PASSWORD=$POSTGRES_PASSWORD
  export PATRONI_REPLICATION_USERNAME=$REPLICATION_USER PATRONI_REPLICATION_PASSWORD=$REPLICATION_PASSWORD
  cat >"$RUN/patroni.yml" <<YAML
name: $NODE_NAME
restapi:
  listen: 0.0.0.0:8008
  connect_address: $NODE_NAME.replication:8008
bootstrap:
  dcs:
    ttl: $STACK_TTL
    loop_wait: $STACK_LOOP_WAIT
    retry_timeout: $STACK_RETRY_TIMEOUT
    primary_start_timeout: $STACK_PRIMARY_START_TIMEOUT
    synchronous_mode: $STACK_SYNCHRONOUS_MODE
    postgresql:
      use_slots: true
      use_pg_rewind: $STACK_USE_PG_REWIND
      parameters:
$(parameters "$@")
  initdb:
$(initdb_options)
  post_bootstrap: bash /stack/node.sh post-bootstrap
postgresql:
  listen: '*:5432'
  connect_address: $NODE_NAME.replication:5432
  data_dir: $PGDATA
  bin_dir: /usr/lib/postgresql/$PG_MAJOR/bin
  pgpass: $RUN/pgpass
  use_unix_socket: true
  # There is no pg_hba here: then Patroni leaves pg_hba.conf as primary-init/ has written it.
  basebackup:
    checkpoint: fast
YAML
}

# --name=value, as docker-compose.yml has them. Patroni has its own idea of listen_addresses.
parameters() {
  local setting
  for setting; do
    setting=${setting#--}
    [ "${setting%%=*}" = listen_addresses ] || printf "        %s: '%s'\n" "${setting%%=*}" "$(escaped "${setting#*=}")"
  done
}
initdb_options() {
  local word
  for word in $POSTGRES_INITDB_ARGS; do
    word=${word#--}
    if [[ $word = *=* ]]; then printf "  - %s: '%s'\n" "${word%%=*}" "$(escaped "${word#*=}")"; else echo "  - $word"; fi
  done
  echo '  - encoding: UTF8'
}
escaped() { printf '%s' "${1//\'/\'\'}"; }

# Patroni has made a database, and runs this against it: what the first primary of the lab runs, too.
post_bootstrap() {
  local file
  [ "$POSTGRES_DB" = postgres ] ||
    psql -d "$1" -v ON_ERROR_STOP=1 -v db="$POSTGRES_DB" --no-psqlrc -q <<<'CREATE DATABASE :"db"'
  for file in "$SCRIPTS"/*; do
    case $file in
      *.sh) bash "$file" ;;
      *.sql) psql -d "$1 dbname='$POSTGRES_DB'" -v ON_ERROR_STOP=1 --no-psqlrc -q -f "$file" ;;
    esac
  done
  psql -d "$1" --no-psqlrc -Atqc 'SELECT pg_reload_conf()' >/dev/null
}

main "$@"
