/**
 * Up: from whatever state the last command, or its end, has left, to one primary with every other node streaming from it.
 */
import { isLabError, LabError } from '../errors.ts'
import { together } from '../together.ts'
import { met, notMet, waitUntil, type Condition, type Observation } from '../wait.ts'
import { primaryOf, standbysOf } from '../cluster/node-status.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { NodeStatus, PrimaryStatus, StandbyStatus } from '../cluster/node-status.ts'
import { describeStatus, hasRole, healthy, isFollowing, requireAlive } from '../cluster/conditions.ts'
import { endPause } from './delay.ts'
import { choosePrimary, type Found } from './choose-primary.ts'
import { readNodeHistory } from './node-history.ts'
import { promote } from './promote.ts'
import { someMayBePrimary } from './may-be-primary.ts'
import { settingsTooSmall, whyNotStreaming } from './standing.ts'
import { reconnectIsolated } from '../faults/network.ts'
import { rejoin, type Rejoined } from './rejoin.ts'
import { createSlots, dropLeftoverSlots } from '../cluster/slots.ts'
import { reloadAfterThaw } from '../cluster/settings.ts'
import { putBackLeft } from '../cluster/temporary-settings.ts'
import { changeUpstream, forgetStandbySettings, readUpstream } from '../cluster/upstream.ts'

