/**
 * pg, a Pool with connect() and release(), as most examples have it: release() is not told of an error.
 */
import pg from 'pg'
import { givesUp } from '../gives-up.ts'
import type { Target } from '../protocol.ts'
import { insertInto, type Subject } from '../subject.ts'
import { transact } from './pg-client.ts'

/** With a listener wherever an error would end the process: else nothing more could be seen of it. */
export function openDefault({ url, table }: Target): Subject {
  const pool = new pg.Pool({ connectionString: url })
  pool.on('error', () => undefined)
  pool.on('connect', client => void client.on('error', () => undefined))
  return over(pool, table)
}

export function openMended({ url, table }: Target): Subject {
  // #region mended
  const pool = new pg.Pool({ connectionString: url, connectionTimeoutMillis: 2_000 })
  pool.on('error', () => undefined)
  pool.on('connect', givesUp)
  // #endregion
  return over(pool, table)
}

const over = (pool: pg.Pool, table: string): Subject => ({
  write: (id, seconds) => taken(pool, client => client.query(insertInto(table), [id, seconds])),
  transaction: (id, seconds) => taken(pool, client => transact(client, { table, id, seconds })),
})

async function taken<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    return await work(client)
  } finally {
    client.release()
  }
}
