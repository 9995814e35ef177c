/**
 * Drizzle over pg's Pool.
 */
import { sql } from 'drizzle-orm'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { givesUp } from '../gives-up.ts'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'

export const openDefault = ({ url, table }: Target): Subject => writing(drizzle(url), table)

export function openMended({ url, table }: Target): Subject {
  // #region mended
  const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 2_000 })
  pool.on('error', () => undefined)
  pool.on('connect', givesUp)
  const db = drizzle(pool)
  // #endregion
  return writing(db, table)
}

export const writing = (db: NodePgDatabase, table: string): Subject => ({
  write: (id, seconds) => db.execute(insert(table, id, seconds)),
  transaction: (id, seconds) =>
    db.transaction(async tx => {
      await tx.execute(insert(table, id, 0))
      await tx.execute(sql`SELECT pg_sleep(${seconds})`)
    }),
})

const insert = (table: string, id: string, seconds: number) =>
  sql`INSERT INTO ${sql.identifier(table)} (id) SELECT ${id} FROM pg_sleep(${seconds})`
