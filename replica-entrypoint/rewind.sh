#!/usr/bin/env bash
# rewind.sh CONNINFO TIMELINES — makes a node, which must be stopped, a standby of the server at CONNINFO, in whose history are
# these TIMELINES and no others ("1 2 5").
# While the file clone-anew is there, a start clones the node instead of trusting its data: should this be interrupted,
# it starts neither from half-rewound data nor, for want of standby.signal, as a second primary.
set -euo pipefail
# shellcheck source=sessions.sh
. "${BASH_SOURCE%/*}/sessions.sh"
clone_anew=$(dirname "$PGDATA")/clone-anew
touch "$clone_anew"
# The lock file of a crashed server names a process id which another process may have by now (in a container: 1).
rm -f "$PGDATA/postmaster.pid"
# Crash recovery. pg_rewind would do that itself, but without the server's settings: the checkpoint at the end would then
# remove WAL that pg_rewind needs ("could not find previous WAL record"). Single-user mode refuses to recover a standby.
# mmap: what it shares is in PGDATA, and does not outlive it in /dev/shm when this is killed.
rm -f "$PGDATA/standby.signal"
postgres --single -F -D "$PGDATA" -c wal_keep_size=1GB -c log_min_messages=error \
  -c dynamic_shared_memory_type=mmap template1 </dev/null >/dev/null
pg_rewind --target-pgdata "$PGDATA" --source-server "$1" --no-sync
# It leaves segments of the timeline that was abandoned, and by their names that would be the newest one.
for segment in "$PGDATA"/pg_wal/*; do
  name=${segment##*/}
  [[ $name =~ ^[0-9A-F]{24}$ ]] || continue
  [[ " $2 " = *" $((16#${name:0:8})) "* ]] || rm "$segment"
done
touch "$PGDATA/standby.signal"
rm -f "$clone_anew"
