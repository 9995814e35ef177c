/**
 * A client that does not look for the primary itself: it goes through the router, which lets its writes wait meanwhile.
 */
import type { Cluster } from '../cluster/cluster.ts'
import type { Way } from './lane.ts'
import { createRouter, type Router, type RouterOptions } from '../router/index.ts'

/** The router of a cluster, as a way for a writer. */
export interface RoutedWay extends Way, AsyncDisposable {
  readonly router: Router
  /** The node at an address, `host:port`, as the router has it. */
  readonly nodeAt: (address: string) => string
}

export interface ThroughRouterOptions extends Pick<RouterOptions, 'maxLagMs'> {
  /** A write that has no answer after so many milliseconds is indeterminate. @default 2000 */
  readonly writeTimeoutMs?: number | undefined
  /** @default 4 */
  readonly connections?: number | undefined
}

/** A router over the nodes of the lab's cluster, as the role of the lab, which may see lag and history. */
export function throughRouter(
  cluster: Cluster,
  { writeTimeoutMs = 2_000, connections = 4, ...limits }: ThroughRouterOptions = {},
): RoutedWay {
  const nodes = cluster.nodes.map(({ name }) => ({ name, ...cluster.clientEndpoint(name) }))
  const { lab, database } = cluster.topology
  const router = createRouter({
    hosts: nodes.map(({ host, port }) => ({ host, port })),
    ...{ user: lab.user, password: lab.password, database, max: connections, application_name: 'lab writer' },
    statementTimeoutMs: writeTimeoutMs,
    ...limits,
  })
  const names = new Map(nodes.map(({ name, host, port }) => [`${host}:${port}`, name]))
  const nodeAt = (address: string): string => names.get(address) ?? address
  return {
    router,
    nodeAt,
    write: async (statement, values) => {
      const { node } = await router.write({ name: 'insert', text: statement, values })
      return nodeAt(node)
    },
    hold: async limitMs => {
      await router.hold({ limitMs })
    },
    release: () => router.release(),
    [Symbol.asyncDispose]: () => router.end(),
  }
}
