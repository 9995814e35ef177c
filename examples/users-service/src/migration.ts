/**
 * The role and the tables of the service, made at its start. Two instances that start at once take turns.
 */
import pg from 'pg'
import { escapeIdentifier, escapeLiteral } from 'pg'
import type { Router } from 'pg-failover-lab/router'
import type { Configuration } from './configuration.ts'

/** Named as no other: whoever explores the cluster may have a table `users` of their own. */
export const SCHEMA = 'users_service'

const VERSION = 1

/** Any number, the same for all who do this. */
const LOCK = 7_205_759_403_792

// The number is for pages and for the activity log. It is no name: a failover that loses rows can give a number twice.
const TABLES = `
  CREATE TABLE IF NOT EXISTS ${SCHEMA}.users (
    id uuid PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    name text NOT NULL,
    email text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
  );
  CREATE UNIQUE INDEX IF NOT EXISTS users_email ON ${SCHEMA}.users (lower(email));
  CREATE TABLE IF NOT EXISTS ${SCHEMA}.idempotency_keys (
    owner text NOT NULL,
    key text NOT NULL,
    fingerprint text NOT NULL,
    user_id uuid NOT NULL REFERENCES ${SCHEMA}.users (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner, key)
  );
  CREATE INDEX IF NOT EXISTS idempotency_keys_created_at ON ${SCHEMA}.idempotency_keys (created_at);
  CREATE OR REPLACE FUNCTION ${SCHEMA}.notify_user() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    PERFORM pg_notify('${SCHEMA}', NEW.id::text);
    RETURN NULL;
  END $$;
  CREATE TABLE IF NOT EXISTS ${SCHEMA}.version (version int PRIMARY KEY);
  INSERT INTO ${SCHEMA}.version VALUES (${VERSION}) ON CONFLICT DO NOTHING;`

// Only where somebody listens: a commit with a notification takes a lock that all such commits share.
const TRIGGER = `CREATE OR REPLACE TRIGGER notify_user AFTER INSERT ON ${SCHEMA}.users
  FOR EACH ROW EXECUTE FUNCTION ${SCHEMA}.notify_user()`

/** Makes what is missing. @throws RouterError NO_PRIMARY; what the server says */
export async function migrate(router: Router, { database, hasActivityLog }: Configuration): Promise<void> {
  if (database.admin !== undefined)
    await makeRole(await router.primary({ timeoutMs: database.findPrimaryMs }), database)
  await router.transaction(async client => {
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK])
    await client.query(TABLES)
    if (hasActivityLog) await client.query(TRIGGER)
  })
}

/** Whether the tables are there as this service knows them: on a standby, while there is no primary. */
export async function isMigrated(router: Router): Promise<boolean> {
  const { rowCount } = await router.read(`SELECT FROM ${SCHEMA}.version WHERE version = $1`, [VERSION])
  return rowCount === 1
}

/** The service's own role can make no role, so an administrator's connection does, once. */
async function makeRole(
  primary: string,
  { name, account, admin, statementTimeoutMs }: Configuration['database'],
): Promise<void> {
  const { hostname: host, port } = new URL(`postgresql://${primary}`)
  const limits = { connectionTimeoutMillis: statementTimeoutMs, query_timeout: statementTimeoutMs }
  const client = new pg.Client({ host, port: Number(port), database: name, ...admin, ...limits })
  client.on('error', () => undefined) // told by the statement under way
  await client.connect()
  try {
    await client.query('BEGIN')
    // A statement that fails is logged with its text, and here it would hold a password.
    await client.query('SET LOCAL log_min_error_statement = panic; SET LOCAL log_statement = none').catch(async () => {
      await client.query('ROLLBACK; BEGIN') // that is a superuser's to set
    })
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK])
    await client.query(roleSql(account))
    await client.query('COMMIT')
  } finally {
    await client.end()
  }
}

function roleSql({ user, password }: Configuration['database']['account']): string {
  const role = escapeIdentifier(user)
  return `
    DO $do$ BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ${escapeLiteral(user)}) THEN CREATE ROLE ${role}; END IF;
    END $do$;
    ALTER ROLE ${role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD ${escapeLiteral(password)};
    CREATE SCHEMA IF NOT EXISTS ${SCHEMA} AUTHORIZATION ${role};`
}
