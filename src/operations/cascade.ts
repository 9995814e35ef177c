/**
 * Cascading: a standby that follows another standby, which sends on what it receives.
 * When the primary dies and its upstream is promoted, or follows whoever was, it comes along to the new timeline. When its
 * upstream dies it stands still and answers reads, and looks for nobody else; its slot is on the upstream, and goes with it.
 * https://www.postgresql.org/docs/current/warm-standby.html#CASCADING-REPLICATION
 */
import { LabError } from '../errors.ts'
import { areEquivalent } from '../postgres/conninfo.ts'
import { waitUntil } from '../wait.ts'
import type { Cluster } from '../cluster/cluster.ts'
import {
  primaryOf,
  requireAnswer,
  requireStandby,
  type NodeStatus,
  type StandbyStatus,
} from '../cluster/node-status.ts'
import { streaming } from '../cluster/conditions.ts'
import { restoreSettings } from '../cluster/settings.ts'
import { createSlot, createSlots, dropSlot } from '../cluster/slots.ts'
import { changeUpstream, conninfoTo, readConninfo, readUpstream } from '../cluster/upstream.ts'

export interface FollowOptions {
  /** Limit in milliseconds until it streams. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface CascadeOptions extends FollowOptions {
  /** Which node to follow. The primary's name is the way back: see {@link follow}. */
  readonly from: string
}

/** Whom a standby follows now. */
export interface Following {
  readonly node: string
  readonly from: string
  /** Whether `from` is itself a standby. */
  readonly isCascading: boolean
  readonly timeline: number
}

/**
 * Lets a standby follow another one, through a slot of its own there; returns when the other sends to it. If that does not
 * happen in time, it follows again whom it followed before.
 * @throws LabError USAGE when it would follow itself, also through others; UNKNOWN_NODE when there is no such standby;
 * UNREACHABLE, TIMEOUT
 * @example
 * ```ts
 * await cascade(cluster, 'replica2', { from: 'replica1', timeoutMs: 60_000 })
 * ```
 */
export async function cascade(cluster: Cluster, node: string, options: CascadeOptions): Promise<Following> {
  const { from, signal } = options
  const [name, upstream] = [cluster.node(node).name, cluster.node(from).name]
  const all = await cluster.status(signal)
  requireStandby(all, name)
  if (upstream === name) throw loop(`${name} cannot follow itself`)
  const source = requireAnswer(all, upstream)
  if (source.role === 'primary') return await follow(cluster, name, options)
  await refuseLoop(cluster, { name, upstream, all, signal })
  const isNew = await createSlot(cluster, upstream, { of: name })
  try {
    return await turn(cluster, { name, upstream, conninfo: conninfoTo(cluster, name, upstream), ...options })
  } catch (error) {
    // The first error is what to tell, and the signal may have fired.
    if (isNew) await dropSlot(cluster, upstream, { of: name, timeoutMs: options.timeoutMs }).catch(() => undefined)
    throw error
  }
}

/**
 * Lets a standby follow the primary again, whichever node that is, and whichever it will be.
 * @throws LabError UNKNOWN_NODE when there is no such standby; NO_PRIMARY, UNREACHABLE, TIMEOUT
 */
export async function follow(cluster: Cluster, node: string, options: FollowOptions): Promise<Following> {
  const { name } = cluster.node(node)
  const all = await cluster.status(options.signal)
  requireStandby(all, name)
  const { name: upstream } = primaryOf(all)
  await cluster.ask(upstream, session => createSlots(cluster, upstream, session), options.signal)
  return await turn(cluster, { name, upstream, conninfo: cluster.runtime.standbyConninfo(name), ...options })
}

interface Turn extends FollowOptions {
  readonly name: string
  readonly upstream: string
  readonly conninfo: string
}

async function turn(cluster: Cluster, { name, upstream, conninfo, ...options }: Turn): Promise<Following> {
  const before = await readConninfo(cluster, name, options.signal)
  let status: StandbyStatus
  try {
    if (!areEquivalent(before, conninfo)) await changeUpstream(cluster, name, { conninfo, ...options })
    const hint = `pnpm run logs ${name} shows what holds it up; it follows again whom it followed before.`
    status = await waitUntil(streaming(cluster, name, upstream), { ...options, hint })
  } catch (error) {
    const settings = { primary_conninfo: before }
    // The first error is what to tell, also when this fails, too: up puts right what is left then.
    await restoreSettings(cluster, name, { settings, timeoutMs: options.timeoutMs }).catch(() => undefined)
    throw error
  }
  await leaveNoSlot(cluster, name, { upstream, ...options })
  const from = await cluster.nodeStatus(upstream, options.signal)
  return { node: name, from: upstream, isCascading: from.role === 'standby', timeline: status.timeline }
}

interface Chain {
  readonly name: string
  readonly upstream: string
  readonly all: readonly NodeStatus[]
  readonly signal: AbortSignal | undefined
}

/** Goes up from `upstream` to the primary. Whoever is on the way must answer, or nobody knows where the way leads. */
async function refuseLoop(cluster: Cluster, { name, upstream, all, signal }: Chain): Promise<void> {
  const way = [upstream]
  for (let at = upstream; requireAnswer(all, at).role === 'standby';) {
    const next = await readUpstream(cluster, at, signal)
    if (next.kind !== 'node') return
    way.push(next.name)
    if (next.name === name) throw loop(`${way.join(' follows ')}, so ${name} cannot follow ${upstream}`)
    if (way.indexOf(next.name) < way.length - 1) return // a loop already, and none of ours
    at = next.name
  }
}

const loop = (fact: string): LabError =>
  new LabError('USAGE', fact, {
    hint: 'Name another node with --from; with the name of the primary it follows the primary again.',
  })

/** The slot through which it streamed until now would retain WAL for nobody: on a standby it goes, on the primary it is empty again. */
async function leaveNoSlot(
  cluster: Cluster,
  name: string,
  { upstream, ...options }: FollowOptions & { readonly upstream: string },
): Promise<void> {
  for (const { name: node, role } of await cluster.status(options.signal)) {
    if (node === name || node === upstream || role === 'unreachable') continue
    await dropSlot(cluster, node, { of: name, ...options })
    if (role === 'primary') {
      await cluster.ask(node, session => createSlots(cluster, node, session), options.signal)
    }
  }
}