export interface UpOptions {
  /** Limit of the whole operation in milliseconds. */
  readonly timeoutMs: number
  /** Whether what only one node has is kept before it is taken away: see {@link readKept}. @default true */
  readonly keep?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Starts what does not run, lets the node with the most advanced history be the primary (see {@link choosePrimary}), and brings
 * everything else back as its standbys. What only one node has is kept. Does nothing to a cluster that is well.
 * @throws LabError TIMEOUT, NODE_FAILED, CLONE_FAILED, PORT_IN_USE, WRONG_PASSWORD, OTHER_CLUSTER, and what the runtime throws
 * @example
 * ```ts
 * const primary = await up(cluster, { timeoutMs: 180_000 })
 * ```
 */
export async function up(cluster: Cluster, { timeoutMs, keep, signal }: UpOptions): Promise<PrimaryStatus> {
  const deadline = performance.now() + timeoutMs
  const limits = (): UpOptions => ({ timeoutMs: Math.max(1, deadline - performance.now()), keep, signal })
  await requireOurs(cluster, signal)
  const stoodStill = await frozenNodes(cluster)
  await cluster.runtime.up({ ...limits(), onProgress: text => cluster.emit({ kind: 'progress', text }) })
  await reconnectIsolated(cluster)
  const answers = await waitUntil(answering(cluster), limits())
  await together(stoodStill, name => reloadAfterThaw(cluster, name, signal))
  const primary = await onePrimary(cluster, answers, limits())
  await cluster.withSession(primary.name, session => createSlots(cluster, primary.name, session), signal)
  const others = cluster.nodes.filter(({ name }) => name !== primary.name)
  await together(
    others,
    ({ name }, failed) => bringBack(cluster, name, { ...limits(), primary: primary.name, signal: failed }),
    signal,
  )
  await putBackLeft(cluster, limits())
  const well = await waitUntil(settled(cluster), limits())
  const standbys = cluster.nodes.filter(({ name }) => name !== well.name)
  await together(standbys, ({ name }) => dropLeftoverSlots(cluster, name, signal))
  return well
}

/** Healthy, and no standby still has a sender for one that has left it: its slot could not be dropped. */
function settled(cluster: Cluster): Condition<PrimaryStatus> {
  const well = healthy(cluster)
  return {
    what: well.what,
    observe: async signal => {
      const seen = await well.observe(signal)
      if (!seen.met) return seen
      const all = standbysOf(await cluster.status(signal))
      const hasLeft = (name: string): boolean =>
        all.some(standby => standby.name === name && isFollowing(standby, seen.value))
      const former = all.find(({ replication }) => replication.some(({ applicationName }) => hasLeft(applicationName)))
      return former === undefined ? seen : notMet(`${former.name} has not noticed yet that a standby has left it`)
    },
  }
}

/**
 * The password and the like, before anything is touched: with another password in the environment, Compose would replace
 * containers that are well.
 */
async function requireOurs(cluster: Cluster, signal: AbortSignal | undefined): Promise<void> {
  for (const { name } of cluster.nodes) {
    if ((await cluster.runtime.state(name)) === 'running') await cluster.nodeStatus(name, signal)
  }
}

async function frozenNodes(cluster: Cluster): Promise<string[]> {
  const names = cluster.nodes.map(({ name }) => name)
  const states = await Promise.all(names.map(name => cluster.runtime.state(name)))
  return names.filter((_, at) => states[at] === 'frozen')
}

/** For so long a node without an answer may be one that waits for a primary which does not exist. */
const NO_PRIMARY_GRACE_MS = 5_000

interface Answers {
  readonly all: readonly NodeStatus[]
  readonly found: readonly Found[]
}

/**
 * Every server that was started answers, and tells its history; one that needs a primary for its clone is not waited for when
 * there is none.
 */
function answering(cluster: Cluster): Condition<Answers> {
  const graceEnds = performance.now() + NO_PRIMARY_GRACE_MS
  return {
    what: 'every server to answer',
    observe: async signal => {
      const all = await cluster.status(signal)
      const hasPrimary = all.some(({ role }) => role === 'primary')
      if (hasPrimary || standbysOf(all).length === 0) for (const status of all) await requireAlive(cluster, status)
      const silent = all.filter(status => status.role === 'unreachable' && status.state === 'running')
      const [first] = silent
      const waiting = standbysOf(all).find(({ waitsForPeers }) => waitsForPeers)
      if (!hasPrimary && waiting !== undefined && performance.now() < graceEnds)
        return notMet(`${waiting.name} was the primary, and asks its peers whether it may go on`)
      if (first === undefined) return await toldBy(cluster, all, signal)
      const isStuck = !hasPrimary && standbysOf(all).length > 0 && performance.now() > graceEnds
      // A primary that is only slow to start is waited for: to promote another one beside it would make two of them.
      return isStuck && !(await someMayBePrimary(cluster, silent))
        ? await toldBy(cluster, all, signal)
        : notMet(describeStatus(first))
    },
  }
}

/** A former primary that becomes a standby is started anew, and answers nothing meanwhile. */
async function toldBy(
  cluster: Cluster,
  all: readonly NodeStatus[],
  signal: AbortSignal,
): Promise<Observation<Answers>> {
  try {
    return met({ all, found: await readFound(cluster, all, signal) })
  } catch (error) {
    if (isLabError(error, 'UNREACHABLE')) return notMet(error.message)
    throw error
  }
}

async function onePrimary(cluster: Cluster, { all, found }: Answers, options: UpOptions): Promise<PrimaryStatus> {
  const choice = choosePrimary(found)
  if (choice === undefined) return primaryOf(all)
  const { primary, isPromoted, superseded, why } = choice
  // First of all: what they go on to acknowledge would be on no timeline that another node could follow.
  for (const name of superseded) {
    cluster.emit({ kind: 'remark', text: `${name} accepts writes, and is stopped: ${primary} ${why}` })
    await cluster.runtime.stop(name, 'fast', options)
    await cluster.runtime.fence(name)
  }
  if (isPromoted) {
    if (superseded.length === 0)
      cluster.emit({ kind: 'remark', text: `no node accepts writes: ${primary}, which ${why}, is promoted` })
    await fenceWaiting(
      cluster,
      all.filter(({ name }) => name !== primary),
      options,
    )
    await promote(cluster, primary, options)
  }
  await forgetStandbySettings(cluster, primary, options)
  for (const name of superseded) tellRejoined(cluster, await rejoin(cluster, name, options))
  return primaryOf(await cluster.status(options.signal))
}

/** A former primary that still asks its peers could find just now that it may go on. */
async function fenceWaiting(cluster: Cluster, all: readonly NodeStatus[], options: UpOptions): Promise<void> {
  for (const { name, waitsForPeers } of standbysOf(all)) {
    if (!waitsForPeers) continue
    await cluster.runtime.stop(name, 'fast', options)
    await cluster.runtime.fence(name)
  }
}

/** The standbys first: read later than a primary which is written to, they would seem to be ahead of it. */
async function readFound(cluster: Cluster, all: readonly NodeStatus[], signal?: AbortSignal): Promise<Found[]> {
  const found = new Map<string, Found>()
  for (const role of ['standby', 'primary'] as const) {
    for (const status of all) {
      if (status.role !== role) continue
      const recoveryMinApplyDelayMs = status.role === 'standby' ? status.recoveryMinApplyDelayMs : 0
      const history = await readNodeHistory(cluster, status.name, signal)
      found.set(status.name, { name: status.name, role, history, recoveryMinApplyDelayMs })
    }
  }
  return all.flatMap(({ name }) => found.get(name) ?? [])
}

function tellRejoined(cluster: Cluster, { node, by, why }: Rejoined): void {
  cluster.emit({ kind: 'remark', text: `${node} is back by ${by}: ${why}` })
}

/** A standby connects within this, if it can at all: it tries every 100 ms. */
const STREAMS_BY_ITSELF_MS = 5_000

async function bringBack(
  cluster: Cluster,
  name: string,
  options: UpOptions & { readonly primary: string },
): Promise<void> {
  const { runtime } = cluster
  const { primary } = options
  const status = await cluster.nodeStatus(name, options.signal)
  const state = status.role === 'unreachable' ? status.state : 'running'
  if (state === 'frozen') await runtime.thaw(name)
  if (state === 'stopped' || state === 'absent') await runtime.start(name, { signal: options.signal })
  const patience = status.role === 'unreachable' ? options.timeoutMs : Math.min(options.timeoutMs, STREAMS_BY_ITSELF_MS)
  const standby = await waitUntil(hasRole(cluster, name, 'standby'), { ...options, timeoutMs: patience })
  await goOnReplaying(cluster, standby, options)
  if (!standby.waitsForPeers) await followPrimary(cluster, name, options)
  const why = await whyNotStreaming(cluster, name, { ...options, timeoutMs: patience }).catch((error: unknown) => {
    if (!isLabError(error, 'TIMEOUT') || status.role === 'unreachable') throw error
    return 'it does not stream'
  })
  if (why === undefined) return
  cluster.emit({ kind: 'remark', text: `${name} cannot follow ${primary} as it is: ${why}` })
  tellRejoined(cluster, await rejoin(cluster, name, options))
}

/** What a lab that was killed has left paused. With a delay it is left to whoever gets back a table there. */
async function goOnReplaying(
  cluster: Cluster,
  standby: StandbyStatus,
  options: UpOptions & { readonly primary: string },
): Promise<void> {
  const { name, replayPaused, recoveryMinApplyDelayMs } = standby
  if (!replayPaused) return
  const small = await settingsTooSmall(cluster, standby, options)
  if (small !== undefined) {
    throw new LabError('NODE_FAILED', `PostgreSQL has paused the replay of ${name}, since ${small}`, {
      hint: `Raise it there (pnpm run psql ${name}: ALTER SYSTEM SET …), then pnpm run down --keep-data and pnpm run up. To resume the replay would end the server.`,
    })
  }
  if (recoveryMinApplyDelayMs > 0) {
    const text = `replay is paused on ${name}, which has a delay: it stays so until SELECT pg_wal_replay_resume()`
    return cluster.emit({ kind: 'remark', text })
  }
  cluster.emit({ kind: 'remark', text: `replay was paused on ${name}: it goes on` })
  await endPause(cluster, name, options)
  await waitUntil(hasRole(cluster, name, 'standby'), options)
}

/** A standby that cascades, or whose primary_conninfo a lab that was killed has left changed, needs neither rewind nor clone. */
async function followPrimary(cluster: Cluster, name: string, options: UpOptions): Promise<void> {
  const upstream = await readUpstream(cluster, name, options.signal)
  if (upstream.kind === 'primary') return
  const what =
    upstream.kind === 'node' ? `followed ${upstream.name} alone` : `had the primary_conninfo '${upstream.conninfo}'`
  cluster.emit({ kind: 'remark', text: `${name} ${what}: it follows the primary again` })
  await changeUpstream(cluster, name, { conninfo: cluster.runtime.standbyConninfo(name), ...options })
}
