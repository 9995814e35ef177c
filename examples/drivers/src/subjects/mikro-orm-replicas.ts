/**
 * MikroORM's replicas: each read goes to a standby, by chance.
 */
import { MikroORM, type SqlEntityManager } from '@mikro-orm/postgresql'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'

const noEntities = { entities: [], discovery: { warnWhenNoEntities: false } }

export async function openDefault({ url, standbyUrls }: Target): Promise<Subject> {
  const replicas = standbyUrls.map(clientUrl => ({ clientUrl }))
  return over((await MikroORM.init({ ...noEntities, clientUrl: url, replicas })).em)
}

export async function openMended({ url, standbyUrls }: Target): Promise<Subject> {
  // #region mended
  const orm = await MikroORM.init({
    ...noEntities,
    clientUrl: url,
    replicas: standbyUrls.map(clientUrl => ({ clientUrl })),
    driverOptions: { connection: { connectionTimeoutMillis: 1_000, query_timeout: 1_000 } },
  })
  // #endregion
  return over(orm.em)
}

const over = (em: SqlEntityManager): Subject => ({
  read: () => em.fork().getConnection('read').execute('SELECT 1'),
})
