/**
 * What the lab's own sessions rely on, whatever ALTER ROLE and ALTER DATABASE say; replica-entrypoint/sessions.sh has it for
 * shell. synchronous_commit and search_path are not in it: what a user has set there is what is to be seen.
 * https://www.postgresql.org/docs/current/runtime-config-client.html
 */
const OWN_SETTINGS = {
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  default_transaction_read_only: 'off',
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  role: 'none',
  client_min_messages: 'notice',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  standard_conforming_strings: 'on',
} as const

/** For the startup message, where they outrank those of the role and the database. A space in a value needs a backslash. */
export const OWN_OPTIONS = Object.entries(OWN_SETTINGS)
  .map(([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`)
  .join(' ')

/** Undefined before PostgreSQL 17, which does not know it, and would refuse the connection. */
export const ownTimeout = (serverVersion: string): string | undefined =>
  Number.parseInt(serverVersion, 10) < 17 ? undefined : 'SET transaction_timeout TO 0'
