# Sourced. May this node start writable? The rule for shell; that for TypeScript is src/postgres/start-writable.ts.
#
# A former primary (data without standby.signal) starts read-only, so that its peers can ask it, and asks every node, standbys
# too, for its history: system identifier, timeline and its ancestors, and how far it goes. Then it
#
#   goes on as the primary   when none has a newer history, and a majority of the compose file's nodes, itself included, has
#                            been seen; or all of them, those without data counted
#   becomes a standby        when the primary, or the newest history, contains its own
#   stays read-only          otherwise: its log says why, and it looks again. SELECT pg_promote() ends that.
#
# The newer of two histories has the higher timeline, or goes further on the same. Two nodes that decide at once must not both
# go on, and while its server starts anew a node cannot be seen: so it first takes the vote of every node that answers (a
# temporary slot, of which there can be one), looks again, and holds the votes until it is seen as the primary. Two majorities
# have a node in common.
#
# It goes on by a start without standby.signal, on the timeline that it had. pg_promote would begin one at each restart of the
# cluster, and two nodes may choose the same number for theirs.
# shellcheck shell=bash

# Returns when it is settled as what the server starts, and nothing runs.
settle_role() {
  local verdict told=''
  become_reader "$@"
  while kill -0 "$READER" 2>/dev/null; do
    verdict=$(decide)
    [ "$verdict" = "$told" ] || say "it was the primary: ${verdict:-it asks its peers}"
    told=$verdict
    case $verdict in
      'it goes on'*) ! go_on "$@" || return 0 ;;
      'it becomes a standby'*)
        end_reader INT
        : >"$PGDATA/standby.signal"
        return 0
        ;;
      'it was promoted'*) break ;;
    esac
    sleep "0.$((RANDOM % 5 + 3))" # between two looks; not in step with another node that starts now
  done
  local code=0
  wait "$READER" || code=$?
  exit "$code"
}

# A standby of nobody. PostgreSQL takes any standby.signal; that of a fenced node, or of a standby, is empty. So the data says
# what it is, whatever ends this server, and a fence remains one.
become_reader() {
  echo 'a former primary' >"$PGDATA/standby.signal.new"
  mv "$PGDATA/standby.signal.new" "$PGDATA/standby.signal"
  set -m # a group of its own: the image's entrypoint, a shell, would not end by a signal that its child does not get
  serve "$@" "${READER_SETTINGS[@]}" &
  READER=$!
  set +m
  trap 'end_reader INT; exit 0' INT TERM
  trap 'end_reader QUIT; exit 0' QUIT
}
# current: the timeline of pg_control. `latest` may be one that it has heard of, and cannot follow. Nothing comes for which it
# would have to look ten times a second.
READER_SETTINGS=(--primary_conninfo= --recovery_target_timeline=current --wal_retrieve_retry_interval=1h --lab.waits=on)
is_reader() { [ -s "$PGDATA/standby.signal" ]; }

end_reader() {
  kill "-$1" -- "-$READER" 2>/dev/null || true
  wait "$READER" || true
}

