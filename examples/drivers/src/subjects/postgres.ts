/**
 * postgres.js, one address.
 */
import postgres from 'postgres'
import type { Target } from '../protocol.ts'
import { insertInto, type Subject } from '../subject.ts'

export function openDefault({ url, table }: Target): Subject {
  const sql = postgres(url)
  return writing(table, work => work(sql))
}

export function openMended({ url, table }: Target): Subject {
  // #region mended
  // What it asks of a new connection, its types, rejects without anybody to hear it when the connection is ended then.
  const open = (): postgres.Sql => postgres(url, { connect_timeout: 2, fetch_types: false })
  let current = open()
  /** It has no limit for a query, and keeps a session whatever it answers: both are reasons to begin again with a new pool. */
  async function withSql<T>(work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
    const sql = current
    const giveUp = (): void => {
      if (current === sql) current = open()
      void sql.end({ timeout: 0 }).catch(() => undefined) // what still waits there rejects with CONNECTION_DESTROYED
    }
    const limit = setTimeout(giveUp, 2_000)
    try {
      return await work(sql)
    } catch (error) {
      if (error instanceof postgres.PostgresError && error.code === '25006') giveUp()
      throw error
    } finally {
      clearTimeout(limit)
    }
  }
  // #endregion
  return writing(table, withSql)
}

type WithSql = <T>(work: (sql: postgres.Sql) => Promise<T>) => Promise<T>

export function writing(table: string, withSql: WithSql): Subject {
  return {
    write: (id, seconds) => withSql(async sql => sql.unsafe(insertInto(table), [id, seconds])),
    transaction: (id, seconds) =>
      withSql(async sql =>
        sql.begin(async tx => {
          await tx.unsafe(insertInto(table), [id, 0])
          await tx`SELECT pg_sleep(${seconds})`
        }),
      ),
  }
}
