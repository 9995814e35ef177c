/**
 * What is in an application's own table.
 */
import { escapeIdentifier } from 'pg'
import type { LoadCluster } from '../client/load.ts'

/** Asks today's primary, as somebody who may read every table. */
type Ask = (
  question: string,
  values: readonly string[],
  where: { readonly as: 'superuser'; readonly database: string | undefined },
) => Promise<{ readonly id: string; readonly times: number }[]>

/** How often each id is there, on the node that is the primary now. */
export const countIn =
  (ask: Ask): LoadCluster['count'] =>
  async (ids, { table, id = 'id', database }) => {
    const column = `${escapeIdentifier(id)}::text`
    const from = table.split('.').map(escapeIdentifier).join('.')
    const question = `SELECT ${column} AS id, count(*)::int AS times FROM ${from}
      WHERE ${column} = ANY (string_to_array($1, ',')) GROUP BY 1`
    const rows = await ask(question, [ids.join(',')], { as: 'superuser', database })
    return new Map(rows.map(row => [row.id, row.times]))
  }
