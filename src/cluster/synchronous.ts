/**
 * Synchronous replication, set up on every node for a while.
 */
import { synchronousStandbyNames, type Synchronous } from '../postgres/synchronous.ts'
import { met, notMet, waitUntil, type Condition } from '../wait.ts'
import type { Cluster } from './cluster.ts'
import { changeSettings, restoreSettings, type ChangeOptions } from './settings.ts'

/**
 * Sets both on every node, so that they survive a failover, and returns when the primary waits for a standby. Disposing of
 * what it returns resets them on every node, also on one that is down.
 * @throws LabError TIMEOUT, UNREACHABLE, NO_PRIMARY
 */
export async function setSynchronous(
  cluster: Cluster,
  { standbys, synchronousCommit }: Synchronous,
  options: ChangeOptions,
): Promise<AsyncDisposable> {
  const names = synchronousStandbyNames(
    standbys,
    cluster.nodes.map(({ name }) => name),
  )
  const reset = { synchronous_standby_names: null, synchronous_commit: null }
  const { timeoutMs } = options
  // Not with the caller's signal, which may have fired: what was changed is changed back also after Ctrl-C.
  const dispose = async (): Promise<void> => {
    await Promise.all(cluster.nodes.map(({ name }) => restoreSettings(cluster, name, { settings: reset, timeoutMs })))
  }
  try {
    const settings = { synchronous_standby_names: names, synchronous_commit: synchronousCommit }
    await Promise.all(cluster.nodes.map(({ name }) => changeSettings(cluster, name, { settings, ...options })))
    if (standbys !== 'asynchronous') await waitUntil(waitsForStandby(cluster), options)
  } catch (error) {
    await dispose()
    throw error
  }
  return { [Symbol.asyncDispose]: dispose }
}

function waitsForStandby(cluster: Cluster): Condition<undefined> {
  return {
    what: 'the primary to have a synchronous standby',
    observe: async signal => {
      const { name, replication } = await cluster.primary(signal)
      const states = replication.map(({ applicationName, syncState }) => `${applicationName} ${syncState}`)
      const isThere = replication.some(({ syncState }) => syncState === 'sync' || syncState === 'quorum')
      return isThere ? met(undefined) : notMet(`${name} has ${states.join(', ') || 'no standby'}`)
    },
  }
}
