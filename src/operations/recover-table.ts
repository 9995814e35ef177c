/**
 * Getting back a table that was dropped by mistake: copied from a standby which has not applied the drop yet, to the primary.
 * Columns, rows, owner, keys, checks and indexes come back. What pg_dump would bring as well does not: defaults, identity
 * and generated columns (they come back as plain ones), foreign keys, triggers, privileges.
 */
import { codeOf, LabError, throwIfInterrupted } from '../errors.ts'
import type { Session } from '../postgres/connection.ts'
import type { Cluster } from '../cluster/cluster.ts'

export interface RecoverTableOptions {
  /** As in SQL: `orders`, `shop."Orders"`. */
  readonly table: string
  /** The standby that still has it. Its replay should be paused before the drop, or that comes in the middle. */
  readonly from: string
  /** Limit for each statement in milliseconds. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface RecoveredTable {
  readonly table: string
  readonly from: string
  readonly to: string
  readonly rows: number
}

/**
 * Makes the table anew on the primary, with the rows that the standby has, in one transaction.
 * @throws LabError USAGE when the standby has no such table, or the primary has one; NOT_READY when the drop's lock is applied already; NO_PRIMARY, UNREACHABLE, INTERRUPTED
 * @example
 * ```ts
 * await recoverTable(cluster, { table: 'public.orders', from: 'replica2', timeoutMs: 60_000 })
 * ```
 */
export async function recoverTable(cluster: Cluster, options: RecoverTableOptions): Promise<RecoveredTable> {
  const { table, signal } = options
  const from = cluster.node(options.from).name
  const { name: to } = await cluster.primary(signal)
  await using source = await cluster.connect(from, { as: 'superuser', signal })
  await using target = await cluster.connect(to, { as: 'superuser', signal })
  await source.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
  const definition = await readDefinition(source, { table, from })
  // Without COMMIT the connection's end undoes it all.
  await target.query('BEGIN')
  cluster.emit({ kind: 'sql', node: to, text: definition.create })
  await target.query(definition.create).catch((error: unknown) => {
    throw codeOf(error) === DUPLICATE_TABLE ? thereAlready(table, to, error) : error
  })
  cluster.emit({ kind: 'progress', text: `copying ${table} from ${from} to ${to}` })
  const rows = await copyRows(source, target, { ...options, name: definition.name })
  for (const statement of definition.afterwards) {
    cluster.emit({ kind: 'sql', node: to, text: statement })
    await target.query(statement, [], options)
  }
  await target.query('COMMIT', [], options)
  return { table, from, to, rows }
}

interface Definition {
  readonly name: string
  readonly create: string
  /** Faster when the rows are there than before. */
  readonly afterwards: readonly string[]
}

async function readDefinition(
  source: Session,
  { table, from }: { readonly table: string; readonly from: string },
): Promise<Definition> {
  const [definition] = await source.query<Definition>(DEFINITION, [table])
  if (definition !== undefined) return definition
  throw new LabError('USAGE', `${from} has no table ${table}`, {
    hint: 'Either the drop has been applied there, or it never was there: pnpm run psql shows what is.',
  })
}

const DEFINITION = `
SELECT name, format('CREATE TABLE %s (%s)', name, columns) AS create,
  array_cat(ARRAY[format('ALTER TABLE %s OWNER TO %I', name, owner)], array_cat(
    ARRAY(SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', name, conname, pg_get_constraintdef(oid)) FROM pg_constraint
      WHERE conrelid = t.oid AND contype IN ('p', 'u', 'c') ORDER BY contype, conname),
    ARRAY(SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = t.oid
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND conrelid = t.oid)))) AS afterwards
FROM (
  SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, pg_get_userbyid(c.relowner) AS owner,
    (SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END,
      ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1) AND c.relkind = 'r'
) t`

const DUPLICATE_TABLE = '42P07'

const thereAlready = (table: string, to: string, cause: unknown): LabError =>
  new LabError('USAGE', `${to} has a table ${table} already`, {
    hint: 'Rename it, or drop it, first.',
    cause,
  })

/** Rows travel as text, one value a row, so that every type comes over as COPY would write it. */
async function copyRows(
  source: Session,
  target: Session,
  { name, from, timeoutMs, signal }: RecoverTableOptions & { readonly name: string },
): Promise<number> {
  await source.query(`SET LOCAL lock_timeout TO ${LOCK_TIMEOUT_MS}`)
  await source
    .query(`DECLARE rows NO SCROLL CURSOR FOR SELECT t::text AS row FROM ONLY ${name} AS t`)
    .catch((error: unknown) => {
      throw codeOf(error) === LOCK_NOT_AVAILABLE ? locked(name, from, error) : error
    })
  for (let copied = 0; ;) {
    throwIfInterrupted(signal)
    const rows = await source.query<{ row: string }>(`FETCH ${BATCH} FROM rows`, [], { timeoutMs })
    if (rows.length === 0) return copied
    const insert = `INSERT INTO ${name} SELECT (row).* FROM (SELECT unnest($1::text[])::${name} AS row) AS given`
    await target.query(insert, [rows.map(({ row }) => row)], { timeoutMs })
    copied += rows.length
  }
}

const BATCH = 5000

/** Nobody but replay itself takes a lock on a standby that a reader has to wait for. */
const LOCK_TIMEOUT_MS = 1000
const LOCK_NOT_AVAILABLE = '55P03'

/** Only commits are delayed: the drop's lock is applied as soon as the commit before it is, and kept until its own is. */
const locked = (name: string, from: string, cause: unknown): LabError =>
  new LabError(
    'NOT_READY',
    `${name} cannot be read on ${from}: the lock of its drop is applied there, and its commit is not`,
    {
      hint: `Restart ${from} with recovery_target_time before the drop and recovery_target_action=promote, apart from the others, and copy it from there.`,
      cause,
    },
  )
