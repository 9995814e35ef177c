/**
 * What is in an application's own table.
 */
import { escapeIdentifier } from 'pg'
import { LabError } from '../errors.ts'
import { serverErrorOf } from '../postgres/sqlstate.ts'
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
    const rows = await ask(question, [ids.join(',')], { as: 'superuser', database }).catch((error: unknown) => {
      throw cannotCount(error, table)
    })
    return new Map(rows.map(row => [row.id, row.times]))
  }

/** A table, a column or a database that is not there, as the server says it. */
function cannotCount(error: unknown, table: string): unknown {
  const said = serverErrorOf(error)
  if (said === undefined) return error
  return new LabError('USAGE', `the ids in ${table} cannot be counted: ${said.message}`, {
    hint: 'Name the table with the acknowledged ids, and its column: judge({ table, id, database }).',
    cause: error,
  })
}
