/**
 * What operations wait for, each as a value that says what it saw.
 */
import { isLabError, LabError, messageOf } from '../errors.ts'
import { formatDuration } from '../postgres/duration.ts'
import { LAST_LOG_LINES, lastWords } from '../postgres/last-words.ts'
import { formatLsn, type Lsn } from '../postgres/lsn.ts'
import { met, notMet, type Condition, type Observation } from '../wait.ts'
import type { Cluster } from './cluster.ts'
import { primaryOf, type NodeStatus, type PrimaryStatus, type StandbyStatus } from './node-status.ts'

/**
 * `name` streams from `from`, on its timeline, and `from` says so too: the primary, or a standby that `name` cascades from.
 * @example
 * ```ts
 * await waitUntil(streaming(cluster, 'replica2', 'replica1'), { timeoutMs: 10_000 })
 * ```
 */
export function streaming(cluster: Cluster, name: string, from: string): Condition<StandbyStatus> {
  return {
    what: `${name} to stream from ${from}`,
    observe: async signal => {
      const [standby, upstream] = await Promise.all([
        cluster.nodeStatus(name, signal),
        cluster.nodeStatus(from, signal),
      ])
      await requireAlive(cluster, standby)
      const isStreaming = standby.role === 'standby' && isFollowing(standby, upstream)
      return isStreaming ? met(standby) : notMet(`${describeStatus(standby)}; ${describeStatus(upstream)}`)
    },
  }
}

/** Both ends say so: the standby's WAL receiver, and the WAL sender of the primary or of the standby that it cascades from. */
export function isFollowing(standby: StandbyStatus, upstream: NodeStatus): boolean {
  if (upstream.role === 'unreachable' || standby.walReceiver?.status !== 'streaming') return false
  const sender = upstream.replication.find(({ applicationName }) => applicationName === standby.name)
  return sender?.state === 'streaming' && standby.timeline === upstream.timeline
}

/** Where a standby streams from, as the senders say; undefined when no node that answers sends to it. */
export const senderOf = (standby: StandbyStatus, all: readonly NodeStatus[]): NodeStatus | undefined =>
  all.find(other => other.name !== standby.name && isFollowing(standby, other))

/**
 * Whether a standby has WAL that it must not apply yet: until it has, it asks nobody for more, and takes over no other
 * primary_conninfo. So one with a delay which does not stream may be as well as it can be.
 */
export async function isHeldBack(cluster: Cluster, standby: StandbyStatus, signal?: AbortSignal): Promise<boolean> {
  if (standby.recoveryMinApplyDelayMs === 0) return false
  try {
    return (await cluster.ask(standby.name, session => session.query(HELD_BACK), signal)).length > 0
  } catch (error) {
    if (!isLabError(error, 'UNREACHABLE')) throw error
    return false
  }
}

// https://www.postgresql.org/docs/current/monitoring-stats.html#WAIT-EVENT-TIMEOUT-TABLE
const HELD_BACK = `SELECT FROM pg_stat_activity
WHERE backend_type = 'startup' AND wait_event IN ('RecoveryApplyDelay', 'RecoveryPause')`

/**
 * `name` answers in that role.
 * @example
 * ```ts
 * await waitUntil(hasRole(cluster, 'replica1', 'primary'), { timeoutMs: 10_000 })
 * ```
 */
export function hasRole<R extends 'primary' | 'standby'>(
  cluster: Cluster,
  name: string,
  role: R,
): Condition<Extract<NodeStatus, { role: R }>> {
  return {
    what: `${name} to answer as a ${role}`,
    observe: async signal => {
      const status = await cluster.nodeStatus(name, signal)
      await requireAlive(cluster, status)
      return isOf(status, role) ? met(status) : notMet(describeStatus(status))
    },
  }
}

const isOf = <R extends NodeStatus['role']>(status: NodeStatus, role: R): status is Extract<NodeStatus, { role: R }> =>
  status.role === role

