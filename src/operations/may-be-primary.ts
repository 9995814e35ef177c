/**
 * What the data of a node that runs and does not answer says of it.
 */
import type { Cluster } from '../cluster/cluster.ts'
import type { NodeStatus } from '../cluster/node-status.ts'

/**
 * Whether one of them has data with which it may start as a primary: a database that is not to be cloned anew, and no
 * standby.signal, or that of a former primary: see become_reader in replica-entrypoint/start-writable.sh.
 */
export async function someMayBePrimary({ runtime }: Cluster, silent: readonly NodeStatus[]): Promise<boolean> {
  const all = await Promise.all(
    silent.map(
      async ({ name }) =>
        (await runtime.readData(name, 'PG_VERSION')) !== undefined &&
        (await runtime.readData(name, 'standby.signal'))?.length !== 0 &&
        !(await runtime.isDiscarded(name)),
    ),
  )
  return all.includes(true)
}
