/**
 * Links put between the nodes of a cluster, or in front of them, so that what goes over them can be impaired.
 * They are in this process: while they are there, replication (or the clients) depends on it.
 */
import type { Disposer } from '../dispose.ts'
import { LabError } from '../errors.ts'
import { hostsIn, withHosts } from '../postgres/conninfo.ts'
import type { Endpoint } from '../runtime/runtime.ts'
import { together } from '../together.ts'
import { notMet, waitUntil, type Condition } from '../wait.ts'
import type { Cluster } from './cluster.ts'
import { standbysOf, type NodeStatus, type StandbyStatus } from './node-status.ts'
import { describeStatus, isHeldBack, streaming } from './conditions.ts'
import { CLIENTS } from '../links/group.ts'
import { changeSettings, restoreSettings, type ChangeOptions } from './settings.ts'
import { readConninfo } from './upstream.ts'

/**
 * Puts a link in front of every node: what connects from now on through {@link Cluster.clientEndpoint}, as writers do, goes
 * over it. The lab itself goes on connecting directly, so it sees what its clients do not. Disposing of what it returns
 * resets the connections that go over the links.
 * @example
 * ```ts
 * await using _links = await linkClients(cluster) // then blackHole, slowNetwork towards the clients
 * ```
 */
export async function linkClients(cluster: Cluster): Promise<AsyncDisposable> {
  const { clients } = cluster.links
  return await clients.hold(async resources => {
    for (const { name } of cluster.nodes) {
      const target = cluster.runtime.clientEndpoint(name)
      await clients.open({ from: CLIENTS, to: name }, { target, host: '127.0.0.1', resources })
    }
  })
}

/**
 * Puts a link between every two nodes, and returns when each standby that streamed does so over its link: until then it
 * receives nothing, for about as long as wal_retrieve_retry_interval. Done with primary_conninfo, on the nodes that answer.
 * Disposing of what it returns puts primary_conninfo back everywhere, also on a node that is down by then.
 * @throws LabError UNSUPPORTED_FAULT where the nodes cannot reach this process; NOT_READY when a standby's replay is held up;
 * UNREACHABLE, TIMEOUT
 * @example
 * ```ts
 * await using _links = await linkPeers(cluster, { timeoutMs: 60_000 }) // then isolate, slowNetwork
 * ```
 */
export async function linkPeers(cluster: Cluster, options: ChangeOptions): Promise<AsyncDisposable> {
  return await cluster.links.peers.hold(resources => placeBetween(cluster, resources, options))
}

async function placeBetween(cluster: Cluster, resources: Disposer, options: ChangeOptions): Promise<void> {
  await requireReplaying(cluster, options.signal)
  const { network } = cluster.runtime
  const host = await network.hostForNodes()
  const names = cluster.nodes.map(({ name }) => name)
  for (const to of names) {
    const target = cluster.runtime.clientEndpoint(to)
    for (const from of names.filter(name => name !== to)) {
      // To the node beyond, whoever comes over a link comes from this machine: what it refuses others by address, it would not.
      const admits = async (address: string): Promise<boolean> => (await network.addressesOf(from)).includes(address)
      await cluster.links.peers.open({ from, to }, { target, host, admits, resources })
    }
  }
  const answering = (await cluster.status(options.signal)).filter(({ role }) => role !== 'unreachable')
  const led = (status: NodeStatus, signal: AbortSignal): Promise<void> =>
    lead(cluster, status, { ...options, signal, resources })
  await together(answering, led, options.signal)
}

/** A standby that must not replay what it has takes over no other primary_conninfo until it may. @throws LabError NOT_READY */
async function requireReplaying(cluster: Cluster, signal: AbortSignal | undefined): Promise<void> {
  for (const standby of standbysOf(await cluster.status(signal))) {
    if (!standby.replayPaused && !(await isHeldBack(cluster, standby, signal))) continue
    throw new LabError('NOT_READY', `${describeStatus(standby)}: it takes over no other connection until it replays`, {
      hint: 'Put the links in first (linkPeers), then pause its replay.',
    })
  }
}

/** Has a node reach the others over its links. */
async function lead(
  cluster: Cluster,
  status: NodeStatus,
  { resources, ...options }: ChangeOptions & { readonly resources: Disposer },
): Promise<void> {
  const { name } = status
  const before = await readConninfo(cluster, name, options.signal)
  const led = overLinks(cluster, status, before)
  if (led === before) return
  const { timeoutMs } = options
  resources.defer(() => restoreSettings(cluster, name, { settings: { primary_conninfo: before }, timeoutMs }))
  await changeSettings(cluster, name, { settings: { primary_conninfo: led }, ...options })
  if (status.role === 'standby' && status.walReceiver !== null)
    await waitUntil(streamsOverLink(cluster, name), { ...options, intervalMs: 2 })
}

/**
 * The same, with the link of each host instead of the host. The one that a standby streams from comes first: a WAL receiver
 * has no connect_timeout, so it would wait for ever for an answer from a node before it that stands still.
 */
function overLinks(cluster: Cluster, status: NodeStatus, conninfo: string): string {
  const hosts = hostsIn(conninfo)
  const sender = status.role === 'standby' ? status.walReceiver : null
  const isSender = ({ host, port }: Endpoint): boolean => host === sender?.senderHost && port === sender.senderPort
  const ordered = [...hosts.filter(isSender), ...hosts.filter(host => !isSender(host))]
  const led = ordered.map(host => linkInstead(cluster, status.name, host) ?? host)
  return led.every((host, at) => host === ordered[at]) ? conninfo : withHosts(conninfo, led)
}

function linkInstead(cluster: Cluster, from: string, { host, port }: Endpoint): Endpoint | undefined {
  const to = cluster.nodes.find(({ name }) => {
    const peer = cluster.runtime.peerEndpoint(name)
    return peer.host === host && peer.port === port
  })
  return to === undefined ? undefined : cluster.links.peers.endpoint({ from, to: to.name })
}

/** Both ends say so, or a moment later the standby may be refused, and has nothing that could be impaired. */
function streamsOverLink(cluster: Cluster, name: string): Condition<StandbyStatus> {
  return {
    what: `${name} to stream over its link`,
    observe: async signal => {
      const status = await cluster.nodeStatus(name, signal)
      const sender = cluster.nodes.find(
        ({ name: to }) =>
          status.role === 'standby' &&
          cluster.links.peers.endpoint({ from: name, to })?.port === status.walReceiver?.senderPort,
      )
      if (sender === undefined) return notMet(describeStatus(status))
      return await streaming(cluster, name, sender.name).observe(signal)
    },
  }
}
