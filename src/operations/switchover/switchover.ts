/**
 * Switchover, planned: the primary and a standby change places, and nothing is lost.
 *
 * A fast shutdown ends with a checkpoint record, and the WAL senders stay until their standbys have confirmed it. So when
 * the new primary has replayed that record, it has every byte; the old one's history ends where the new timeline begins,
 * and it can follow without pg_rewind. https://www.postgresql.org/docs/current/warm-standby-failover.html
 *
 * Until the shutdown a failed check changes nothing; after it, the old primary is started again and goes on, whatever went
 * wrong, until the target has been told to be the primary. From then on the old one stays down until the target is it.
 */
import { isLabError, LabError, throwIfInterrupted } from '../../errors.ts'
import { CONTROL_FILE, parseControlFile } from '../../postgres/control-file.ts'
import { formatLsn, type Lsn } from '../../postgres/lsn.ts'
import { together } from '../../together.ts'
import { met, notMet, waitUntil, type Condition } from '../../wait.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { primaryOf, type PrimaryStatus } from '../../cluster/node-status.ts'
import { caughtUp, describeStatus, isHeldBack, primaryAmong, senderOf } from '../../cluster/conditions.ts'
import { createSlots, dropLeftoverSlots } from '../../cluster/slots.ts'
import { forgetStandbySettings } from '../../cluster/upstream.ts'
import { readFork, type Divergence } from '../divergence.ts'
import type { Failover } from '../failover/failover.ts'
import { askForPromotion, promoted } from '../promote.ts'
import { goOnAfter, staysDown } from './give-back.ts'
import { chooseTarget, notReady, unconfirmed, type Pair } from './target.ts'

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
 * @throws LabError NOT_READY when a check fails, and nothing was changed; ABORTED, or INTERRUPTED, when it was given up after the
 * shutdown, and the old primary goes on; UNKNOWN_NODE, UNREACHABLE, NO_PRIMARY; TIMEOUT, NODE_FAILED when it is not known
 * whether the target is the primary, so that the old one stays down
 * @example
 * ```ts
 * const { newPrimary } = await switchover(cluster, { to: 'replica1', timeoutMs: 60_000 })
 * ```
 */
export async function switchover(cluster: Cluster, options: SwitchoverOptions): Promise<Switchover> {
  const { catchUpMs = CATCH_UP_MS, timeoutMs, signal } = options
  const { old, target } = await readyForIt(cluster, { ...options, catchUpMs })
  throwIfInterrupted(signal)

  // From here to the promotion nobody can write.
  const candidates = [{ name: target.name, lsn: target.replayLsn, timeline: target.timeline, isDelayed: false }]
  const stoppedAt = performance.now()
  const handover = { old: old.name, target: target.name, limitMs: catchUpMs, signal }
  const { shutdownLsn, detectedAt, fencedAt } = await handOver(cluster, handover)
  const after = await promoted(cluster, target.name, { timeoutMs }).catch(async (error: unknown) => {
    throw await staysDown(cluster, handover, error)
  })
  const promotedAt = performance.now()
  const rest = [() => equip(cluster, target.name, timeoutMs), () => startAsStandby(cluster, old.name)]
  await together(rest, step => step())

  await everyoneFollows(cluster, target.name, { timeoutMs, signal })
  const timeline = { before: old.timeline, after }
  const forkLsn = await readFork(cluster, target.name, { of: timeline.before, on: timeline.after, signal })
  // The target has replayed the last record there is, so there is nothing past the fork.
  return {
    ...{ oldPrimary: old.name, newPrimary: target.name, timeline, candidates },
    ...{ stoppedAt, detectedAt, fencedAt, promotedAt, shutdownLsn, forkLsn, walBytesLost: 0 },
  }
}

