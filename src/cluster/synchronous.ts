/**
 * Synchronous replication: which standbys a commit waits for, and for what.
 * https://www.postgresql.org/docs/current/runtime-config-replication.html#GUC-SYNCHRONOUS-STANDBY-NAMES
 */
import { met, notMet, waitUntil, type Condition } from '../wait.ts'
import type { Cluster } from './cluster.ts'
import { changeSettings, restoreSettings, type ChangeOptions } from './settings.ts'

/** None; the first of the list that is there; any one of the list. */
export const synchronousStandbys = ['asynchronous', 'one', 'quorum'] as const
export type SynchronousStandbys = (typeof synchronousStandbys)[number]

/** Values of synchronous_commit, from the least to the most that a commit waits for. */
export const synchronousCommits = ['off', 'local', 'remote_write', 'on', 'remote_apply'] as const
export type SynchronousCommit = (typeof synchronousCommits)[number]

export interface Synchronous {
  readonly standbys: SynchronousStandbys
  readonly synchronousCommit: SynchronousCommit
}

/**
 * Whether a write that was acknowledged under these settings is on a standby when the primary dies.
 * With `remote_write` it is in the standby's operating system, which the death of the primary does not touch.
 */
export const promisesDurability = ({ standbys, synchronousCommit }: Synchronous): boolean =>
  standbys !== 'asynchronous' && synchronousCommit !== 'off' && synchronousCommit !== 'local'

/** The value of synchronous_standby_names. All nodes are in it, so that it is right whichever is the primary. */
export function synchronousStandbyNames(standbys: SynchronousStandbys, nodes: readonly string[]): string {
  const names = nodes.map(name => `"${name.replaceAll('"', '""')}"`).join(', ')
  switch (standbys) {
    case 'asynchronous':
      return ''
    case 'one':
      return `FIRST 1 (${names})`
    case 'quorum':
      return `ANY 1 (${names})`
  }
}

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
