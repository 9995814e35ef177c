/**
 * A cluster to which nobody does anything: whether it changes its roles by itself.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { describeStatus } from '../cluster/conditions.ts'
import type { NodeStatus } from '../cluster/node-status.ts'
import { met, notMet, type Condition } from '../wait.ts'

/** Met when no node has accepted writes for so many milliseconds, and at once when one does: what the nodes say then. */
export function leftAlone(cluster: Cluster, { forMs }: { readonly forMs: number }): Condition<readonly NodeStatus[]> {
  const from = performance.now()
  return {
    what: 'a node to accept writes, or the time to pass',
    observe: async signal => {
      const all = await cluster.status(signal)
      const isOver = performance.now() - from >= forMs
      return isOver || all.some(({ role }) => role === 'primary')
        ? met(all)
        : notMet(all.map(describeStatus).join(', '))
    },
  }
}
