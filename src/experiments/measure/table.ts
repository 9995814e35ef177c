/**
 * The table that a measurement writes to: one of its own, in a schema that may be there already, and gone at the end.
 */
import { randomBytes } from 'node:crypto'
import { codeOf, isLabError, LabError, messageOf } from '../../errors.ts'
import { isLook, type NamedServers } from '../../client/named-servers.ts'
import { parseServer } from '../../measure/takeover.ts'
import type { Session } from '../../postgres/connection.ts'
import { serverErrorOf } from '../../postgres/sqlstate.ts'
import { met, notMet, waitUntil, type Condition } from '../../wait.ts'

export interface OwnTable {
  readonly schema: string
  /** As SQL has it. */
  readonly name: string
  /** The schema was not there before. */
  madeSchema: boolean
  /** It may be there. */
  isMade: boolean
}

export const ownTable = (schema: string): OwnTable => ({
  schema: identifier(schema),
  name: `${identifier(schema)}.measure_${randomBytes(4).toString('hex')}`,
  madeSchema: false,
  isMade: false,
})

/** https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS */
const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

/**
 * Makes it on the primary, where it is missing.
 * @throws LabError USAGE where the role may not
 */
export async function makeTable(servers: NamedServers, table: OwnTable, signal: AbortSignal): Promise<void> {
  const { name } = await servers.primary(signal)
  await using session = await servers.connect(name, { signal })
  try {
    // IF NOT EXISTS asks for the right to create one also where it is there.
    if (!(await hasSchema(session, table.schema))) {
      await session.query(`CREATE SCHEMA ${table.schema}`)
      table.madeSchema = true
    }
    table.isMade = true
    // No index: a client that wrote an id twice must be found out, not refused.
    const columns = 'run uuid NOT NULL, id integer NOT NULL, at timestamptz NOT NULL DEFAULT now()'
    await session.query(`CREATE TABLE IF NOT EXISTS ${table.name} (${columns})`)
  } catch (error) {
    if (codeOf(error) !== INSUFFICIENT_PRIVILEGE) throw error
    throw new LabError('USAGE', `${name} refused a table in schema ${table.schema}: ${messageOf(error)}`, {
      hint: `CREATE SCHEMA ${table.schema} AUTHORIZATION the role, or name with --schema one in which it may create tables.`,
      cause: error,
    })
  }
}

async function hasSchema(session: Session, schema: string): Promise<boolean> {
  const [row] = await session.query<{ there: boolean }>('SELECT to_regnamespace($1) IS NOT NULL AS there', [schema])
  return row?.there === true
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const INSUFFICIENT_PRIVILEGE = '42501'
const UNDEFINED_TABLE = '42P01'
const DEPENDENT_OBJECTS = '2BP01'

/** Every standby that is looked at has the table: a failover before that would take it away. */
export const replicatedTable = (servers: NamedServers, table: OwnTable): Condition<undefined> => ({
  what: 'the standbys to have the table',
  observe: async signal => {
    const looks = (await servers.lookAround(signal)).filter(isLook).filter(({ isInRecovery }) => isInRecovery)
    const have = await Promise.all(looks.map(({ node }) => hasTable(servers, table, { node, signal })))
    const missing = looks.filter((_, at) => have[at] === false).map(({ node }) => node)
    return missing.length === 0 ? met(undefined) : notMet(`${missing.join(', ')} has it not yet`)
  },
})

async function hasTable(
  servers: NamedServers,
  { name }: OwnTable,
  { node, signal }: { readonly node: string; readonly signal: AbortSignal },
): Promise<boolean> {
  await using session = await servers.connect(node, { signal })
  const [row] = await session.query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [name])
  return row?.there === true
}

/** What is left of it, and where; undefined where it is gone. Waits a while for somebody to accept writes. */
export async function dropTable(servers: NamedServers, table: OwnTable): Promise<string | undefined> {
  let where = 'the primary, which does not answer'
  try {
    const { name, server } = await waitUntil(accepting(servers), { timeoutMs: DROP_TIMEOUT_MS, intervalMs: 500 })
    where = `${name} (${parseServer(server).address ?? 'of unknown address'})`
    await using session = await servers.connect(name)
    // No wait for a standby that may be gone, and none behind a lock of a session that stands still.
    for (const setting of ['synchronous_commit TO local', "lock_timeout TO '5s'"]) await session.query(`SET ${setting}`)
    await session.query(`DROP TABLE IF EXISTS ${table.name}`)
    if (table.madeSchema) await dropSchema(session, table.schema)
    return undefined
  } catch (error) {
    return `table ${table.name} is left on ${where}: ${messageOf(error)}`
  }
}

const DROP_TIMEOUT_MS = 5_000

const accepting = (servers: NamedServers): Condition<{ readonly name: string; readonly server: string }> => ({
  what: 'a primary',
  observe: async signal => {
    try {
      return met(await servers.primary(signal))
    } catch (error) {
      if (!isLabError(error)) throw error
      return notMet(messageOf(error))
    }
  },
})

/** Not where somebody else has put something in it meanwhile. */
async function dropSchema(session: Session, schema: string): Promise<void> {
  try {
    await session.query(`DROP SCHEMA IF EXISTS ${schema}`)
  } catch (error) {
    if (codeOf(error) !== DEPENDENT_OBJECTS) throw error
  }
}

/** Every row is gone with a table that never came there. */
export const isMissingTable = (error: unknown): boolean => serverErrorOf(error)?.code === UNDEFINED_TABLE
