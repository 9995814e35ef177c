/**
 * What operations wait for, each as a value that says what it saw.
 */
import { LabError } from '../errors.ts'
import { formatLsn, type Lsn } from '../postgres/lsn.ts'
import { met, notMet, type Condition } from '../wait.ts'
import {
  primaryOf,
  standbysOf,
  type Cluster,
  type NodeStatus,
  type PrimaryStatus,
  type StandbyStatus,
} from './cluster.ts'

/** `name` streams from `from`, on its timeline, and the primary says so too. */
export function streaming(cluster: Cluster, name: string, from: string): Condition<StandbyStatus> {
  return {
    what: `${name} to stream from ${from}`,
    observe: async signal => {
      const [standby, primary] = await Promise.all([cluster.nodeStatus(name, signal), cluster.nodeStatus(from, signal)])
      await requireAlive(cluster, standby)
      const isStreaming = standby.role === 'standby' && isFollowing(standby, primary)
      return isStreaming ? met(standby) : notMet(`${describe(standby)}; ${describe(primary)}`)
    },
  }
}

/** Both ends say so: the standby's WAL receiver, and the primary's WAL sender. */
export function isFollowing(standby: StandbyStatus, primary: NodeStatus): boolean {
  if (primary.role !== 'primary' || standby.walReceiver?.status !== 'streaming') return false
  const sender = primary.replication.find(({ applicationName }) => applicationName === standby.name)
  return sender?.state === 'streaming' && standby.timeline === primary.timeline
}

/** `name` has replayed everything up to `lsn`. */
export function caughtUp(cluster: Cluster, name: string, lsn: Lsn): Condition<StandbyStatus> {
  return {
    what: `${name} to replay ${formatLsn(lsn)}`,
    observe: async signal => {
      const status = await cluster.nodeStatus(name, signal)
      await requireAlive(cluster, status)
      return status.role === 'standby' && status.replayLsn >= lsn ? met(status) : notMet(describe(status))
    },
  }
}

/** A server that ended will not do what is waited for. @throws LabError NODE_FAILED, with its last words */
export async function requireAlive(cluster: Cluster, status: NodeStatus): Promise<void> {
  if (status.role !== 'unreachable' || status.state === 'running' || status.state === 'frozen') return
  const lastWords = await cluster.runtime.log(status.name, { lines: 3 })
  throw new LabError('NODE_FAILED', `${status.name} has ended; the last it said:\n${lastWords}`, {
    hint: `The whole log: pnpm run logs ${status.name}`,
  })
}

/** One line on a node, with its timeline beside its LSN: either means nothing alone. */
export function describe(status: NodeStatus): string {
  switch (status.role) {
    case 'primary':
      return `${status.name} is the primary on timeline ${status.timeline}, at ${formatLsn(status.currentLsn)}`
    case 'standby':
      return `${status.name} is a standby on timeline ${status.timeline}, replayed ${formatLsn(status.replayLsn)}, ${
        status.walReceiver === null
          ? 'not streaming'
          : `${status.walReceiver.status} from ${status.walReceiver.senderHost}`
      }`
    case 'unreachable':
      return `${status.name} is ${status.state} and does not answer (${status.reason})`
  }
}

/** The primary, when every other node streams from it. */
export function healthy(cluster: Cluster): Condition<PrimaryStatus> {
  return {
    what: 'one primary and every other node streaming from it',
    observe: async signal => {
      const all = await cluster.status(signal)
      const primary = primaryOf(all)
      const lagging = all.find(
        status => status !== primary && !(status.role === 'standby' && isFollowing(status, primary)),
      )
      if (lagging === undefined && standbysOf(all).length === all.length - 1) return met(primary)
      return notMet(lagging === undefined ? describe(primary) : describe(lagging))
    },
  }
}
