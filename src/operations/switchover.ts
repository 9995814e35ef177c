/**
 * Switchover, planned: the primary and a standby change places, and nothing is lost.
 *
 * A fast shutdown ends with a checkpoint record, and the WAL senders stay until their standbys have confirmed it. So when
 * the new primary has replayed that record, it has every byte; the old one's history ends where the new timeline begins,
 * and it can follow without pg_rewind. https://www.postgresql.org/docs/current/warm-standby-failover.html
 *
 * Until the shutdown a failed check changes nothing; after it, the old primary is started again and goes on.
 */
import { isLabError, LabError, messageOf, throwIfInterrupted } from '../errors.ts'
import { CONTROL_FILE, parseControlFile } from '../postgres/control-file.ts'
import { formatLsn, type Lsn } from '../postgres/lsn.ts'
import { met, notMet, waitUntil, type Condition } from '../wait.ts'
import type { Cluster } from '../cluster/cluster.ts'
import {
  primaryOf,
  requireStandby,
  standbysOf,
  type PrimaryStatus,
  type StandbyStatus,
} from '../cluster/node-status.ts'
import { caughtUp, describeStatus, hasRole, isFollowing, isHeldBack, senderOf } from '../cluster/conditions.ts'
import { readFork, type Divergence } from './divergence.ts'
import type { Failover } from './failover.ts'
import { promote } from './promote.ts'
import { createSlots, dropLeftoverSlots } from '../cluster/slots.ts'
import { forgetStandbySettings } from '../cluster/upstream.ts'

