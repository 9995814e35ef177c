#!/usr/bin/env bash
# The last script: until this file is gone, a start makes the database anew. See replica-entrypoint/entrypoint.sh.
rm -f "$(dirname "$PGDATA")/initialising"
