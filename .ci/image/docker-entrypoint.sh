#!/usr/bin/env bash
# The documented behaviour of the official postgres image's entrypoint, in fewer words: initialise an empty PGDATA,
# run /docker-entrypoint-initdb.d against a server that only the Unix socket reaches, become postgres, exec the command.
set -Eeo pipefail

main() {
  # docker run IMAGE -c wal_level=logical
  if [[ ${1:-} == -* ]]; then set -- postgres "$@"; fi

  if [[ ${1:-} == postgres ]] && ! wants_help "$@"; then
    read_settings
    prepare_directories
    if ((EUID == 0)); then exec gosu postgres "${BASH_SOURCE[0]}" "$@"; fi

    if [[ -s $PGDATA/PG_VERSION ]]; then
      printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
    else
      initialise "$@"
      printf '\nPostgreSQL init process complete; ready for start up.\n\n'
    fi
  fi

  exec "$@"
}

# The options with which postgres prints something and ends need no database.
wants_help() {
  local argument
  for argument; do
    case $argument in '-?' | --help | --describe-config | -V | --version) return 0 ;; esac
  done
  return 1
}

read_settings() {
  setting POSTGRES_PASSWORD
  setting POSTGRES_USER postgres
  setting POSTGRES_DB "$POSTGRES_USER"
  setting POSTGRES_INITDB_ARGS
}

# setting NAME [DEFAULT]: from NAME, or from the file that NAME_FILE names (Docker's secrets).
setting() {
  local name=$1 file_name=$1_FILE value=${2:-}
  if [[ -n ${!name:-} && -n ${!file_name:-} ]]; then
    printf >&2 'error: both %s and %s are set (but are exclusive)\n' "$name" "$file_name"
    exit 1
  fi
  if [[ -n ${!name:-} ]]; then
    value=${!name}
  elif [[ -n ${!file_name:-} ]]; then
    value=$(<"${!file_name}")
  fi
  export "$name=$value"
  unset "$file_name"
}

# Failures to change modes are ignored: a directory that was mounted may belong to somebody else and still do.
prepare_directories() {
  local directories=("$PGDATA" /var/run/postgresql)
  mkdir -p "${directories[@]}" || :
  chmod 0700 "$PGDATA" || :
  chmod 3775 /var/run/postgresql || :
  if [[ -n ${POSTGRES_INITDB_WALDIR:-} ]]; then
    directories+=("$POSTGRES_INITDB_WALDIR")
    mkdir -p "$POSTGRES_INITDB_WALDIR"
    chmod 0700 "$POSTGRES_INITDB_WALDIR"
  fi
  if ((EUID == 0)); then
    find "${directories[@]}" \! -user postgres -exec chown postgres '{}' +
  fi
}

