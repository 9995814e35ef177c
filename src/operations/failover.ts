/**
 * Failover, unplanned: the primary is gone, and a standby takes its place.
 * In this order: see that it is gone, fence it, promote. Fence first, or two primaries acknowledge.
 * The lab is told to fail over; it does not decide that by itself, as Patroni or pg_auto_failover do.
 */
import { LabError } from '../errors.ts'
import { formatLsn, type Lsn } from '../postgres/lsn.ts'
import { furthestLsn } from '../postgres/status.ts'
import { met, notMet, pause, waitUntil, type Condition } from '../wait.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { standbysOf, type NodeStatus, type StandbyStatus } from '../cluster/node-status.ts'
import { describeStatus, senderOf } from '../cluster/conditions.ts'
import { cutFromWal } from '../faults/replication.ts'
import type { ChangeOptions } from '../cluster/settings.ts'
import { createSlots } from '../cluster/slots.ts'
import { forgetStandbySettings } from '../cluster/upstream.ts'
import { promote } from './promote.ts'

export interface FailoverOptions {
  /** Which standby to promote. @default the one that received most */
  readonly to?: string | undefined
  /** Limit of the whole operation in milliseconds. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** What a failover did; the instants are performance.now() of this process, in milliseconds. */
export interface Failover {
  readonly oldPrimary: string
  readonly newPrimary: string
  readonly timeline: { readonly before: number; readonly after: number }
  /** How far each standby had received and replayed when the choice was made. */
  readonly candidates: readonly Candidate[]
  readonly detectedAt: number
  readonly fencedAt: number
  readonly promotedAt: number
}

export interface Candidate {
  readonly name: string
  /** The greater of received and replayed: what it would have as a primary. */
  readonly lsn: Lsn
  readonly timeline: number
  /** It applies late (recovery_min_apply_delay); promoted, it applies at once what it has received. */
  readonly isDelayed: boolean
}

/**
 * Replaces `oldPrimary`, which must be down, by a standby.
 * @throws LabError NOT_FENCED when the old primary still accepts writes; NO_CANDIDATE; TIMEOUT when the promotion does not
 * happen in time; UNKNOWN_NODE
 */
export async function failover(cluster: Cluster, oldPrimary: string, options: FailoverOptions): Promise<Failover> {
  const { to, timeoutMs, signal } = options
  const deadline = performance.now() + timeoutMs
  const remaining = (): number => Math.max(1, deadline - performance.now())
  await waitUntil(gone(cluster, oldPrimary), { timeoutMs: remaining(), intervalMs: 2, signal })
  const detectedAt = performance.now()

  await fence(cluster, oldPrimary)
  const fencedAt = performance.now()

  const limits = { intervalMs: 1, signal }
  const candidates = await waitUntil(drained(cluster, oldPrimary), {
    ...limits,
    timeoutMs: Math.min(1000, remaining()),
  })
  const chosen = choose(cluster, candidates, to)
  const after = await promote(cluster, chosen.name, { timeoutMs: remaining(), signal })
  const promotedAt = performance.now()
  // After the promotion, not before: it writes to disk, and nobody can write meanwhile. The others try again every 100 ms.
  await cluster.withSession(chosen.name, session => createSlots(cluster, chosen.name, session), signal)
  await forgetStandbySettings(cluster, chosen.name, { timeoutMs: remaining(), signal })
  await lookAgain(cluster, chosen.name, { timeoutMs: remaining(), signal })
  return {
    oldPrimary,
    newPrimary: chosen.name,
    timeline: { before: chosen.timeline, after },
    candidates,
    ...{ detectedAt, fencedAt, promotedAt },
  }
}

/** The old primary's server is gone: nothing answers, and nothing runs. */
function gone(cluster: Cluster, node: string): Condition<undefined> {
  return {
    what: `${node} to be down`,
    observe: async () => {
      const state = await cluster.runtime.state(node)
      return state === 'stopped' || state === 'absent' ? met(undefined) : notMet(`${node} is ${state}`)
    },
  }
}

async function fence(cluster: Cluster, node: string): Promise<void> {
  try {
    cluster.emit({ kind: 'command', node, text: await cluster.runtime.fence(node) })
  } catch (error) {
    throw new LabError('NOT_FENCED', `${node} could not be fenced, so nothing was promoted`, {
      hint: 'Make sure that it cannot start, then try again.',
      cause: error,
    })
  }
}

/** A standby that is sent nothing for so long has received what there was, although nobody has told it that the connection is dead. */
const QUIET_MS = 100

/**
 * How far each standby is, once none receives from the old primary any more: what that had sent is still being received for
 * a moment after its end. A standby that follows another one may go on.
 */
function drained(cluster: Cluster, oldPrimary: string): Condition<readonly Candidate[]> {
  const others = cluster.nodes.map(({ name }) => name).filter(name => name !== oldPrimary)
  let last: { readonly seen: string; readonly at: number } | undefined
  return {
    what: 'the standbys to receive the last that the old primary sent',
    observe: async signal => {
      const all = await whoAnswers(cluster, others, signal)
      const standbys = standbysOf(all)
      const candidates = standbys.map(standby => ({
        name: standby.name,
        lsn: furthestLsn(standby),
        timeline: standby.timeline,
        isDelayed: standby.recoveryMinApplyDelayMs > 0,
      }))
      const receiving = standbys.find(
        standby => standby.walReceiver?.status === 'streaming' && senderOf(standby, all) === undefined,
      )
      const seen = candidates.map(({ lsn }) => lsn).join()
      if (last?.seen !== seen) last = { seen, at: performance.now() }
      return receiving === undefined || performance.now() - last.at >= QUIET_MS
        ? met(candidates)
        : notMet(describeStatus(receiving))
    },
  }
}

/** A standby that stands still answers nothing, and is no candidate: the others, and the clients, do not wait for it. */
const ANSWER_MS = 300

async function whoAnswers(
  cluster: Cluster,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<NodeStatus[]> {
  const enough = new AbortController()
  const late = pause(ANSWER_MS, enough.signal).catch(() => undefined)
  try {
    const all = await Promise.all(names.map(name => Promise.race([cluster.nodeStatus(name, signal), late])))
    return all.filter(status => status !== undefined)
  } finally {
    enough.abort()
  }
}

/**
 * A standby whose connection to the old primary was silenced, and not closed, would look for another one only after
 * wal_receiver_timeout (60 s). One that streams from a node that answers is left alone. A WAL receiver is no backend that
 * pg_terminate_backend could end: it ends when primary_conninfo changes.
 */
async function lookAgain(cluster: Cluster, primary: string, options: ChangeOptions): Promise<void> {
  const names = cluster.nodes.map(({ name }) => name)
  const all = await whoAnswers(cluster, names, options.signal)
  const deaf = standbysOf(all)
    .filter(standby => isDeaf(cluster, standby, { all, primary }))
    .map(({ name }) => name)
  if (deaf.length === 0) return
  cluster.emit({
    kind: 'remark',
    text: `still connected to the old primary: ${deaf.join(', ')}; ${primary} is the new one`,
  })
  await using _cut = await cutFromWal(cluster, deaf, options)
}

/** It says that it streams, no node says that it sends to it, and it is not the new primary that it has found. */
function isDeaf(
  cluster: Cluster,
  standby: StandbyStatus,
  { all, primary }: { readonly all: readonly NodeStatus[]; readonly primary: string },
): boolean {
  const { walReceiver } = standby
  if (walReceiver?.status !== 'streaming' || senderOf(standby, all) !== undefined) return false
  const { host, port } = cluster.runtime.peerEndpoint(primary)
  return walReceiver.senderHost !== host || walReceiver.senderPort !== port
}

function choose(cluster: Cluster, candidates: readonly Candidate[], to: string | undefined): Candidate {
  const [best] = [...candidates].sort(
    (a, b) => b.timeline - a.timeline || Number(b.lsn - a.lsn) || Number(a.isDelayed) - Number(b.isDelayed),
  )
  const seen = candidates
    .map(({ name, lsn, timeline }) => `${name} at ${formatLsn(lsn)} on timeline ${timeline}`)
    .join(', ')
  if (best === undefined) {
    throw new LabError('NO_CANDIDATE', 'no standby answers, so none can be promoted', {
      hint: 'pnpm run status shows the nodes; pnpm run up brings back what is there.',
    })
  }
  const chosen = to === undefined ? best : candidates.find(({ name }) => name === cluster.node(to).name)
  if (chosen !== undefined) return chosen
  throw new LabError('NO_CANDIDATE', `${to} is no standby that answers; there are: ${seen}`, {
    hint: `Try --to ${best.name}.`,
  })
}
