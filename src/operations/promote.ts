/**
 * The promotion itself, which a failover, a switchover and `up` have in common.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { hasRole } from '../cluster/conditions.ts'
import { waitUntil } from '../wait.ts'

/**
 * Promotes a standby and returns its new timeline.
 * pg_promote(wait => true) polls every 100 ms; asking for its status over the open connection notices within 2 ms.
 */
export async function promote(
  cluster: Cluster,
  node: string,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<number> {
  const statement = 'SELECT pg_promote(wait => false)'
  cluster.emit({ kind: 'sql', node, text: statement })
  await cluster.withSession(node, session => session.query(statement), options.signal)
  const hint = `pnpm run logs ${node} shows what holds it up.`
  const promoted = { ...hasRole(cluster, node, 'primary'), what: `${node} to be promoted` }
  const { timeline } = await waitUntil(promoted, { ...options, intervalMs: 1, hint })
  return timeline
}
