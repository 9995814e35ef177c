#!/usr/bin/env bash
# What a stopped node has that no other one received, read before a rejoin erases it. See src/operations/salvage/.
#
#   salvage.sh look              pg_control, the history files (both in base64) and the names of the WAL segments
#   salvage.sh past SEGMENT [TIMELINE FROM UNTIL]...   its last WAL record, which is looked for from the segment on that begins
#                                at SEGMENT, on the last TIMELINE; and which relations the records of these stretches touch,
#                                with their number. UNTIL may be -: to the end. By pg_waldump.
#   salvage.sh names TIMELINE RELATIONS SETTING...   their names, as JSON
#   salvage.sh rows TIMELINE CONNINFO SETTING...     the rows of lab.writes that the server at CONNINFO lacks: their number,
#                                the bytes they have as COPY text through gzip, and the first piece of that in base64
#   salvage.sh tables TIMELINE CONNINFO FORK_TIMELINE FORK SEGMENT SETTING...   every table with a primary key, compared with
#                                that server's, as differences prints it; handed over as rows are
#   salvage.sh psql TIMELINE SETTING...   psql on that server, in the foreground
#   salvage.sh piece NUMBER      a further piece
#   salvage.sh end               waits until an interrupted run has ended its server, and removes what it left
#
# names, rows, tables and psql start the node's server apart, on its TIMELINE and with SETTINGs, and end it in every case. It starts as what
# it is, a fenced standby (standby.signal stays where it is), but one of nobody: it recovers its own WAL to the end, writes none,
# and accepts no writes. No TCP, a Unix socket in a private folder, and an hba_file by which nobody may replicate from it.
# (max_wal_senders=0 would say the same, but a standby must not have fewer than its primary had.)
set -euo pipefail
# shellcheck source=sessions.sh
. "${BASH_SOURCE%/*}/sessions.sh"
# Every job has a process group of its own, which a signal reaches as a whole.
set -m

WORK=$(dirname "$PGDATA")/salvage
PIECE=2097152 # bytes: in base64 well below the thousand lines of 16 kB that are read of a container's log
SERVER='' JOB='' SOCKETS='' KEEP='' SOURCE=''

main() {
  local command=$1
  shift
  case $command in
    look) look ;;
    past) past "$@" ;;
    piece) piece "$1" ;;
    end) end ;;
    psql)
      begin
      start_apart "$@"
      psql --host="$SOCKETS" --username="$POSTGRES_USER" --dbname="$POSTGRES_DB"
      ;;
    names | rows | tables)
      command -v psql >/dev/null || exit 3 # as src/operations/salvage/script.ts knows
      begin
      local timeline=$1 what=("$2")
      shift 2
      if [ "$command" = tables ]; then what+=("$1" "$2" "$3") && shift 3; fi
      start_apart "$timeline" "$@"
      "$command" "${what[@]}"
      ;;
  esac
}

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# While the file clone-anew is there, what is in PGDATA is half rewound, or worth nothing.
look() {
  [ ! -e "$(dirname "$PGDATA")/clone-anew" ] || { echo half-rewound && return; }
  cd "$PGDATA"
  local name text
  text=$(head -c 512 global/pg_control | base64 | tr -d '\n')
  echo "control $text"
  for name in $(ls pg_wal); do
    if [[ $name =~ ^[0-9A-F]{8}\.history$ ]]; then
      text=$(base64 <"pg_wal/$name" | tr -d '\n')
      echo "history $((16#${name%.history})) $text"
    elif [[ $name =~ ^[0-9A-F]{24}$ ]]; then
      echo "wal $name"
    fi
  done
}

