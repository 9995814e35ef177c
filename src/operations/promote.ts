/**
 * The promotion itself, which a failover, a switchover and `up` have in common.
 */
import { isLabError } from '../errors.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { hasRole } from '../cluster/conditions.ts'
import { waitUntil } from '../wait.ts'

export interface PromoteOptions {
  /** Limit in milliseconds until it accepts writes. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Promotes a standby and returns its new timeline. */
export async function promote(cluster: Cluster, node: string, options: PromoteOptions): Promise<number> {
  await askForPromotion(cluster, node, options.signal)
  return await promoted(cluster, node, options)
}

/**
 * Tells a standby to be the primary. Once, whatever becomes of the connection; when this throws, it was not told.
 * pg_promote(wait => true) polls every 100 ms; asking for its status over the open connection notices within 2 ms.
 */
export async function askForPromotion(cluster: Cluster, node: string, signal?: AbortSignal): Promise<void> {
  const statement = 'SELECT pg_promote(wait => false)'
  cluster.emit({ kind: 'sql', node, text: statement })
  try {
    await cluster.withSession(node, session => session.query(statement), signal)
  } catch (error) {
    // It may have been told: its role will tell.
    if (!isLabError(error, 'CONNECTION_LOST')) throw error
  }
}

/** Waits until a standby that was told to be the primary is it, and returns its timeline. */
export async function promoted(cluster: Cluster, node: string, options: PromoteOptions): Promise<number> {
  const hint = `pnpm run logs ${node} shows what holds it up.`
  const isPromoted = { ...hasRole(cluster, node, 'primary'), what: `${node} to be promoted` }
  const { timeline } = await waitUntil(isPromoted, { ...options, intervalMs: 1, hint })
  cluster.emit({ kind: 'promoted', node, timeline, at: performance.now() })
  return timeline
}
