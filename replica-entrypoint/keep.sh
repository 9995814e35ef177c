#!/usr/bin/env bash
# keep.sh copy|move TEXT — keeps a stopped node's data as it is, with TEXT beside it, before a rewind (copy) or a clone (move)
# takes it away. One generation: what was kept before goes. See src/operations/salvage/keep.ts.
set -euo pipefail
volume=$(dirname "$PGDATA")
kept=$volume/kept
partial=$volume/kept.partial
rm -rf "$partial"
trap 'rm -rf "$partial"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -m 700 "$partial"
printf '%s\n' "$2" >"$partial/kept.json"
if [ "$1" = copy ]; then
  # A copy takes no room where the file system can share blocks. Only GNU's cp is asked for that.
  cp -a --reflink=auto "$PGDATA" "$partial/data" 2>/dev/null || { rm -rf "$partial/data" && cp -pPR "$PGDATA" "$partial/data"; }
fi
rm -rf "$kept"
mv "$partial" "$kept"
if [ "$1" = move ]; then
  touch "$volume/clone-anew"
  mv "$PGDATA" "$kept/data"
fi
# It names a process that has nothing to do with this data.
rm -f "$kept/data/postmaster.pid"
