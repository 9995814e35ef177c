# Sourced. Takes out of a data directory what Patroni has written into it, so that the lab can go on with the data that it finds
# there: a cluster that stacks/patroni/ has managed is given back by the next start with the lab's own entrypoint.
# pg_hba.conf is none of it: the stack tells Patroni nothing of it, so that it stays as primary-init/ has written it.
# https://patroni.readthedocs.io/en/latest/patroni_configuration.html
# shellcheck shell=bash

undo_patroni() {
  [ -e "$PGDATA/postgresql.base.conf" ] || return 0
  say 'Patroni has managed this data: its files are taken out'
  # What it knows of its settings without etcd, and its copies of the files below.
  rm -f "$PGDATA"/patroni.dynamic.json "$PGDATA"/{postgresql.base,postgresql,pg_hba,pg_ident}.conf.backup
  # Of a server that ended with its container. It was a child of Patroni's, with a number that any process may have by now.
  rm -f "$PGDATA/postmaster.pid"
  restore_conninfo
  # Last: while this file is there, all of it is done again.
  mv "$PGDATA/postgresql.base.conf" "$PGDATA/postgresql.conf"
}

# Patroni takes it out of postgresql.auto.conf, on whichever node it starts. Every node has it, the primary for the day when it is none.
restore_conninfo() {
  local file=$PGDATA/postgresql.auto.conf
  { grep -Ev '^[[:space:]]*primary_(conninfo|slot_name)[[:space:]=]' "$file" || true; } >"$file.new"
  printf "primary_conninfo = '%s'\n" "${PRIMARY_CONNINFO//\'/\'\'}" >>"$file.new"
  chmod 600 "$file.new"
  mv "$file.new" "$file"
}