# A dump without an end always ends with an error: that of the place where there is no record any more.
past() {
  local segment=$1
  shift
  { dump "${@: -3:1}" "$segment" - || true; } | tail -n 1
  { while [ $# -gt 0 ]; do dump "$1" "$2" "$3" || true; shift 3; done; } | awk '
    { split("", seen)
      for (rest = $0; match(rest, /blkref #[0-9]+: rel [0-9]+\/[0-9]+\/[0-9]+/); rest = substr(rest, RSTART + RLENGTH)) {
        relation = substr(rest, RSTART, RLENGTH); sub(/.* /, "", relation)
        if (!(relation in seen)) { seen[relation]; records[relation]++ }
      } }
    END { for (relation in records) printf "%s=%d ", relation, records[relation]; print "" }'
}
dump() {
  local until=()
  [ "$3" = - ] || until=(-e "$3")
  pg_waldump -p "$PGDATA/pg_wal" -t "$1" -s "$2" ${until[@]+"${until[@]}"} 2>/dev/null
}

begin() {
  trap finish EXIT
  trap 'exit 130' INT TERM HUP
  [ ! -e "$WORK" ] || ! owner_lives || fail 'another salvage is reading it'
  rm -rf "$WORK"
  mkdir -m 700 "$WORK"
  echo "$HOSTNAME $$" >"$WORK/owner"
  SOCKETS=$(mktemp -d) # not in WORK: a socket's path may have 107 bytes only
}

# A process id means something only where it was given: another container is another host.
owner_lives() {
  local host pid
  read -r host pid <"$WORK/owner" 2>/dev/null && [ "$host" = "$HOSTNAME" ] && [ "$pid" != $$ ] && kill -0 "$pid" 2>/dev/null
}

# SIGQUIT, an immediate shutdown: no restartpoint, so that no WAL is removed which pg_rewind needs, and it takes no time.
finish() {
  trap '' INT TERM HUP
  [ -z "$JOB" ] || kill -TERM -- "-$JOB" 2>/dev/null || true
  if [ -n "$SERVER" ]; then
    kill -QUIT "$SERVER" 2>/dev/null || true
    wait "$SERVER" 2>/dev/null || true
  fi
  [ -z "$SOCKETS" ] || rm -rf "$SOCKETS"
  [ -n "$KEEP" ] || rm -rf "$WORK"
}

end() {
  for (( ; ; )); do
    [ -e "$WORK" ] && owner_lives || break
    [ "$SECONDS" -lt 60 ] || fail "its server has not ended within $SECONDS s"
    sleep 0.05 # between two looks: nothing tells a shell that a process which is not its child has ended
  done
  rm -rf "$WORK"
}

start_apart() {
  local timeline=$1
  shift
  [ -s "$PGDATA/PG_VERSION" ] || fail 'it has no data'
  # It is there, unless somebody promoted another node and did not fence this one.
  [ -e "$PGDATA/standby.signal" ] || touch "$PGDATA/standby.signal"
  # The lock file of a crashed server names a process id which another process may have by now (in a container: 1).
  rm -f "$PGDATA/postmaster.pid"
  echo 'local all all trust' >"$WORK/pg_hba.conf"
  postgres -D "$PGDATA" "$@" --listen_addresses= --port=5432 --unix_socket_directories="$SOCKETS" \
    --hba_file="$WORK/pg_hba.conf" --primary_conninfo= --primary_slot_name= --restore_command= --archive_mode=off \
    --recovery_target_timeline="$timeline" --recovery_min_apply_delay=0 --hot_standby=on --wal_keep_size=1GB \
    --wal_retrieve_retry_interval=100ms --default_transaction_read_only=on --synchronous_standby_names= \
    --logging_collector=off --log_destination=stderr --cluster_name=apart >"$WORK/log" 2>&1 &
  SERVER=$!
  # Should this script be killed, its end of the pipe closes, and the server is ended.
  exec 9> >(
    exec >/dev/null 2>&1
    trap '' INT TERM HUP
    cat
    kill -QUIT "$SERVER"
  )
  until has_recovered; do
    kill -0 "$SERVER" 2>/dev/null || fail "its server did not start: $(tail -n 3 "$WORK/log")"
    sleep 0.05 # between two questions, as above
  done
}

ask() { psql --no-psqlrc -Atqw -v ON_ERROR_STOP=1 -h "$SOCKETS" -U "$POSTGRES_USER" -d "$POSTGRES_DB" "$@"; }

# Connections are taken when the data is consistent, which may be before the end of its WAL. The startup process waits so
# when it has replayed all there is, and looks again and again for more.
# https://www.postgresql.org/docs/current/monitoring-stats.html#WAIT-EVENT-TIMEOUT-TABLE
has_recovered() {
  [ "$(ask -c "SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'startup' AND wait_event = 'RecoveryRetrieveRetryInterval'" 2>/dev/null)" = 1 ]
}

names() {
  ask -v relations="$1" <<'SQL'
    SET search_path = '';
    SELECT coalesce(json_object_agg(relation, name) FILTER (WHERE name IS NOT NULL), '{}')
    FROM (
      SELECT relation, pg_filenode_relation(split_part(relation, '/', 1)::oid, split_part(relation, '/', 3)::oid)::text AS name
      FROM unnest(string_to_array(:'relations', ' ')) AS relation
      -- Database 0 is that of the shared catalogs. Those of another database can be asked only there.
      WHERE split_part(relation, '/', 2)::oid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
    ) AS touched
SQL
}

rows() { hand_over lost_rows "$1"; }
tables() { hand_over differences "$@"; }

hand_over() {
  # In the background, because a trap waits for no child.
  "$@" 2>"$WORK/errors" &
  JOB=$!
  wait "$JOB" || fail "$(tail -n 3 "$WORK/errors")"
  JOB=''
  echo "$(gzip -dc "$WORK/lost.gz" | wc -l) $(wc -c <"$WORK/lost.gz")"
  piece 0
  [ "$(wc -c <"$WORK/lost.gz")" -le "$PIECE" ] || KEEP=yes
}

of_primary() { psql --no-psqlrc -Atqw -v ON_ERROR_STOP=1 -d "$SOURCE" "$@"; }

# Sorted into files before they are compared: a query that fails in its middle must fail all, not look like fewer rows.
lost_rows() {
  export PGOPTIONS="$PGOPTIONS -c TimeZone=UTC" LC_ALL=C
  ask -f - <<<"$(copy_of ask)" | sort -T "$WORK" | gzip -1 >"$WORK/ours.gz"
  SOURCE=$1
  of_primary -f - <<<"$(copy_of of_primary)" | sort -T "$WORK" | gzip -1 >"$WORK/theirs.gz"
  comm -23 <(gzip -dc "$WORK/ours.gz") <(gzip -dc "$WORK/theirs.gz") | gzip >"$WORK/lost.gz"
}

# Nothing where there is no such table.
copy_of() {
  [ "$("$@" -c "SELECT to_regclass('lab.writes') IS NOT NULL")" = f ] || echo 'COPY (SELECT run, id, at FROM lab.writes) TO STDOUT;'
}

# Lines of fields, a tab between: `next XID`, the first transaction after the fork, 0 when the WAL does not tell;
# `table NAME COLUMNS` of each that the primary has too, with the columns that an INSERT may name; `uncompared NAME WHY`; and
# `ours NAME KEY ROW` or `theirs NAME KEY ROW XMIN` of each row that the other has not, or has otherwise.
differences() {
  SOURCE=$1
  export PGOPTIONS="$PGOPTIONS -c TimeZone=UTC" LC_ALL=C
  catalog ask >"$WORK/our-tables"
  catalog of_primary >"$WORK/their-tables"
  comm -12 "$WORK/our-tables" "$WORK/their-tables" | grep -v '^-' >"$WORK/both" || true
  copies ask '' <"$WORK/both" | sort -T "$WORK" >"$WORK/ours"
  copies of_primary ', xmin' <"$WORK/both" | sort -T "$WORK" >"$WORK/theirs"
  cut -f 1-3 "$WORK/theirs" >"$WORK/theirs-rows"
  {
    printf 'next\t%s\n' "$(dump "$2" "$4" "$3" | awk '
      match($0, /tx: +[0-9]+/) { xid = substr($0, RSTART + 3, RLENGTH - 3) + 1; if (xid > next_xid) next_xid = xid }
      match($0, /nextXid [0-9]+/) { xid = substr($0, RSTART + 8, RLENGTH - 8) + 0; if (xid > next_xid) next_xid = xid }
      END { print next_xid + 0 }')"
    cut -f 1,2 "$WORK/both" | sed 's/^/table\t/'
    grep '^-' "$WORK/our-tables" | cut -f 2 | sed 's/^/uncompared\t/; s/$/\tit has no primary key/' || true
    comm -23 "$WORK/our-tables" "$WORK/their-tables" | grep -v '^-' | cut -f 1 |
      sed 's/^/uncompared\t/; s/$/\tthe primary has none of that name with the same columns/' || true
    comm -23 "$WORK/ours" "$WORK/theirs-rows" | sed 's/^/ours\t/'
    comm -13 "$WORK/ours" "$WORK/theirs-rows" >"$WORK/only-theirs"
    awk -F '\t' 'NR == FNR { only[$0]; next } ($1 FS $2 FS $3) in only { print "theirs" FS $0 }' "$WORK/only-theirs" "$WORK/theirs"
  } | gzip -1 >"$WORK/lost.gz"
}

# `NAME COLUMNS KEY` of each table with a primary key; `- NAME` of one without.
catalog() {
  "$@" -F $'\t' <<'SQL' | sort
    SELECT CASE WHEN i.indrelid IS NULL THEN '-' ELSE format('%I.%I', n.nspname, c.relname) END,
      CASE WHEN i.indrelid IS NULL THEN format('%I.%I', n.nspname, c.relname)
        ELSE (SELECT string_agg(format('%I', attname), ', ' ORDER BY attname) FROM pg_attribute
          WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') END,
      (SELECT string_agg(format('x.%I', attname), ', ' ORDER BY attnum) FROM pg_attribute
        WHERE attrelid = c.oid AND attnum = ANY (i.indkey))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
SQL
}

# A row as JSON is one line, which any type can be read back from. As COPY prints it, backslashes are doubled.
copies() {
  local run=$1 more=$2 name columns key
  while IFS=$'\t' read -r name columns key; do
    printf 'COPY (SELECT $name$%s$name$, json_build_array(%s), row_to_json(x)%s FROM ONLY %s AS x) TO STDOUT;\n' \
      "$name" "$key" "${more:+, x.xmin}" "$name"
  done | "$run" -f -
}

piece() { dd if="$WORK/lost.gz" bs="$PIECE" skip="$1" count=1 2>/dev/null | base64 | tr -d '\n'; }

main "$@"