/** The checks, and a checkpoint so that the one of the shutdown has little to write. */
async function readyForIt(
  cluster: Cluster,
  { to, catchUpMs, signal }: SwitchoverOptions & { readonly catchUpMs: number },
): Promise<Pair> {
  const named = to === undefined ? undefined : cluster.node(to).name
  const { old: primary, target } = chooseTarget(await cluster.status(signal), named)
  cluster.emit({ kind: 'sql', node: primary.name, text: 'CHECKPOINT' })
  await cluster.ask(primary.name, session => session.query('CHECKPOINT', [], { timeoutMs: 60_000 }), signal)
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

function confirmedByAll(cluster: Cluster, { name, currentLsn }: PrimaryStatus): Condition<undefined> {
  return {
    what: `every connected standby to confirm ${formatLsn(currentLsn)}`,
    observe: async signal => {
      const status = await cluster.nodeStatus(name, signal)
      if (status.role !== 'primary') return notMet(describeStatus(status))
      const late = unconfirmed(status, currentLsn)
      if (late === undefined) return met(undefined)
      const confirmed = late.flushLsn === null ? 'nothing' : formatLsn(late.flushLsn)
      return notMet(`${late.applicationName} is ${late.state} and has confirmed ${confirmed}`)
    },
  }
}

interface Handover {
  readonly old: string
  readonly target: string
  readonly limitMs: number
  readonly signal: AbortSignal | undefined
}

interface HandedOver {
  /** The old primary's shutdown checkpoint, which the target has replayed. */
  readonly shutdownLsn: Lsn
  readonly detectedAt: number
  readonly fencedAt: number
}

/** From the shutdown to the word that makes the target the primary. Whatever goes wrong meanwhile, the old primary goes on. */
async function handOver(cluster: Cluster, handover: Handover): Promise<HandedOver> {
  const { old, target, signal } = handover
  try {
    const shutdownLsn = await shutDown(cluster, handover)
    const detectedAt = performance.now()
    cluster.emit({ kind: 'command', node: old, text: await cluster.runtime.fence(old) })
    const fencedAt = performance.now()
    throwIfInterrupted(signal)
    await askForPromotion(cluster, target)
    return { shutdownLsn, detectedAt, fencedAt }
  } catch (error) {
    throw await goOnAfter(cluster, old, error)
  }
}

/** Ends the old primary and returns its shutdown checkpoint when the target has replayed it. */
async function shutDown(cluster: Cluster, { old, target, limitMs, signal }: Handover): Promise<Lsn> {
  const { runtime } = cluster
  cluster.emit({ kind: 'command', node: old, text: await runtime.stop(old, 'fast', { timeoutMs: limitMs, signal }) })
  const data = (await runtime.readData(old, CONTROL_FILE)) ?? new Uint8Array()
  const { isShutDown, checkpointLsn } = parseControlFile(data)
  if (!isShutDown) throw new LabError('NODE_FAILED', `${old} ended without a shutdown checkpoint`)
  await waitUntil(replayedPast(cluster, target, checkpointLsn), { timeoutMs: limitMs, intervalMs: 1, signal })
  return checkpointLsn
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

/** Slots for those who follow, and nothing of what it was told as a standby. */
async function equip(cluster: Cluster, primary: string, timeoutMs: number): Promise<void> {
  await cluster.ask(primary, session => createSlots(cluster, primary, session))
  await forgetStandbySettings(cluster, primary, { timeoutMs })
}

async function startAsStandby(cluster: Cluster, old: string): Promise<void> {
  cluster.emit({ kind: 'command', node: old, text: await cluster.runtime.start(old) })
}

async function everyoneFollows(
  cluster: Cluster,
  primary: string,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const followers = cluster.nodes.filter(({ name }) => name !== primary)
  const expected = []
  for (const { name } of followers) if ((await cluster.runtime.state(name)) === 'running') expected.push(name)
  const following = async (name: string, signal: AbortSignal): Promise<void> => {
    await waitUntil(follows(cluster, name, primary), { ...options, signal, hint: `pnpm run logs ${name}` })
    await dropLeftoverSlots(cluster, name, signal)
  }
  await together(expected, following, options.signal)
}

/** It streams on the primary's timeline, from the primary or through another standby. */
function follows(cluster: Cluster, name: string, primary: string): Condition<undefined> {
  return {
    what: `${name} to follow ${primary}`,
    observe: async signal => {
      const all = await cluster.status(signal)
      const status = all.find(node => node.name === name)
      const now = primaryAmong(all)
      if (!now.met) return now
      if (status?.role !== 'standby')
        return notMet(status === undefined ? `there is no ${name}` : describeStatus(status))
      if (await isHeldBack(cluster, status, signal)) return met(undefined)
      const isFollowing = status.timeline === now.value.timeline && senderOf(status, all) !== undefined
      return isFollowing ? met(undefined) : notMet(describeStatus(status))
    },
  }
}