initialise() {
  require_password
  refuse_unused_mount
  # Now rather than halfway: what cannot be listed cannot be run.
  ls /docker-entrypoint-initdb.d/ >/dev/null
  run_initdb
  allow_hosts "$@"
  # For psql below, where POSTGRES_INITDB_ARGS asks for a password on the socket too.
  export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
  start_temporary_server "$@"
  create_database
  run_init_files /docker-entrypoint-initdb.d/*
  PGUSER=${PGUSER:-postgres} pg_ctl -D "$PGDATA" -m fast -w stop
  unset PGPASSWORD
}

require_password() {
  if [[ -z $POSTGRES_PASSWORD && ${POSTGRES_HOST_AUTH_METHOD:-} != trust ]]; then
    cat >&2 <<'END'
Error: Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the superuser,
       or, for connections without a password, POSTGRES_HOST_AUTH_METHOD=trust.
END
    exit 1
  fi
  if [[ ${POSTGRES_HOST_AUTH_METHOD:-} == trust ]]; then
    echo >&2 'WARNING: POSTGRES_HOST_AUTH_METHOD is "trust": anyone who reaches the port gets in without a password.'
  fi
}

# The layout of 18: a volume mounted where 17 had it would stay empty, and the data would go with the container.
refuse_unused_mount() {
  if [[ $PGDATA == "/var/lib/postgresql/$PG_MAJOR/docker" ]] && mountpoint -q /var/lib/postgresql/data; then
    cat >&2 <<'END'
Error: in 18+, these Docker images are configured to store database data in a
       directory named after the major version, and there appears to be a mount at
         /var/lib/postgresql/data (unused mount/volume)
       Place a single mount at /var/lib/postgresql instead.
END
    exit 1
  fi
}

run_initdb() {
  # initdb insists on a name for its user, and `docker run --user 1234` has none.
  if ! getent passwd "$EUID" >/dev/null; then
    local passwd group
    passwd=$(mktemp) group=$(mktemp)
    printf 'postgres:x:%s:%s:PostgreSQL:%s:/bin/false\n' "$EUID" "$(id -g)" "$PGDATA" >"$passwd"
    printf 'postgres:x:%s:\n' "$(id -g)" >"$group"
    local -x LD_PRELOAD=libnss_wrapper.so NSS_WRAPPER_PASSWD=$passwd NSS_WRAPPER_GROUP=$group
  fi
  if [[ -n ${POSTGRES_INITDB_WALDIR:-} ]]; then set -- --waldir "$POSTGRES_INITDB_WALDIR"; fi
  # eval, because POSTGRES_INITDB_ARGS may quote. The newline, because initdb refuses an empty password file.
  eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"$POSTGRES_INITDB_ARGS"' "$@"'
}

# initdb lets in only the container itself.
allow_hosts() {
  if [[ $1 == postgres ]]; then shift; fi
  local method
  method=${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption "$@")}
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# With the server's own arguments, so that init scripts see its settings; but no TCP, so that nobody takes it for ready.
start_temporary_server() {
  if [[ $1 == postgres ]]; then shift; fi
  set -- "$@" -c listen_addresses='' -p "${PGPORT:-5432}"
  NOTIFY_SOCKET='' PGUSER=${PGUSER:-$POSTGRES_USER} pg_ctl -D "$PGDATA" -o "$(printf '%q ' "$@")" -w start
}

# The later --dbname wins over the one that docker_process_sql adds.
create_database() {
  local sql=(docker_process_sql --dbname postgres --set "db=$POSTGRES_DB") exists
  exists=$("${sql[@]}" --tuples-only <<<"SELECT 1 FROM pg_database WHERE datname = :'db'")
  if [[ -z $exists ]]; then "${sql[@]}" <<<'CREATE DATABASE :"db"'; fi
}

run_init_files() {
  local file
  echo
  for file; do
    case $file in
      *.sh)
        # A script without the x bit is sourced: it may use docker_process_sql, and change this shell.
        if [[ -x $file ]]; then
          printf '%s: running %s\n' "$0" "$file"
          "$file"
        else
          printf '%s: sourcing %s\n' "$0" "$file"
          # shellcheck source=/dev/null
          . "$file"
        fi
        ;;
      *.sql) printf '%s: running %s\n' "$0" "$file" && docker_process_sql -f "$file" ;;
      *.sql.gz) printf '%s: running %s\n' "$0" "$file" && gunzip -c "$file" | docker_process_sql ;;
      *.sql.xz) printf '%s: running %s\n' "$0" "$file" && xzcat "$file" | docker_process_sql ;;
      *.sql.zst) printf '%s: running %s\n' "$0" "$file" && zstd -dc "$file" | docker_process_sql ;;
      *) printf '%s: ignoring %s\n' "$0" "$file" ;;
    esac
    echo
  done
}

# The official name: scripts that are sourced call it.
docker_process_sql() {
  local command=(psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc)
  if [[ -n $POSTGRES_DB ]]; then command+=(--dbname "$POSTGRES_DB"); fi
  PGHOST='' PGHOSTADDR='' "${command[@]}" "$@"
}

# Nothing happens when another entrypoint sources this file for its functions.
if [[ ${BASH_SOURCE[0]} == "$0" ]]; then main "$@"; fi
