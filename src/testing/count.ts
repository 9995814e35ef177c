/**
 * What is in an application's own table.
 */
import { escapeIdentifier } from 'pg'
import type { LoadCluster } from './load.ts'
import type { TestCluster } from './cluster.ts'

/** How often each id is there, on the node that is the primary now. */
export const countIn =
  (cluster: TestCluster): LoadCluster['count'] =>
  async (ids, { table, id = 'id', database }) => {
    const column = `${escapeIdentifier(id)}::text`
    const from = table.split('.').map(escapeIdentifier).join('.')
    const question = `SELECT ${column} AS id, count(*)::int AS times FROM ${from}
      WHERE ${column} = ANY (string_to_array($1, ',')) GROUP BY 1`
    const where = { as: 'superuser', database } as const
    const rows = await cluster.query<{ id: string; times: number }>(question, [ids.join(',')], where)
    return new Map(rows.map(row => [row.id, row.times]))
  }
