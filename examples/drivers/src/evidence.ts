/**
 * What is left of the subjects in the cluster.
 */
import { met, notMet, waitUntil, type TestCluster } from 'pg-failover-lab'
import type { SubjectProcess } from './subject-process.ts'

interface Where {
  readonly node: string
  readonly signal: AbortSignal
}

const SETTLES_MS = 3_000

/** The sessions on a node by application_name; undefined where the node does not answer. */
export async function countConnections(
  cluster: TestCluster,
  { node, signal }: Where,
): Promise<ReadonlyMap<string, number> | undefined> {
  const status = (await cluster.status()).find(({ name }) => name === node)
  if (status === undefined || status.role === 'unreachable') return undefined
  const look = async (): Promise<string> =>
    JSON.stringify(await cluster.query(CONNECTIONS, [], { node, as: 'superuser' }))
  let last = ''
  // One that was frozen needs a moment to notice who has left.
  const observe = async () => {
    const seen = await look()
    const isSettled = seen === last
    last = seen
    return isSettled ? met(seen) : notMet(seen)
  }
  const settled = { what: `the sessions on ${node} to settle`, observe }
  const text = await waitUntil(settled, { timeoutMs: SETTLES_MS, intervalMs: 100, signal }).catch(() => last)
  const rows = JSON.parse(text) as readonly { readonly name: string; readonly n: number }[]
  return new Map(rows.map(({ name, n }) => [name, n]))
}

const CONNECTIONS = `SELECT application_name AS name, count(*)::int AS n FROM pg_stat_activity
WHERE backend_type = 'client backend' AND usename = 'app' GROUP BY 1 ORDER BY 1`

/** The ids in each subject's table, as often as they are there. */
export async function readIds(
  cluster: TestCluster,
  { node, subjects }: { readonly node: string; readonly subjects: readonly SubjectProcess[] },
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (subjects.length === 0) return new Map()
  const parts = subjects.map(({ name, table }) => `SELECT '${name}' AS name, array_agg(id) AS ids FROM ${table}`)
  const rows = await cluster.query<{ name: string; ids: string[] | null }>(parts.join(' UNION ALL '), [], { node })
  return new Map(rows.map(({ name, ids }) => [name, ids ?? []]))
}
