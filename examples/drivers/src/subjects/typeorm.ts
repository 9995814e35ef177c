/**
 * TypeORM over pg's Pool.
 */
import { DataSource } from 'typeorm'
import { givesUp } from '../gives-up.ts'
import type { Target } from '../protocol.ts'
import { insertInto, type Subject } from '../subject.ts'

export async function openDefault({ url, table }: Target): Promise<Subject> {
  return over(await new DataSource({ type: 'postgres', url }).initialize(), table)
}

export async function openMended({ url, table }: Target): Promise<Subject> {
  // #region mended
  const dataSource = new DataSource({
    type: 'postgres',
    url,
    extra: { connectionTimeoutMillis: 2_000, onConnect: givesUp },
  })
  await dataSource.initialize()
  // #endregion
  return over(dataSource, table)
}

const over = (dataSource: DataSource, table: string): Subject => ({
  write: (id, seconds) => dataSource.query(insertInto(table), [id, seconds]),
  transaction: (id, seconds) =>
    dataSource.transaction(async manager => {
      await manager.query(insertInto(table), [id, 0])
      await manager.query('SELECT pg_sleep($1)', [seconds])
    }),
})
