/**
 * A burst of inserts, for people.
 */
import type { Burst } from '../workload/burst.ts'
import { formatBytes, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'

/** Prints the state of each node at the moment when the last insert was acknowledged. */
export function narrateBurst(narrate: Narrator, { primary, standbys }: Burst): void {
  narrate.table(
    ['node', 'rows', 'behind', 'holds all after', 'looked every'],
    [
      [primary.node, primary.count, '', '', ''],
      ...standbys.map(s => [
        s.node,
        s.count,
        formatBytes(s.bytesBehind),
        formatMs(s.caughtUpMs),
        formatMs(s.resolutionMs),
      ]),
    ],
  )
}
