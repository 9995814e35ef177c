/**
 * How a client of the stack finds the primary: it asks the nodes itself, or goes to an address that leads there, or lets the router find it.
 */
import type { Way } from '../client/lane.ts'
import { NamedServers, type NamedServersOptions } from '../client/named-servers.ts'
import { throughRouter } from '../client/through-router.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { connectionUrl } from '../postgres/conninfo.ts'
import type { Endpoint } from '../runtime/runtime.ts'
import type { PatroniStack } from './stack.ts'

export const stackWays = ['hosts', 'haproxy', 'pgbouncer', 'router'] as const
export type StackWay = (typeof stackWays)[number]

/** A client's way to the primary, as {@link import('../experiments/measure/measure.ts').measure} takes it. */
export interface OpenWay extends AsyncDisposable {
  readonly servers: NamedServers
  /** Undefined where its connections lead to what `servers` names. */
  readonly way: Pick<Way, 'write'> | undefined
}

export interface WayOptions {
  /** Limit for connecting, in milliseconds. */
  readonly connectTimeoutMs: number
  /** Limit for an answer to a write, in milliseconds. */
  readonly writeTimeoutMs: number
  readonly connections: number
}

/** Connects to nothing yet, but for the router. */
export function openWay(
  cluster: Cluster,
  stack: PatroniStack,
  { way, ...limits }: WayOptions & { way: StackWay },
): OpenWay {
  const { connectTimeoutMs } = limits
  const nodes = cluster.nodes.map(({ name }) => urlOf(stack, cluster.clientEndpoint(name)))
  const plain = (named: Omit<NamedServersOptions, 'connectTimeoutMs'>): OpenWay => ({
    servers: new NamedServers({ ...named, connectTimeoutMs }),
    way: undefined,
    [Symbol.asyncDispose]: async () => undefined,
  })
  const through = (at: Endpoint): OpenWay => plain({ address: urlOf(stack, at), standbys: nodes })
  switch (way) {
    case 'hosts':
      return plain({ nodes })
    case 'haproxy':
      return through(stack.haproxy.primary)
    case 'pgbouncer':
      return through(stack.pgbouncer)
    case 'router': {
      const { router, nodeAt, [Symbol.asyncDispose]: end } = throughRouter(cluster, limits)
      const write = async (text: string, values: unknown[]): Promise<string> => {
        const { rows, node } = await router.write<{ server?: string }>({ name: 'insert', text, values })
        return rows[0]?.server ?? nodeAt(node)
      }
      return { ...plain({ nodes }), way: { write }, [Symbol.asyncDispose]: end }
    }
  }
}

const urlOf = ({ topology: { lab, database } }: PatroniStack, at: Endpoint): string =>
  connectionUrl({ ...at, ...lab, database })
