/**
 * A router over the nodes of a test's cluster.
 */
import type { TestCluster } from '../../src/index.ts'
import { createRouter, type Router, type RouterOptions } from '../../src/router/index.ts'
import { met, notMet, waitUntil } from '../../src/wait.ts'
import { startAsStranger, type TestRuntime } from './runtimes.ts'

/** A role that may see lag and history. */
export const MONITOR = { user: 'watcher', password: 'watching' }
export const INSERT = 'INSERT INTO orders (id) VALUES ($1)'
export const COUNT = 'SELECT count(*)::int AS n FROM orders WHERE id = $1'

/** With a table of orders, and the monitor. */
export async function startWithMonitor(runtime: TestRuntime): Promise<TestCluster> {
  const cluster = await startAsStranger(runtime, { schema: 'CREATE TABLE orders (id text)' })
  const role = `CREATE ROLE watcher LOGIN REPLICATION IN ROLE pg_monitor PASSWORD 'watching'`
  await cluster.query(role, [], { as: 'superuser' })
  await cluster.waitForCatchUp()
  return cluster
}

/** Over the nodes' own addresses: what is done to them is done to its connections. */
export function routerOf(
  cluster: TestCluster,
  options: Partial<RouterOptions> & { readonly nodes?: readonly string[] } = {},
): Router {
  const { nodes = ['primary', 'replica1', 'replica2'], ...rest } = options
  return createRouter({
    connectionStrings: nodes.map(node => cluster.urlOf(node)),
    ...{ monitor: MONITOR, checkEveryMs: 100, silenceMs: 500 },
    ...rest,
  })
}

/** The node at an address, `host:port`. */
export const nameIn = (cluster: TestCluster, address: string | undefined): string | undefined =>
  ['primary', 'replica1', 'replica2'].find(node => new URL(cluster.urlOf(node)).host === address)

/** Until the router says so of its hosts. */
export const until = (
  router: Router,
  what: string,
  holds: (status: ReturnType<Router['status']>) => boolean,
): Promise<unknown> =>
  waitUntil(
    {
      what,
      observe: async () => (holds(router.status()) ? met(undefined) : notMet(JSON.stringify(router.status().nodes))),
    },
    { timeoutMs: 20_000, intervalMs: 5 },
  )

/** How many standbys answer reads. */
export const fitStandbys = ({ nodes }: ReturnType<Router['status']>): number =>
  nodes.filter(node => node.role === 'standby' && node.unfit === undefined).length

/** Who answers a read with that token, and how often it sees the row. */
export const seenBy = async (router: Router, id: string, after: string) => {
  const { rows, role, node } = await router.read<{ n: number }>(COUNT, [id], { after })
  return { n: rows[0]!.n, role, node }
}
