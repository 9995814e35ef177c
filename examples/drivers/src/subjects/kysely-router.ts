/**
 * Kysely over the pool of pg-failover-lab/router.
 */
import { Kysely, PostgresDialect } from 'kysely'
import { createRouter } from 'pg-failover-lab/router'
import type { Target } from '../protocol.ts'
import type { Subject } from '../subject.ts'
import { writing } from './kysely.ts'

export function openDefault({ nodeUrls, table }: Target): Subject {
  const pool = createRouter({ connectionStrings: nodeUrls }).pool('write')
  return writing(new Kysely<object>({ dialect: new PostgresDialect({ pool }) }), table)
}

export function openMended({ nodeUrls, table }: Target): Subject {
  // #region mended
  const router = createRouter({ connectionStrings: nodeUrls, query_timeout: 2_000 })
  const db = new Kysely<object>({ dialect: new PostgresDialect({ pool: router.pool('write') }) })
  // #endregion
  return writing(db, table)
}
