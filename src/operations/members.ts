/**
 * Adding a replica while everything runs, and removing it.
 * Nobody else is restarted or recreated: the others are told by a reload, the primary by a slot.
 */
import { isLabError, LabError } from '../errors.ts'
import { areEquivalent, withHosts } from '../postgres/conninfo.ts'
import { isFree, requireFreePort } from '../runtime/ports.ts'
import type { Endpoint } from '../runtime/runtime.ts'
import { nextName, portVariable, requireRoomFor, templateOf } from '../topology/members.ts'
import type { NodeSpec } from '../topology/topology.ts'
import { met, notMet, waitUntil, type Condition } from '../wait.ts'
import { requireNoTablespaces } from './tablespaces.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { primaryOf, standbysOf, type NodeStatus, type StandbyStatus } from '../cluster/node-status.ts'
import { describeStatus, streaming } from '../cluster/conditions.ts'
import type { ChangeOptions } from '../cluster/settings.ts'
import { changeUpstream, readConninfo } from '../cluster/upstream.ts'
import { createSlots, dropSlot } from '../cluster/slots.ts'
import { nameToday } from './synchronous.ts'

export interface AddReplicaOptions {
  /** @default the next in the row: after replica1 and replica2, replica3 */
  readonly name?: string | undefined
  /** Limit in milliseconds until it streams. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Adds a standby like the first one of the compose file, and returns when it streams. `cluster` knows it from then on, and so
 * does every later command, until it is removed or the cluster is ended. When it fails, nothing of it is left.
 * @throws LabError USAGE for a name that cannot be, or an eleventh replica; NO_PRIMARY, PORT_IN_USE, CLONE_FAILED, TIMEOUT
 * @example
 * ```ts
 * const { name } = await addReplica(cluster, { timeoutMs: 60_000 })
 * ```
 */
export async function addReplica(cluster: Cluster, options: AddReplicaOptions): Promise<StandbyStatus> {
  const { runtime } = cluster
  const { timeoutMs, signal } = options
  const name = options.name ?? nextName(cluster.topology)
  requireRoomFor(name, cluster.topology)
  const primary = await cluster.primary(signal)
  requireNoTablespaces(primary)
  const port = await choosePort(cluster, name)
  cluster.emit({ kind: 'progress', text: `cloning ${name}` })
  try {
    await runtime.addMember({ name, port }, { signal })
    await announce(cluster, { without: name, timeoutMs, signal })
    await cluster.ask(primary.name, session => createSlots(cluster, primary.name, session), signal)
    cluster.emit({ kind: 'command', node: name, text: await runtime.start(name, { signal }) })
    const hint = `pnpm run logs ${primary.name} shows what the primary says of it.`
    const added = await waitUntil(streaming(cluster, name, primary.name), { timeoutMs, signal, hint })
    await nameToday(cluster, { timeoutMs, signal })
    return added
  } catch (error) {
    // Not with the caller's signal, which may have fired; and the first error is the one to tell.
    // USAGE: another command has just added one of that name, and that one is not ours to remove.
    if (!isLabError(error, 'USAGE')) await leave(cluster, name, { timeoutMs }).catch(() => undefined)
    if (!isLabError(error, 'NODE_FAILED')) throw error
    // Its log is gone with it.
    throw new LabError('CLONE_FAILED', error.message, { hint: 'Nothing of it is left; try again.', cause: error })
  }
}

export interface RemoveReplicaOptions {
  /** Limit in milliseconds for each server to let go of it. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/**
 * Removes a standby that was added: its server, its data, its slot.
 * @throws LabError NOT_REMOVABLE for the primary, for a node of the compose file, and for one that others depend on;
 * UNKNOWN_NODE, NO_PRIMARY, TIMEOUT
 * @example
 * ```ts
 * await removeReplica(cluster, 'replica3', { timeoutMs: 60_000 })
 * ```
 */
export async function removeReplica(cluster: Cluster, node: string, options: RemoveReplicaOptions): Promise<void> {
  const { name } = cluster.node(node)
  if (!cluster.topology.members.some(member => member.name === name)) {
    throw new LabError('NOT_REMOVABLE', `${name} is described in ${cluster.topology.file}, and was not added`, {
      hint: 'Only what was added can be removed. To be without it, take its service out of that file, and make the cluster anew.',
    })
  }
  requireUnneeded(await cluster.status(options.signal), name)
  await requireAnotherToWaitFor(cluster, name, options.signal)
  await leave(cluster, name, options)
  await nameToday(cluster, options)
}

/** @throws LabError NOT_REMOVABLE, NO_PRIMARY */
function requireUnneeded(all: readonly NodeStatus[], name: string): void {
  const primary = primaryOf(all)
  if (primary.name === name) {
    throw new LabError('NOT_REMOVABLE', `${name} is the primary, and only a standby can be removed`, {
      hint: 'Make another node the primary first: pnpm run switchover.',
    })
  }
  const [follower] = standbysOf(all).find(status => status.name === name)?.replication ?? []
  if (follower !== undefined) {
    throw new LabError('NOT_REMOVABLE', `${follower.applicationName} streams from ${name}`, {
      hint: `Let ${follower.applicationName} follow the primary first.`,
    })
  }
}

/** A standby that has just connected is counted as asynchronous until its first report. */
const FIRST_REPORT_MS = 2_000

/** @throws LabError NOT_REMOVABLE */
async function requireAnotherToWaitFor(cluster: Cluster, name: string, signal: AbortSignal | undefined): Promise<void> {
  const another: Condition<boolean> = {
    what: `another synchronous standby than ${name}`,
    observe: async () => {
      const { replication } = await cluster.primary(signal)
      const counted = replication.filter(({ syncState }) => syncState !== 'async')
      const isOnly = counted.length === 1 && counted[0]?.applicationName === name
      return !isOnly || replication.length === 1 ? met(!isOnly) : notMet('the others are not counted')
    },
  }
  const isThere = await waitUntil(another, { timeoutMs: FIRST_REPORT_MS, signal }).catch((error: unknown) => {
    if (isLabError(error, 'TIMEOUT')) return false
    throw error
  })
  if (isThere) return
  throw new LabError('NOT_REMOVABLE', `${name} is the only synchronous standby: without it every write would wait`, {
    hint: 'Add another replica first, or let commits wait for none: pnpm run sync off.',
  })
}

/** PORT of the environment, else the first that is free behind the last. @throws LabError PORT_IN_USE, USAGE */
async function choosePort({ topology }: Cluster, name: string): Promise<number> {
  const { host } = templateOf(topology.nodes).client
  const variable = portVariable(name)
  const named = topology.variables[variable]
  if (named !== undefined && named !== '') {
    if (!/^\d{1,5}$/.test(named) || Number(named) < 1 || Number(named) > HIGHEST_PORT)
      throw new LabError('USAGE', `${variable} is "${named}"`, { hint: 'It is a port, from 1 to 65535.' })
    await requireFreePort(name, { host, port: Number(named) })
    return Number(named)
  }
  const last = Math.max(...topology.nodes.map(({ client }) => client.port))
  for (let port = last + 1; port <= HIGHEST_PORT; port++) if (await isFree({ host, port })) return port
  throw new LabError('PORT_IN_USE', `no port behind ${last} is free for ${name}`, {
    hint: `Choose one with ${variable} in the environment or in .env.`,
  })
}

const HIGHEST_PORT = 65_535

/** Ends and forgets a member, in whatever state it is; the last thing that remembers it is its slot. */
async function leave(cluster: Cluster, name: string, options: RemoveReplicaOptions): Promise<void> {
  const { runtime } = cluster
  if (!runtime.topology.members.some(member => member.name === name)) return
  const state = await runtime.state(name)
  if (state === 'running' && (await cluster.nodeStatus(name)).role === 'standby')
    cluster.emit({ kind: 'command', node: name, text: await runtime.stop(name, 'fast') })
  // What stands still, or is only being cloned, hears nothing.
  else if (state === 'running' || state === 'frozen') await runtime.crash(name)
  await announce(cluster, { without: name, leaving: true, ...options })
  await runtime.removeMember(name)
  const all = await cluster.status()
  for (const status of all)
    if (status.role !== 'unreachable') await dropSlot(cluster, status.name, { of: name, ...options })
}

interface Announcement extends ChangeOptions {
  /** Who is not told. */
  readonly without: string
  /** Whether it is going to be gone; else it has just come. */
  readonly leaving?: boolean
}

/**
 * Tells every node that looks for the primary among all of them who these are now. One after another, and each only when the
 * one before it streams again: a changed primary_conninfo makes a standby connect anew, and a synchronous quorum must have
 * its standbys meanwhile. A node that does not answer is told by `up`.
 */
async function announce(cluster: Cluster, { without, leaving = false, ...options }: Announcement): Promise<void> {
  const rest = cluster.nodes.filter(({ name }) => name !== without)
  const endpoints = (nodes: readonly NodeSpec[]): Endpoint[] =>
    nodes.map(({ name }) => cluster.runtime.peerEndpoint(name))
  const [before, after] = leaving ? [cluster.nodes, rest] : [rest, cluster.nodes]
  for (const { name } of rest) {
    const standard = cluster.runtime.standbyConninfo(name)
    const change = { from: withHosts(standard, endpoints(before)), to: withHosts(standard, endpoints(after)) }
    await changeConninfo(cluster, name, { ...change, ...options }).catch((error: unknown) => {
      if (!isLabError(error, 'UNREACHABLE')) throw error
    })
  }
}

/** One that follows a node of its own choice (cascading, detached) is left alone. */
async function changeConninfo(
  cluster: Cluster,
  node: string,
  { from, to, ...options }: ChangeOptions & { readonly from: string; readonly to: string },
): Promise<void> {
  if (!areEquivalent(await readConninfo(cluster, node, options.signal), from)) return
  if (await changeUpstream(cluster, node, { conninfo: to, ...options }))
    await waitUntil(streams(cluster, node), { ...options, intervalMs: 2 })
}

const streams = (cluster: Cluster, node: string): Condition<undefined> => ({
  what: `${node} to stream over a new connection`,
  observe: async signal => {
    const status = await cluster.nodeStatus(node, signal)
    return status.role === 'standby' && status.walReceiver?.status === 'streaming'
      ? met(undefined)
      : notMet(describeStatus(status))
  },
})
