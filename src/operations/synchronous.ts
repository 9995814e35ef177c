/**
 * Synchronous replication, set up on every node, for good or for a while. All nodes have the same settings and all names are
 * in them, so they are right after a failover or a switchover too, whoever is the primary then.
 */
import { LabError } from '../errors.ts'
import {
  synchronousStandbyNames,
  synchronousStandbysOf,
  type Synchronous,
  type SynchronousStandbys,
} from '../postgres/synchronous.ts'
import { together } from '../together.ts'
import { met, notMet, waitUntil, type Condition } from '../wait.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { primaryOf, standbysOf, type PrimaryStatus } from '../cluster/node-status.ts'
import { isFollowing, primaryAmong } from '../cluster/conditions.ts'
import { restoreSettings, type ChangeOptions, type Settings } from '../cluster/settings.ts'
import { changedForAWhile, putBackLeft } from '../cluster/temporary-settings.ts'

/** What a commit waits for now, as the primary tells it. */
export interface SynchronousState {
  readonly primary: string
  /** Undefined when synchronous_standby_names is none that the lab sets. */
  readonly standbys: SynchronousStandbys | undefined
  readonly synchronousCommit: string
  readonly synchronousStandbyNames: string
  /** Of each standby that streams: `async`, `potential`, `sync` or `quorum`. https://www.postgresql.org/docs/current/monitoring-stats.html */
  readonly syncStates: Readonly<Record<string, string>>
}

/**
 * @throws LabError NO_PRIMARY, SPLIT_BRAIN, NOT_RUNNING
 * @example
 * ```ts
 * const { synchronousStandbyNames, syncStates } = await readSynchronous(cluster)
 * ```
 */
export async function readSynchronous(cluster: Cluster, signal?: AbortSignal): Promise<SynchronousState> {
  return stateOf(await cluster.primary(signal))
}

const stateOf = (primary: PrimaryStatus): SynchronousState => ({
  primary: primary.name,
  standbys: synchronousStandbysOf(primary.synchronousStandbyNames),
  synchronousCommit: primary.synchronousCommit,
  synchronousStandbyNames: primary.synchronousStandbyNames,
  syncStates: Object.fromEntries(primary.replication.map(sender => [sender.applicationName, sender.syncState])),
})

/**
 * Sets both on every node, also on one that is down, and returns when the primary waits for a standby.
 * @throws LabError NOT_READY when no standby streams, because then every write would wait for ever; NO_PRIMARY, TIMEOUT
 * @example
 * ```ts
 * const setting = { standbys: 'one', synchronousCommit: 'remote_apply' } as const
 * await changeSynchronous(cluster, setting, { timeoutMs: 60_000 })
 * ```
 */
export async function changeSynchronous(
  cluster: Cluster,
  setting: Synchronous,
  options: ChangeOptions,
): Promise<SynchronousState> {
  await putBackLeft(cluster, options) // or the next `up` would
  return await setSynchronous(cluster, setting, options)
}

async function setSynchronous(
  cluster: Cluster,
  { standbys, synchronousCommit }: Synchronous,
  { timeoutMs, signal }: ChangeOptions,
): Promise<SynchronousState> {
  const all = await cluster.status(signal)
  const primary = primaryOf(all)
  if (standbys !== 'asynchronous' && !standbysOf(all).some(standby => isFollowing(standby, primary))) {
    throw new LabError('NOT_READY', 'no standby streams, so every write would wait: nothing was changed', {
      hint: 'pnpm run up brings the standbys back.',
    })
  }
  const names = cluster.nodes.map(({ name }) => name)
  await setEverywhere(
    cluster,
    { synchronous_standby_names: synchronousStandbyNames(standbys, names), synchronous_commit: synchronousCommit },
    timeoutMs,
  )
  return await waitUntil(inEffect(cluster, standbys), { timeoutMs, signal })
}

/**
 * As {@link changeSynchronous}, until it is disposed of: then every node has what the primary had before, also after Ctrl-C.
 * @example
 * ```ts
 * const setting = { standbys: 'quorum', synchronousCommit: 'on' } as const
 * await using _synchronous = await temporarySynchronous(cluster, setting, { timeoutMs: 60_000 })
 * ```
 */
export async function temporarySynchronous(
  cluster: Cluster,
  setting: Synchronous,
  options: ChangeOptions,
): Promise<AsyncDisposable> {
  await putBackLeft(cluster, options)
  const before = await readSynchronous(cluster, options.signal)
  const former: Settings = {
    synchronous_standby_names: before.synchronousStandbyNames || null,
    synchronous_commit: before.synchronousCommit === 'on' ? null : before.synchronousCommit,
  }
  return await changedForAWhile(
    cluster,
    cluster.nodes.map(({ name }) => name),
    { former, change: () => setSynchronous(cluster, setting, options), timeoutMs: options.timeoutMs },
  )
}

/** Names today's nodes in the settings, if they were made by {@link changeSynchronous}: after one was added or removed. */
export async function nameToday(cluster: Cluster, { timeoutMs, signal }: ChangeOptions): Promise<void> {
  const { standbys } = await readSynchronous(cluster, signal)
  if (standbys === undefined || standbys === 'asynchronous') return
  const names = cluster.nodes.map(({ name }) => name)
  await setEverywhere(cluster, { synchronous_standby_names: synchronousStandbyNames(standbys, names) }, timeoutMs)
}

async function setEverywhere(cluster: Cluster, settings: Settings, timeoutMs: number): Promise<void> {
  await together(cluster.nodes, ({ name }) => restoreSettings(cluster, name, { settings, timeoutMs }))
}

function inEffect(cluster: Cluster, standbys: SynchronousStandbys): Condition<SynchronousState> {
  return {
    what:
      standbys === 'asynchronous' ? 'the primary to wait for no standby' : 'the primary to have a synchronous standby',
    observe: async signal => {
      const now = primaryAmong(await cluster.status(signal))
      if (!now.met) return now
      const state = stateOf(now.value)
      const states = Object.entries(state.syncStates).map(([node, syncState]) => `${node} ${syncState}`)
      const isSynchronous = Object.values(state.syncStates).some(isWaitedFor)
      return isSynchronous === (standbys !== 'asynchronous')
        ? met(state)
        : notMet(`${state.primary} has ${states.join(', ') || 'no standby'}`)
    },
  }
}

/** Whether a commit waits for a standby in this sync_state; `potential` is one that would take its place. */
export const isWaitedFor = (syncState: string): boolean => syncState === 'sync' || syncState === 'quorum'
