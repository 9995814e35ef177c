/**
 * What the data of a node that runs and does not answer says of it.
 */
import type { Cluster, NodeStatus } from './cluster.ts'

/** Whether one of them has data with which it starts as a primary: a database, and no standby.signal. */
export async function someMayBePrimary(cluster: Cluster, silent: readonly NodeStatus[]): Promise<boolean> {
  const has = async (name: string, file: string): Promise<boolean> =>
    (await cluster.runtime.readData(name, file)) !== undefined
  const all = await Promise.all(
    silent.map(async ({ name }) => (await has(name, 'PG_VERSION')) && !(await has(name, 'standby.signal'))),
  )
  return all.includes(true)
}
