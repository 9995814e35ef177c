/**
 * Knex over pg, with its own pool.
 */
import knex, { type Knex } from 'knex'
import type { Client } from 'pg'
import { givesUp } from '../gives-up.ts'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'

export const openDefault = ({ url, table }: Target): Subject => writing(knex({ client: 'pg', connection: url }), table)

export function openMended({ url, table }: Target): Subject {
  // #region mended
  const db = knex({
    client: 'pg',
    connection: { connectionString: url, connectionTimeoutMillis: 2_000 },
    pool: {
      min: 0, // by default two connections are kept, however long nobody needs them
      afterCreate: (client: Client, done: (error: Error | null, client: Client) => void) => {
        givesUp(client)
        done(null, client)
      },
    },
  })
  // #endregion
  return writing(db, table)
}

export const writing = (db: Knex, table: string): Subject => ({
  write: async (id, seconds) => {
    await db.raw(INSERT, [table, id, seconds])
  },
  transaction: (id, seconds) =>
    db.transaction(async tx => {
      await tx.raw(INSERT, [table, id, 0])
      await tx.raw('SELECT pg_sleep(?)', [seconds])
    }),
})

const INSERT = 'INSERT INTO ?? (id) SELECT ? FROM pg_sleep(?)'
