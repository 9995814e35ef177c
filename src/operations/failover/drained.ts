/**
 * Whether the standbys have received the last that the old primary sent: that is still arriving for a moment after its end.
 * Pure, but for the instants, which are the caller's.
 */
import { describeStatus, senderOf } from '../../cluster/conditions.ts'
import { standbysOf, type NodeStatus } from '../../cluster/node-status.ts'
import { met, notMet, type Observation } from '../../wait.ts'
import { candidateOf, type Candidate } from './choose.ts'

/** A standby that is sent nothing for so long has received what there was, although nobody has told it that the connection is dead. */
export const QUIET_MS = 100

/** Where all of them were at a look, and since when: an instant of performance.now(), in milliseconds. */
export interface Positions {
  readonly lsns: string
  readonly since: number
}

export interface Drain {
  readonly positions: Positions
  /** Met when none receives any more from the old primary. One that follows another standby may go on. */
  readonly observation: Observation<readonly Candidate[]>
}

/** What a look at `all` at the instant `at` says, after the one before. */
export function lookAtDrain(all: readonly NodeStatus[], at: number, before?: Positions): Drain {
  const standbys = standbysOf(all)
  const candidates = standbys.map(candidateOf)
  const lsns = candidates.map(({ name, lsn }) => `${name} ${lsn}`).join()
  const positions = before?.lsns === lsns ? before : { lsns, since: at }
  const receiving = standbys.find(
    standby => standby.walReceiver?.status === 'streaming' && senderOf(standby, all) === undefined,
  )
  const isDrained = receiving === undefined || at - positions.since >= QUIET_MS
  return { positions, observation: isDrained ? met(candidates) : notMet(describeStatus(receiving)) }
}
