/**
 * Tablespaces: a standby has them at the primary's own path, so on one machine two servers would write into one folder, and a
 * clone finds it full. The recovery of a clone ends in a PANIC over one that is in place (allow_in_place_tablespaces).
 */
import { LabError } from '../errors.ts'
import type { PrimaryStatus } from '../cluster/node-status.ts'

/** Before anything of a node is taken away. @throws LabError NOT_READY */
export function requireNoTablespaces({ name, tablespaces: [first] }: PrimaryStatus): void {
  if (first === undefined) return
  throw new LabError(
    'NOT_READY',
    `${name} has the tablespace ${first.spcname} at ${first.location}, and no other node could have it there`,
    {
      hint: 'Move its tables away and drop it: a node of the lab has its data directory, and nothing else.',
    },
  )
}
