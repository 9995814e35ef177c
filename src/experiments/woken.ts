/**
 * A primary stands still, another one is promoted, and it wakes up: what it acknowledges then to a client that stayed connected,
 * and what is left of that.
 */
import { readSurvivors, startWriter } from '../client/writer.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { returnsRow } from '../cluster/conditions.ts'
import { once } from '../dispose.ts'
import { crash, freeze } from '../faults/power.ts'
import { checkHistory } from '../history/check.ts'
import type { History } from '../history/history.ts'
import { failover } from '../operations/failover/failover.ts'
import { temporarySynchronous } from '../operations/synchronous.ts'
import { up } from '../operations/up.ts'
import { waitUntil } from '../wait.ts'
import { promoteUnfenced } from './unfenced.ts'

/**
 * - `quorum-stays`: a commit waits for one standby; the one that is not promoted is not told whom to follow.
 * - `quorum-follows`: it follows the new primary before the old one wakes up.
 * - `fenced`: commits wait for nobody; the old primary's power is cut before the promotion.
 */
export type Precaution = 'quorum-stays' | 'quorum-follows' | 'fenced'
export const precautions: readonly Precaution[] = ['quorum-stays', 'quorum-follows', 'fenced']

export interface Woken {
  readonly precaution: Precaution
  readonly oldPrimary: string
  /** Writes that the old primary has acknowledged after the promotion. */
  readonly acknowledged: number
  /** Of all that the client was told. */
  readonly lost: number
}

export interface WokenOptions {
  /** Limit in milliseconds of each thing that is waited for. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

const CLIENT = { ratePerSecond: 50, connections: 4, writeTimeoutMs: 30_000 }
const WRITES = { before: 20, after: 50 }

/** From a cluster that is well to one that is. @throws LabError those of what it does */
export async function wakeUp(cluster: Cluster, precaution: Precaution, options: WokenOptions): Promise<Woken> {
  const { signal } = options
  const { name: oldPrimary } = await cluster.primary(signal)
  // Before the setting, so that it is put back before the client is ended: what waits for a standby is let go by that.
  await using client = await startWriter(cluster, { ...CLIENT, signal })
  const standbys = precaution === 'fenced' ? 'asynchronous' : 'quorum'
  await using _synchronous = await temporarySynchronous(cluster, { standbys, synchronousCommit: 'on' }, options)
  await client.acknowledges(WRITES.before, options)
  await using healed = healedAtEnd(cluster, options)
  await using frozen = await freeze(cluster, oldPrimary)
  const promotedAt = await replace(cluster, oldPrimary, { precaution, ...options })
  await frozen[Symbol.asyncDispose]()
  if (precaution === 'quorum-follows') await waitUntil(returnsRow(cluster, oldPrimary, ALL_WAIT), options)
  else await client.acknowledges(WRITES.after, options)
  await healed[Symbol.asyncDispose]()
  const history = await client.stop()
  const survivors = await readSurvivors(cluster, history.run, signal)
  const { lostIds } = checkHistory(history, survivors, { faultHappened: true })
  const acknowledged = acknowledgedBy(history, { node: oldPrimary, since: promotedAt }).length
  return { precaution, oldPrimary, acknowledged, lost: lostIds.length }
}

/** Brings the cluster up when it is disposed of, also after Ctrl-C: nobody is left beside another one, or with a past of its own. */
export const healedAtEnd = (cluster: Cluster, { timeoutMs }: Pick<WokenOptions, 'timeoutMs'>): AsyncDisposable =>
  once(async () => {
    await up(cluster, { timeoutMs })
  })

/** Returns when another one was promoted: an instant of performance.now(). */
async function replace(
  cluster: Cluster,
  oldPrimary: string,
  { precaution, ...options }: WokenOptions & { readonly precaution: Precaution },
): Promise<number> {
  if (precaution === 'fenced') {
    await crash(cluster, oldPrimary)
    return (await failover(cluster, oldPrimary, options)).promotedAt
  }
  const others = precaution === 'quorum-follows' ? 'follow' : 'stay'
  return (await promoteUnfenced(cluster, oldPrimary, { others, ...options })).promotedAt
}

// https://www.postgresql.org/docs/current/monitoring-stats.html#WAIT-EVENT-IPC-TABLE
const ALL_WAIT = {
  what: 'each connection of the client to have a commit that waits for a standby',
  text: `SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' HAVING count(*) >= ${CLIENT.connections}`,
}

/** Ids of the writes that a node has acknowledged after an instant of performance.now(). Pure. */
export const acknowledgedBy = (
  { writes }: History,
  { node, since }: { readonly node: string; readonly since: number },
): readonly number[] =>
  writes
    .filter(({ outcome, server, settledAt }) => outcome.kind === 'acknowledged' && server === node && settledAt > since)
    .map(({ id }) => id)