/**
 * `name` has replayed everything up to `lsn`.
 * @example
 * ```ts
 * const { currentLsn } = await cluster.primary()
 * await waitUntil(caughtUp(cluster, 'replica1', currentLsn), { timeoutMs: 10_000 })
 * ```
 */
export function caughtUp(cluster: Cluster, name: string, lsn: Lsn): Condition<StandbyStatus> {
  return {
    what: `${name} to replay ${formatLsn(lsn)}`,
    observe: async signal => {
      const status = await cluster.nodeStatus(name, signal)
      await requireAlive(cluster, status)
      return status.role === 'standby' && status.replayLsn >= lsn ? met(status) : notMet(describeStatus(status))
    },
  }
}

/** A server that ended will not do what is waited for. @throws LabError NODE_FAILED, with its last words */
export async function requireAlive(cluster: Cluster, status: NodeStatus): Promise<void> {
  if (status.role !== 'unreachable' || status.state === 'running' || status.state === 'frozen') return
  const log = await cluster.runtime.log(status.name, { lines: LAST_LOG_LINES })
  throw new LabError('NODE_FAILED', `${status.name} has ended; the last it said:\n${lastWords(log)}`, {
    hint: `pnpm run logs ${status.name} shows the whole log.`,
  })
}

/** One line on a node, with its timeline beside its LSN: either means nothing alone. */
export function describeStatus(status: NodeStatus): string {
  switch (status.role) {
    case 'primary':
      return `${status.name} is the primary on timeline ${status.timeline}, at ${formatLsn(status.currentLsn)}`
    case 'standby':
      return `${status.name} is a standby on timeline ${status.timeline}, replayed ${formatLsn(status.replayLsn)}, ${
        status.walReceiver === null
          ? 'not streaming'
          : `${status.walReceiver.status} from ${status.walReceiver.senderHost}`
      }${status.replayPaused ? ', replay paused' : ''}${appliesLate(status)}`
    case 'unreachable':
      return `${status.name} is ${status.state} and does not answer (${status.reason})`
  }
}

const appliesLate = ({ recoveryMinApplyDelayMs: ms }: StandbyStatus): string =>
  ms === 0 ? '' : `, applies ${formatDuration(ms)} late`

/** The one primary among them; none, or more than one, may change. */
export function primaryAmong(all: readonly NodeStatus[]): Observation<PrimaryStatus> {
  try {
    return met(primaryOf(all))
  } catch (error) {
    return notMet(messageOf(error))
  }
}

/**
 * The primary, when every other node streams from it, or has a delay which keeps it from asking.
 * @example
 * ```ts
 * const primary = await waitUntil(healthy(cluster), { timeoutMs: 60_000 })
 * ```
 */
export function healthy(cluster: Cluster): Condition<PrimaryStatus> {
  return {
    what: 'one primary and every other node streaming from it',
    observe: async signal => {
      const all = await cluster.status(signal)
      const now = primaryAmong(all)
      if (!now.met) return now
      const primary = now.value
      for (const status of all) {
        if (status === primary) continue
        if (status.role !== 'standby') return notMet(describeStatus(status))
        if (!isFollowing(status, primary) && !(await isHeldBack(cluster, status, signal)))
          return notMet(describeStatus(status))
      }
      return now
    },
  }
}

/** A question, asked as the lab's role, which returns a row when what is waited for has happened. */
export interface Question {
  /** As the end of a sentence: `a commit to wait for a standby`. */
  readonly what: string
  readonly text: string
}

/** Met by the first row that `text` returns on `node`. */
export function returnsRow<T extends object>(cluster: Cluster, node: string, { what, text }: Question): Condition<T> {
  return {
    what,
    observe: async signal => {
      const [row] = await cluster.ask(node, session => session.query<T>(text), signal)
      return row === undefined ? notMet(`${node} returns no row`) : met(row)
    },
  }
}
