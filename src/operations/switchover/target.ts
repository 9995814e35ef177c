/**
 * Which standby a switchover is to, and why there is none: decided before anything is changed. Pure.
 */
import { LabError } from '../../errors.ts'
import type { Lsn } from '../../postgres/lsn.ts'
import type { WalSender } from '../../postgres/status.ts'
import { describeStatus, isFollowing } from '../../cluster/conditions.ts'
import {
  primaryOf,
  requireStandby,
  standbysOf,
  type NodeStatus,
  type PrimaryStatus,
  type StandbyStatus,
} from '../../cluster/node-status.ts'

export interface Pair {
  readonly old: PrimaryStatus
  readonly target: StandbyStatus
}

/**
 * The primary and the standby that is to take its place: the one named `to`, else the one that has replayed most. It must
 * stream, and apply at once.
 * @throws LabError NOT_READY; UNKNOWN_NODE when it is the primary; UNREACHABLE; NO_PRIMARY, SPLIT_BRAIN, NOT_RUNNING
 */
export function chooseTarget(all: readonly NodeStatus[], to: string | undefined): Pair {
  const old = primaryOf(all)
  const [best] = standbysOf(all)
    .filter(standby => isFollowing(standby, old) && standby.recoveryMinApplyDelayMs === 0)
    .sort((a, b) => Number(b.replayLsn - a.replayLsn))
  const wanted = to ?? best?.name
  if (wanted === undefined) throw notReady(`no standby that applies at once streams from ${old.name}`)
  const target = requireStandby(all, wanted)
  if (!isFollowing(target, old)) throw notReady(`${describeStatus(target)}; it must stream from ${old.name}`)
  if (target.recoveryMinApplyDelayMs > 0) throw notReady(`${target.name} applies late (recovery_min_apply_delay)`)
  if (target.replayPaused) throw notReady(`replay is paused on ${target.name}`)
  return { old, target }
}

/** The shutdown waits for every standby that is connected: the first that has not confirmed `lsn` would hold it up. */
export const unconfirmed = ({ replication }: PrimaryStatus, lsn: Lsn): WalSender | undefined =>
  replication.find(({ flushLsn }) => flushLsn === null || flushLsn < lsn)

export const notReady = (fact: string, cause?: unknown): LabError =>
  new LabError('NOT_READY', `no switchover, and nothing was changed: ${fact}`, {
    hint: 'pnpm run status shows the nodes; pnpm run up brings every standby back, and --to names another target.',
    cause,
  })
