/**
 * TypeORM's replication: queries that only read go to a slave, as it calls a standby, by chance.
 */
import { DataSource } from 'typeorm'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'

export async function openDefault({ url, standbyUrls, table }: Target): Promise<Subject> {
  const replication = { master: { url }, slaves: standbyUrls.map(standby => ({ url: standby })) }
  return over(await new DataSource({ type: 'postgres', replication }).initialize(), table)
}

export async function openMended({ url, standbyUrls, table }: Target): Promise<Subject> {
  // #region mended
  const dataSource = new DataSource({
    type: 'postgres',
    replication: { master: { url }, slaves: standbyUrls.map(standby => ({ url: standby })) },
    extra: { connectionTimeoutMillis: 1_000, query_timeout: 1_000 },
  })
  await dataSource.initialize()
  // #endregion
  return over(dataSource, table)
}

const over = (dataSource: DataSource, table: string): Subject => ({
  read: () => dataSource.createQueryBuilder().select('1').from(table, 't').limit(1).getRawMany(),
})