# What is to be done, and why, in one line; nothing while its own server does not answer.
decide() {
  local system timeline position history seen=0 node best='' best_rank='' rank
  look_at "$NODE_NAME" || return 0
  [ "$ROLE" = standby ] || { echo 'it was promoted' && return; }
  system=$SYSTEM timeline=$TIMELINE position=$POSITION
  for node in ${CLUSTER_NODES//,/ }; do
    [ "$node" = "$NODE_NAME" ] || { look_at "$node" && [ "$SYSTEM" = "$system" ]; } || continue
    ! is_elector "$node" || seen=$((seen + 1))
    [ "$node" != "$NODE_NAME" ] || continue
    rank=$(rank "$ROLE" "$TIMELINE" "$POSITION")
    if [[ $rank > $best_rank ]]; then best=$node best_rank=$rank; fi
  done
  if [[ $best_rank > $(rank standby "$timeline" "$position") ]]; then
    history=$(history_of "$NODE_NAME" "$timeline")
    if contains "$best"; then
      echo "it becomes a standby: the history of $best contains its own"
    else
      echo "it stays read-only: $best has a history that does not contain its own; pnpm run up or pnpm run rejoin $NODE_NAME brings it back"
    fi
  elif is_enough "$seen"; then
    echo "it goes on: no newer history among the $seen nodes that it has seen"
  else
    echo "it stays read-only until it has seen a majority of $ELECTORATE; SELECT pg_promote() would not wait"
  fi
}

# Sets SYSTEM, TIMELINE, POSITION and ROLE as the node says them. A server that opens read-only has replayed what it has: one
# that was the primary does so first, and a standby must have been as far once. So nobody is taken for older than it is.
look_at() {
  local answer
  answer=$(ask_node "$1" -c IDENTIFY_SYSTEM -c 'SHOW in_hot_standby' 2>/dev/null) || return 1
  IFS='|' read -r SYSTEM TIMELINE POSITION _ <<<"$answer"
  POSITION=$(position "$POSITION") ROLE=standby
  [ "${answer##*$'\n'}" = on ] || ROLE=primary
}

# To be compared as texts. A primary is before all others, even when its history is older: nobody is to write beside it.
rank() { printf '%s %010d %020d' "$([ "$1" = primary ] && echo 1 || echo 0)" "$2" "$3"; }

# An LSN as a number.
position() { echo $(((16#${1%/*} << 32) + 16#${1#*/})); }

# The ancestors of a timeline as the node knows them, a line each: its number, and where it was left.
history_of() {
  [ "$2" = 1 ] || ask_node "$1" -c "TIMELINE_HISTORY $2" | sed '1s/^[^|]*|//' | awk '$2 ~ "/" { print $1, $2 }'
}

# Whether the history of that node is this one's, and goes on from its end. Not on the same timeline: that has one primary, so
# another one has begun a timeline of the same number, perhaps at the same place, and PostgreSQL could not tell them apart.
contains() {
  local theirs fork
  look_at "$1" && [ "$TIMELINE" != "$timeline" ] || return 1
  theirs=$(history_of "$1" "$TIMELINE")
  fork=$(awk -v of="$timeline" '$1 == of { print $2 }' <<<"$theirs")
  [ "$(awk -v of="$timeline" '$1 == of { exit } { print }' <<<"$theirs")" = "$history" ] &&
    [ -n "$fork" ] && [ "$(position "$fork")" -ge "$position" ]
}

is_elector() { [[ ,$ELECTORATE, = *,$1,* ]]; }

is_enough() {
  local electors
  electors=$(wc -w <<<"${ELECTORATE//,/ }")
  [ "$1" -gt $((electors / 2)) ] || [ $(($1 + $(nodes_without_data))) = "$electors" ]
}
# They say so while they wait for a primary to clone. See say_empty.
nodes_without_data() {
  psql --no-psqlrc -Atqw -U "$POSTGRES_USER" -d postgres -c "SELECT count(DISTINCT application_name) FROM pg_stat_activity
    WHERE application_name = ANY (string_to_array('empty:${ELECTORATE//,/,empty:}', ','))"
}

go_on() {
  take_votes && [[ $(decide) = 'it goes on'* ]] || { release_votes && return 1; }
  end_reader INT
  if holds_votes; then
    rm "$PGDATA/standby.signal"
    (release_when_primary &)
  else # a node that gave its vote has been started anew meanwhile, and may give it to another
    release_votes
    become_reader "$@"
    return 1
  fi
}

# Each is held by a psql, for as long as the folder is there. None is a child of this shell: the server that it becomes must
# have no children of others.
take_votes() {
  local node
  VOTES=$(mktemp -d)
  look_at "$NODE_NAME" || return 1
  for node in ${CLUSTER_NODES//,/ }; do
    touch "$VOTES/$node.asked"
    (hold_vote "$node" "$((TIMELINE + 1))" </dev/null >/dev/null 2>&1 &)
    # Between two looks: psql tells through files alone, and its connect_timeout ends the wait.
    until [ -e "$VOTES/$node" ] || [ ! -e "$VOTES/$node.asked" ]; do sleep 0.02; done
    [ -e "$VOTES/$node" ] || { [ "$node" != "$NODE_NAME" ] && ! ask_node "$node" -c IDENTIFY_SYSTEM >/dev/null 2>&1; } || return 1
    # A standby that has not replayed the beginning of a newer timeline, or cannot, may know of it: then a promotion has been.
    [ "$node" = "$NODE_NAME" ] || [ ! -s "$VOTES/$node.newer" ] || { say "$node knows of a newer timeline" && return 1; }
  done
}
# The slot comes last: an error of a replication command drops the temporary ones of its session. It lasts as long as the session,
# which sleeps between two looks at whether the folder is still there.
hold_vote() {
  ask_node "$1" -c "\\o $VOTES/$1.newer" -c "TIMELINE_HISTORY $2" -c '\o' -c '\set ON_ERROR_STOP on' \
    -c 'CREATE_REPLICATION_SLOT start_writable TEMPORARY PHYSICAL' \
    -c "\\! touch '$VOTES/$1'; while [ -e '$VOTES' ]; do sleep 0.1; done" || true
  rm -f "$VOTES/$1.asked"
}
holds_votes() {
  local node
  for node in ${CLUSTER_NODES//,/ }; do
    [ "$node" = "$NODE_NAME" ] || [ ! -e "$VOTES/$node" ] ||
      [ "$(ask_node "$node" -c 'READ_REPLICATION_SLOT start_writable' 2>/dev/null)" != '||' ] || return 1
  done
}
release_votes() { rm -rf "$VOTES"; }
release_when_primary() { # between two questions: nothing tells a shell that a server has become the primary
  until [ "$SECONDS" -gt 60 ] || { look_at "$NODE_NAME" && [ "$ROLE" = primary ]; }; do sleep 0.1; done
  release_votes
}
