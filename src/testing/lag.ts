/**
 * How far standbys are behind, as the servers tell it. Pure.
 */
import { primaryOf, standbysOf, type NodeStatus } from '../cluster/node-status.ts'
import { bytesBehind } from '../postgres/lsn.ts'
import { furthestLsn } from '../postgres/status.ts'

/** How far a standby is behind the primary, in bytes of WAL. */
export interface StandbyLag {
  /** Written, and not yet received: it would go with the primary. */
  readonly toReceive: number
  /** Written, and not yet seen by a query on the standby. */
  readonly toReplay: number
}

/** Of each standby that answers, by its name. @throws LabError NO_PRIMARY, SPLIT_BRAIN, NOT_RUNNING */
export function lagsIn(all: readonly NodeStatus[]): Readonly<Record<string, StandbyLag>> {
  const { currentLsn } = primaryOf(all)
  const lags = standbysOf(all).map(({ name, receiveLsn, replayLsn }) => {
    const toReceive = bytesBehind(currentLsn, furthestLsn({ receiveLsn, replayLsn }))
    return [name, { toReceive, toReplay: bytesBehind(currentLsn, replayLsn) }] as const
  })
  return Object.fromEntries(lags)
}
