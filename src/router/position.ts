/**
 * Where a server is before and after a statement, asked over the same connection and at the same time.
 */
import type pg from 'pg'
import { parseLsn, type Lsn } from '../postgres/lsn.ts'
import { serverErrorOf } from '../postgres/sqlstate.ts'

export interface Limit {
  /** How long it may take, in milliseconds. @default statementTimeoutMs of the router */
  readonly query_timeout?: number | undefined
}

// With synchronous_commit = off the commit record may not be on disk yet; else all before the answer is, and what is inserted
// behind it by others need not be waited for.
const WHERE_NOW = {
  name: 'router position',
  text: `SELECT flushed, (CASE WHEN flushed THEN pg_current_wal_flush_lsn() ELSE pg_current_wal_insert_lsn() END)::text AS lsn
    FROM (SELECT current_setting('synchronous_commit') <> 'off' AS flushed) AS setting`,
}

const WHERE_BEFORE = { name: 'router position before', text: 'SELECT pg_current_wal_insert_lsn()::text AS lsn' }

interface WhereRow {
  readonly flushed: boolean
  readonly lsn: string
}

/** Where the server is by its own answers; undefined where it gave none. */
export interface Whereabouts {
  readonly where: WhereRow | undefined
  readonly before: Lsn | undefined
  readonly sentAt: number
}

/**
 * The answer to a statement, and where the server is after it; before it, too, where nothing fresh is known. All is sent at once
 * where node-postgres can do that (`pipeline`), so it costs no round trip.
 */
export async function positioned<T>(
  client: pg.PoolClient,
  statement: () => Promise<T>,
  { isFresh, limit = {} }: { readonly isFresh: boolean; readonly limit?: Limit },
): Promise<Whereabouts & { readonly result: T }> {
  const sentAt = performance.now()
  // In a pipeline node-postgres ends the connection at the first question that is not answered in time, and what is behind it hears
  // of that end only.
  let firstSilence: unknown
  // The write is acknowledged also where this has no answer.
  const ask = async <R extends pg.QueryResultRow>(question: pg.QueryConfig): Promise<R | undefined> => {
    const given = await client.query<R>({ ...question, ...limit }).catch((error: unknown) => {
      if (serverErrorOf(error) === undefined) firstSilence ??= error
    })
    return given?.rows[0]
  }
  const askBefore = async (): Promise<Lsn | undefined> => {
    const row = isFresh ? undefined : await ask<{ lsn: string }>(WHERE_BEFORE)
    return row === undefined ? undefined : parseLsn(row.lsn)
  }
  if (!(client.pipeline as boolean | undefined)) {
    const before = await askBefore()
    return { before, result: await statement(), where: await ask<WhereRow>(WHERE_NOW), sentAt }
  }
  const [before, result, where] = await Promise.all([
    askBefore(),
    statement().catch((error: unknown) => {
      throw firstSilence !== undefined && serverErrorOf(error) === undefined ? firstSilence : error
    }),
    ask<WhereRow>(WHERE_NOW),
  ])
  return { before, result, where, sentAt }
}
