/**
 * Drizzle's withReplicas: each read goes to a standby, by chance.
 */
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { pgTable, text, withReplicas } from 'drizzle-orm/pg-core'
import pg from 'pg'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'

export const openDefault = (target: Target): Subject => over(target, url => drizzle(url))

export function openMended(target: Target): Subject {
  // #region mended
  const open = (connectionString: string): NodePgDatabase => {
    const pool = new pg.Pool({ connectionString, connectionTimeoutMillis: 1_000, query_timeout: 1_000 })
    pool.on('error', () => undefined)
    return drizzle(pool)
  }
  // #endregion
  return over(target, open)
}

function over({ url, standbyUrls, table }: Target, open: (url: string) => NodePgDatabase): Subject {
  const [first = url, ...others] = standbyUrls
  const db = withReplicas(open(url), [open(first), ...others.map(open)])
  const rows = pgTable(table, { id: text() })
  return { read: () => db.select().from(rows).limit(1) }
}
