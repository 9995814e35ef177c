/**
 * What only one node had, table by table.
 */
import type { Compared } from '../operations/salvage/compare.ts'
import { formatLsn } from '../postgres/lsn.ts'
import type { Narrator } from './narrator.ts'

/** The `salvage --json` document. */
export type SalvageDocument = Omit<Compared, 'columns'> & {
  readonly version: 1
  /** null when none was asked for. */
  readonly file: string | null
}

/** Prints a line a table that differs, those that could not be compared, and what to do now. */
export function narrateComparison(narrate: Narrator, document: SalvageDocument): void {
  const { node, from, past, tables, uncompared, areDeletionsKnown, file } = document
  const what = from === 'kept' ? 'what it keeps' : 'its data'
  narrate.say(`${node}, by ${what}, past ${formatLsn(past.forkLsn)} on timeline ${past.forkTimeline}:`)
  const different = tables.filter(({ missing, changed, deleted }) => missing + changed + deleted > 0)
  if (different.length > 0) {
    narrate.table(
      ['table', 'missing on the primary', 'changed', 'deleted'],
      different.map(({ table, missing, changed, deleted }) => [
        table,
        missing,
        changed,
        areDeletionsKnown ? deleted : 'unknown',
      ]),
    )
  }
  narrate.say(`${tables.length - different.length} of ${tables.length} tables with a primary key are as on the primary`)
  for (const { table, why } of uncompared) narrate.say(`${table} was not compared: ${why}`)
  if (file !== null) narrate.say(`to bring the missing rows back: pnpm --silent run psql primary < ${file}`)
  else if (different.length > 0) narrate.say(`as SQL: pnpm run salvage ${node} --sql FILE`)
}
