/**
 * MikroORM 6, which is over Knex and pg.
 */
import { MikroORM, type SqlEntityManager } from '@mikro-orm/postgresql'
import type { Client } from 'pg'
import { givesUp } from '../gives-up.ts'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'

const noEntities = { entities: [], discovery: { warnWhenNoEntities: false } }

export async function openDefault({ url, table }: Target): Promise<Subject> {
  return over((await MikroORM.init({ ...noEntities, clientUrl: url })).em, table)
}

export async function openMended({ url, table }: Target): Promise<Subject> {
  // #region mended
  const orm = await MikroORM.init({
    ...noEntities,
    clientUrl: url,
    driverOptions: { connection: { connectionTimeoutMillis: 2_000 } },
    pool: {
      min: 0,
      afterCreate: (...[client, done]: unknown[]) => {
        givesUp(client as Client)
        ;(done as (error: Error | null, client: unknown) => void)(null, client)
      },
    },
  })
  // #endregion
  return over(orm.em, table)
}

const over = (em: SqlEntityManager, table: string): Subject => ({
  write: (id, seconds) => em.fork().execute(insertInto(table), [id, seconds]),
  transaction: (id, seconds) =>
    em.fork().transactional(async tx => {
      await tx.execute(insertInto(table), [id, 0])
      await tx.execute('SELECT pg_sleep(?)', [seconds])
    }),
})

const insertInto = (table: string): string => `INSERT INTO ${table} (id) SELECT ? FROM pg_sleep(?)`
