/**
 * pg, a Pool that is only asked with pool.query(); a transaction takes a connection.
 */
import pg from 'pg'
import type { Target } from '../protocol.ts'
import { insertInto, type Subject } from '../subject.ts'
import { transact } from './pg-client.ts'

export const openDefault = ({ url, table }: Target): Subject => over(new pg.Pool({ connectionString: url }), table)

export function openMended({ url, table }: Target): Subject {
  // #region mended
  const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 2_000, query_timeout: 2_000 })
  pool.on('error', () => undefined) // without a listener an idle connection that ends takes the process with it
  // #endregion
  return over(pool, table)
}

const over = (pool: pg.Pool, table: string): Subject => ({
  write: (id, seconds) => pool.query(insertInto(table), [id, seconds]),
  transaction: async (id, seconds) => {
    const client = await pool.connect()
    let failure: Error | undefined
    try {
      await transact(client, { table, id, seconds })
    } catch (error) {
      failure = error as Error
      throw error
    } finally {
      client.release(failure)
    }
  },
})
