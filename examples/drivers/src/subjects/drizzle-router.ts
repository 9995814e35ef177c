/**
 * Drizzle over the pool of pg-failover-lab/router.
 */
import { drizzle } from 'drizzle-orm/node-postgres'
import { createRouter } from 'pg-failover-lab/router'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'
import { writing } from './drizzle.ts'

export const openDefault = ({ nodeUrls, table }: Target): Subject =>
  writing(drizzle(createRouter({ connectionStrings: nodeUrls }).pool('write')), table)

export function openMended({ nodeUrls, table }: Target): Subject {
  // #region mended
  const router = createRouter({ connectionStrings: nodeUrls, query_timeout: 2_000 })
  const db = drizzle(router.pool('write'))
  // #endregion
  return writing(db, table)
}
