# Sourced. What the lab's own sessions rely on, whatever ALTER ROLE and ALTER DATABASE say: the rule for shell.
# For TypeScript it is src/postgres/own-sessions.ts. Not for servers, whose WAL receivers would hand it on, nor for
# pg_basebackup, which would write it into primary_conninfo: replication commands heed none of it.
# shellcheck shell=bash
PGOPTIONS='-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0'
PGOPTIONS+=' -c default_transaction_read_only=off -c default_transaction_isolation=read\ committed -c role=none'
PGOPTIONS+=' -c DateStyle=ISO -c IntervalStyle=postgres -c bytea_output=hex -c extra_float_digits=1'
export PGOPTIONS+=' -c standard_conforming_strings=on'