export interface SwitchoverOptions {
  /** Which standby is to be the primary. @default the one that has replayed most */
  readonly to?: string | undefined
  /** Limit in milliseconds for a standby to catch up, before the shutdown and after it. @default 5000 */
  readonly catchUpMs?: number | undefined
  /** Limit in milliseconds until every node streams from the new primary. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** What a switchover did: as a {@link Failover}, in which the old primary is detected to be down when it has been shut down. */
export interface Switchover extends Failover, Divergence {
  /** The old primary's shutdown checkpoint, the last record that it wrote. The new primary has replayed it. */
  readonly shutdownLsn: Lsn
  /** performance.now() when the shutdown began, in milliseconds. */
  readonly stoppedAt: number
}

const CATCH_UP_MS = 5_000

/**
 * Lets `to` and the primary change places; returns when every other node streams from the new primary.
 * @throws LabError NOT_READY when a check fails, and nothing was changed; ABORTED when it was given up after the shutdown, and
 * the old primary goes on; UNKNOWN_NODE, UNREACHABLE, NO_PRIMARY, TIMEOUT
 */
export async function switchover(cluster: Cluster, options: SwitchoverOptions): Promise<Switchover> {
  const { catchUpMs = CATCH_UP_MS, timeoutMs, signal } = options
  const { old, target } = await readyForIt(cluster, { ...options, catchUpMs })
  throwIfInterrupted(signal)

  // From here to the promotion nobody can write, and an interruption must wait: half of it is worse than all of it.
  const candidates = [{ name: target.name, lsn: target.replayLsn, timeline: target.timeline, isDelayed: false }]
  const stoppedAt = performance.now()
  const shutdownLsn = await shutDown(cluster, { old: old.name, target: target.name, limitMs: catchUpMs })
  const detectedAt = performance.now()
  cluster.emit({ kind: 'command', node: old.name, text: await cluster.runtime.fence(old.name) })
  const fencedAt = performance.now()
  const after = await promote(cluster, target.name, { timeoutMs })
  const promotedAt = performance.now()
  await cluster.withSession(target.name, session => createSlots(cluster, target.name, session))
  await forgetStandbySettings(cluster, target.name, { timeoutMs })

  cluster.emit({ kind: 'command', node: old.name, text: await cluster.runtime.start(old.name) })
  await everyoneFollows(cluster, target.name, { timeoutMs, signal })
  const timeline = { before: old.timeline, after }
  const forkLsn = await readFork(cluster, target.name, { of: timeline.before, on: timeline.after, signal })
  // The target has replayed the last record there is, so there is nothing past the fork.
  return {
    ...{ oldPrimary: old.name, newPrimary: target.name, timeline, candidates },
    ...{ stoppedAt, detectedAt, fencedAt, promotedAt, shutdownLsn, forkLsn, walBytesLost: 0 },
  }
}

interface Pair {
  readonly old: PrimaryStatus
  readonly target: StandbyStatus
}

/** The checks, and a checkpoint so that the one of the shutdown has little to write. */
async function readyForIt(
  cluster: Cluster,
  { to, catchUpMs, signal }: SwitchoverOptions & { readonly catchUpMs: number },
): Promise<Pair> {
  const before = await cluster.status(signal)
  const primary = primaryOf(before)
  const following = standbysOf(before).filter(standby => isFollowing(standby, primary))
  const prompt = following.filter(({ recoveryMinApplyDelayMs }) => recoveryMinApplyDelayMs === 0)
  const best = prompt.sort((a, b) => Number(b.replayLsn - a.replayLsn))[0]?.name
  const wanted = to === undefined ? best : cluster.node(to).name
  if (wanted === undefined) throw notReady(`no standby that applies at once streams from ${primary.name}`)
  const target = requireStandby(before, wanted)
  if (!isFollowing(target, primary)) throw notReady(`${describeStatus(target)}; it must stream from ${primary.name}`)
  if (target.recoveryMinApplyDelayMs > 0) throw notReady(`${target.name} applies late (recovery_min_apply_delay)`)
  if (target.replayPaused) throw notReady(`replay is paused on ${target.name}`)

  cluster.emit({ kind: 'sql', node: primary.name, text: 'CHECKPOINT' })
  await cluster.withSession(primary.name, session => session.query('CHECKPOINT', [], { timeoutMs: 60_000 }), signal)
  const old = primaryOf(await cluster.status(signal))
  try {
    const limits = { timeoutMs: catchUpMs, intervalMs: 1, signal }
    await waitUntil(confirmedByAll(cluster, old), limits)
    return { old, target: await waitUntil(caughtUp(cluster, target.name, old.currentLsn), limits) }
  } catch (error) {
    if (!isLabError(error, 'TIMEOUT') && !isLabError(error, 'NODE_FAILED')) throw error
    throw notReady(error.message, error)
  }
}

/** The shutdown waits for every standby that is connected: one that stands still would hold it up for wal_sender_timeout. */
function confirmedByAll(cluster: Cluster, { name, currentLsn }: PrimaryStatus): Condition<undefined> {
  return {
    what: `every connected standby to confirm ${formatLsn(currentLsn)}`,
    observe: async signal => {
      const status = await cluster.nodeStatus(name, signal)
      if (status.role !== 'primary') return notMet(describeStatus(status))
      const late = status.replication.find(({ flushLsn }) => flushLsn === null || flushLsn < currentLsn)
      if (late === undefined) return met(undefined)
      const confirmed = late.flushLsn === null ? 'nothing' : formatLsn(late.flushLsn)
      return notMet(`${late.applicationName} is ${late.state} and has confirmed ${confirmed}`)
    },
  }
}

const notReady = (fact: string, cause?: unknown): LabError =>
  new LabError('NOT_READY', `no switchover, and nothing was changed: ${fact}`, {
    hint: 'pnpm run status shows the nodes; pnpm run up brings every standby back, and --to names another target.',
    cause,
  })

interface Shutdown {
  readonly old: string
  readonly target: string
  readonly limitMs: number
}

/** Ends the old primary and returns its shutdown checkpoint when the target has replayed it. Else the old one is started again. */
async function shutDown(cluster: Cluster, { old, target, limitMs }: Shutdown): Promise<Lsn> {
  const { runtime } = cluster
  try {
    cluster.emit({ kind: 'command', node: old, text: await runtime.stop(old, 'fast', { timeoutMs: limitMs }) })
    const { isShutDown, checkpointLsn } = parseControlFile(
      (await runtime.readData(old, CONTROL_FILE)) ?? new Uint8Array(),
    )
    if (!isShutDown) throw new LabError('NODE_FAILED', `${old} ended without a shutdown checkpoint`)
    await waitUntil(replayedPast(cluster, target, checkpointLsn), { timeoutMs: limitMs, intervalMs: 1 })
    return checkpointLsn
  } catch (error) {
    await goOn(cluster, old)
    throw new LabError(
      'ABORTED',
      `the switchover was given up, and ${old} goes on as the primary: ${messageOf(error)}`,
      {
        hint: 'Nothing that was acknowledged is lost. pnpm run status shows the nodes.',
        cause: error,
      },
    )
  }
}

/** Replay is counted to the end of a record, so past its beginning is past all of it. */
function replayedPast(cluster: Cluster, node: string, lsn: Lsn): Condition<undefined> {
  return {
    what: `${node} to replay the shutdown checkpoint at ${formatLsn(lsn)}`,
    observe: async signal => {
      const status = await cluster.nodeStatus(node, signal)
      return status.role === 'standby' && status.replayLsn > lsn ? met(undefined) : notMet(describeStatus(status))
    },
  }
}

/** What it acknowledged is on its own disk, so even a shutdown that hangs may be cut short. */
async function goOn(cluster: Cluster, old: string): Promise<void> {
  if ((await cluster.runtime.state(old)) === 'running') await cluster.runtime.crash(old)
  cluster.emit({ kind: 'command', node: old, text: await cluster.runtime.start(old) })
  const accepts = { ...hasRole(cluster, old, 'primary'), what: `${old} to accept writes again` }
  await waitUntil(accepts, { timeoutMs: RESTART_TIMEOUT_MS, intervalMs: 2 })
}

/** Recovery of what was written since the checkpoint before the shutdown: seconds on a slow disk. */
const RESTART_TIMEOUT_MS = 60_000

async function everyoneFollows(
  cluster: Cluster,
  primary: string,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const followers = cluster.nodes.filter(({ name }) => name !== primary)
  const expected = []
  for (const { name } of followers) if ((await cluster.runtime.state(name)) === 'running') expected.push(name)
  await Promise.all(
    expected.map(async name => {
      await waitUntil(follows(cluster, name, primary), { ...options, hint: `pnpm run logs ${name}` })
      await dropLeftoverSlots(cluster, name, options.signal)
    }),
  )
}

/** It streams on the primary's timeline, from the primary or through another standby. */
function follows(cluster: Cluster, name: string, primary: string): Condition<undefined> {
  return {
    what: `${name} to follow ${primary}`,
    observe: async signal => {
      const all = await cluster.status(signal)
      const status = all.find(node => node.name === name)
      const { timeline } = primaryOf(all)
      if (status?.role !== 'standby')
        return notMet(status === undefined ? `there is no ${name}` : describeStatus(status))
      if (await isHeldBack(cluster, status, signal)) return met(undefined)
      const isFollowing = status.timeline === timeline && senderOf(status, all) !== undefined
      return isFollowing ? met(undefined) : notMet(describeStatus(status))
    },
  }
}
