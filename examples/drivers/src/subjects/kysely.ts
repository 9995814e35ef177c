/**
 * Kysely over pg's Pool.
 */
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { givesUp } from '../gives-up.ts'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'

export function openDefault({ url, table }: Target): Subject {
  const pool = new pg.Pool({ connectionString: url })
  return writing(new Kysely({ dialect: new PostgresDialect({ pool }) }), table)
}

export function openMended({ url, table }: Target): Subject {
  // #region mended
  const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 2_000 })
  pool.on('error', () => undefined)
  pool.on('connect', givesUp)
  const db = new Kysely<object>({ dialect: new PostgresDialect({ pool }) })
  // #endregion
  return writing(db, table)
}

export const writing = (db: Kysely<object>, table: string): Subject => ({
  write: (id, seconds) => insert(table, id, seconds).execute(db),
  transaction: (id, seconds) =>
    db.transaction().execute(async tx => {
      await insert(table, id, 0).execute(tx)
      await sql`SELECT pg_sleep(${seconds})`.execute(tx)
    }),
})

const insert = (table: string, id: string, seconds: number) =>
  sql`INSERT INTO ${sql.id(table)} (id) SELECT ${id} FROM pg_sleep(${seconds})`
