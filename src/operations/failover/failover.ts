/**
 * Failover, unplanned: the primary is gone, and a standby takes its place.
 * In this order: see that it is gone, fence it, promote. Fence first, or two primaries acknowledge.
 * The lab is told to fail over; it does not decide that by itself, as Patroni or pg_auto_failover do.
 */
import { LabError } from '../../errors.ts'
import { met, notMet, waitUntil, type Condition } from '../../wait.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { standbysOf, type NodeStatus } from '../../cluster/node-status.ts'
import { cutFromWal } from '../../faults/replication.ts'
import type { ChangeOptions } from '../../cluster/settings.ts'
import { createSlots } from '../../cluster/slots.ts'
import { forgetStandbySettings } from '../../cluster/upstream.ts'
import { promote } from '../promote.ts'
import { candidateOf, choose, type Candidate } from './choose.ts'
import { deafStandbys } from './deaf.ts'
import { lookAtDrain, type Positions } from './drained.ts'
import { whoAnswers } from './who-answers.ts'

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

/**
 * Replaces `oldPrimary`, which must be down, by a standby.
 * @throws LabError NOT_FENCED when the old primary still accepts writes; NOT_READY when another node does; NO_CANDIDATE; TIMEOUT when the promotion does not
 * happen in time; UNKNOWN_NODE
 * @example
 * ```ts
 * const { name } = await cluster.primary()
 * await crash(cluster, name)
 * const { newPrimary, timeline } = await failover(cluster, name, { timeoutMs: 60_000 })
 * ```
 */
export async function failover(cluster: Cluster, oldPrimary: string, options: FailoverOptions): Promise<Failover> {
  const { timeoutMs, signal } = options
  const others = cluster.nodes.map(({ name }) => name).filter(name => name !== oldPrimary)
  const to = options.to === undefined ? undefined : cluster.node(options.to).name
  // Before anything is waited for or fenced. A standby may go after this, so it is looked at again then.
  if (to !== undefined) choose(standbysOf(await whoAnswers(cluster, others, signal)).map(candidateOf), to)
  const deadline = performance.now() + timeoutMs
  const remaining = (): number => Math.max(1, deadline - performance.now())
  await waitUntil(gone(cluster, oldPrimary), { timeoutMs: remaining(), intervalMs: 2, signal })
  const detectedAt = performance.now()

  await fence(cluster, oldPrimary)
  const fencedAt = performance.now()

  const limits = { intervalMs: 1, signal }
  const candidates = await waitUntil(drained(cluster, others), { ...limits, timeoutMs: Math.min(1000, remaining()) })
  const chosen = choose(candidates, to)
  const after = await promote(cluster, chosen.name, { timeoutMs: remaining(), signal })
  const promotedAt = performance.now()
  // After the promotion, not before: it writes to disk, and nobody can write meanwhile. The others try again every 100 ms.
  await cluster.ask(chosen.name, session => createSlots(cluster, chosen.name, session), signal)
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

/** Nobody is promoted beside one that accepts writes, or is about to: somebody else may have promoted it. */
function requireNoOther(all: readonly NodeStatus[]): void {
  const hint = 'pnpm run up settles who is the primary, and lets the others follow it.'
  for (const status of all) {
    if (status.role === 'primary')
      throw new LabError('NOT_READY', `${status.name} accepts writes already, so nothing was promoted`, { hint })
    if (status.role === 'standby' && status.waitsForPeers) {
      const fact = `${status.name} was the primary, and asks its peers whether it may go on, so nothing was promoted`
      throw new LabError('NOT_READY', fact, { hint })
    }
  }
}

/** How far each standby is, once none receives from the old primary any more. */
function drained(cluster: Cluster, others: readonly string[]): Condition<readonly Candidate[]> {
  let last: Positions | undefined
  return {
    what: 'the standbys to receive the last that the old primary sent',
    observe: async signal => {
      const all = await whoAnswers(cluster, others, signal)
      requireNoOther(all)
      const { positions, observation } = lookAtDrain(all, performance.now(), last)
      last = positions
      return observation
    },
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
  const deaf = deafStandbys(all, cluster.runtime.peerEndpoint(primary))
  if (deaf.length === 0) return
  cluster.emit({
    kind: 'remark',
    text: `still connected to the old primary: ${deaf.join(', ')}; ${primary} is the new one`,
  })
  await using _cut = await cutFromWal(cluster, deaf, options)
}
