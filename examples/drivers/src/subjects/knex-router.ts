/**
 * Knex over the pool of pg-failover-lab/router.
 */
import knex from 'knex'
import { createRouter } from 'pg-failover-lab/router'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'
import { writing } from './knex.ts'

export const openDefault = ({ nodeUrls, table }: Target): Subject => {
  const router = createRouter({ connectionStrings: nodeUrls })
  return writing(knex({ client: 'pg', connectionPool: router.pool('write') }), table)
}

export function openMended({ nodeUrls, table }: Target): Subject {
  // #region mended
  const router = createRouter({ connectionStrings: nodeUrls, query_timeout: 2_000 })
  const db = knex({ client: 'pg', connectionPool: router.pool('write') })
  // #endregion
  return writing(db, table)
}
