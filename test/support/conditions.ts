/**
 * What tests wait for.
 */
import { met, notMet, type Cluster, type Condition, type Lsn, type NodeStatus } from '../../src/index.ts'
import { describeStatus } from '../../src/cluster/conditions.ts'

/** `node` is so. `what` is the end of a sentence about it: `receive nothing`. */
export const nodeTo = (
  cluster: Cluster,
  { node, what, is }: { node: string; what: string; is: (status: NodeStatus) => boolean },
): Condition<NodeStatus> => ({
  what: `${node} to ${what}`,
  observe: async signal => {
    const status = await cluster.nodeStatus(node, signal)
    return is(status) ? met(status) : notMet(describeStatus(status))
  },
})

export const received = (cluster: Cluster, node: string, lsn: Lsn): Condition<NodeStatus> =>
  nodeTo(cluster, {
    node,
    what: 'receive what is written',
    is: status => status.role === 'standby' && status.receiveLsn !== null && status.receiveLsn >= lsn,
  })

export const receivesNothing = (cluster: Cluster, node: string): Condition<NodeStatus> =>
  nodeTo(cluster, {
    node,
    what: 'receive nothing',
    is: status => status.role === 'standby' && status.walReceiver === null,
  })

export const answersNothing = (cluster: Cluster, node: string): Condition<NodeStatus> =>
  nodeTo(cluster, { node, what: 'answer nothing', is: ({ role }) => role === 'unreachable' })
