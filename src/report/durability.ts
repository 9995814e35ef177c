/**
 * The price and the promise of synchronous commit, for people.
 */
import { isWhole, type DurabilityCell, type DurabilityDocument } from '../measure/durability.ts'
import { formatCount, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'

/** Prints one line a setting, as it is done. */
export const cellNarrator =
  (narrate: Narrator) =>
  ({ synchronousCommit, standbys, acknowledged, lost, unexpected, duplicates }: DurabilityCell): void => {
    const strange =
      unexpected + duplicates > 0 ? `, inconsistent: unexpected ${unexpected}, duplicates ${duplicates}` : ''
    const line = `${synchronousCommit.padEnd(12)}  ${standbys.padEnd(12)}  lost ${formatCount(lost)} of ${formatCount(acknowledged)}${strange}`
    if (lost > 0 || strange !== '') narrate.loss(line)
    else narrate.say(line)
  }

/** Prints the table, and what its columns mean. */
export function narrateDurability(narrate: Narrator, document: DurabilityDocument): void {
  const { cells, load, cutMs, requested } = document
  narrate.table(
    [
      'synchronous_commit',
      'standbys',
      'commit p50',
      'p99',
      'writes',
      'outage',
      'acknowledged',
      'lost',
      'promised',
      'n',
    ],
    cells.map(cell => [
      cell.synchronousCommit,
      cell.standbys,
      formatMs(cell.commitMs.p50),
      formatMs(cell.commitMs.p99),
      cell.commitMs.n,
      cell.outageMs === null ? 'unknown' : formatMs(cell.outageMs),
      formatCount(cell.acknowledged),
      formatCount(cell.lost),
      cell.promised ? 'none lost' : 'nothing',
      cell.n,
    ]),
  )
  narrate.say('')
  if (!isWhole(document))
    narrate.say(
      `Interrupted: ${cells.length} of ${requested.settings} settings, ${requested.trials} ${requested.trials === 1 ? 'trial' : 'trials'} each asked for; what was not done is not judged.`,
    )
  narrate.say(
    `${load.ratePerSecond} writes a second over ${load.connections} connections; commit p50 and p99 of as many writes as told, before the cut.`,
  )
  narrate.say(
    `Standbys cut for ${cutMs} ms before the crash: where a commit waits for one, nothing is acknowledged meanwhile, and the outage has the cut in it.`,
  )
}
