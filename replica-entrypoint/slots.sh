# Sourced. Physical slots, one for each node that follows, named as the node: the rule for shell.
# For TypeScript it is src/cluster/slots.ts. Slots are not replicated: whoever is made the primary lacks those of the others.
# shellcheck shell=bash

# On whichever node is the primary, the slot of this one. Between the question and the answer somebody else may make it: the
# lab does, when it heals a cluster.
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

# On this node, if it is the primary, the slots of all others; the arguments are psql's. Which nodes there are (see
# read_members in entrypoint.sh) is read last, or one that has just been removed got its slot back.
create_slots() {
  MEMBERS=${PGDATA%/*}/members.sh psql "$@" -v me="$NODE_NAME" <<'SQL'
  \set nodes `[ ! -e "$MEMBERS" ] || . "$MEMBERS"; echo "$CLUSTER_NODES"`
  SELECT pg_create_physical_replication_slot(name)
  FROM unnest(string_to_array(:'nodes', ',')) AS name
  WHERE NOT pg_is_in_recovery() AND name <> :'me' AND name NOT IN (SELECT slot_name FROM pg_replication_slots)
SQL
}
