/**
 * Faults of the network. Nobody is told: connections stay, and what is sent over them does not arrive, or late.
 * On Docker a node that is isolated both ways is taken off the network it replicates over; all else is done with links
 * (see links.ts), which the lab puts between the nodes for as long, or a caller beforehand with linkPeers and linkClients.
 */
import { collected, type Disposer } from '../dispose.ts'
import { LabError } from '../errors.ts'
import { together } from '../together.ts'
import { requireSpeed, type Impairment, type Way } from '../links/link.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Route } from '../links/group.ts'
import { linkPeers } from '../cluster/links.ts'
import type { ChangeOptions } from '../cluster/settings.ts'

/** As the node sees it: `in` is what it is sent, `out` is what it sends. */
export type Direction = 'both' | 'in' | 'out'

export interface IsolateOptions extends ChangeOptions {
  /** What does not arrive. @default 'both' */
  readonly direction?: Direction | undefined
}

/**
 * Keeps a node and its peers from hearing of each other: what runs between them stays connected and gets nothing, and new
 * connections are refused. Clients, and the lab, reach the node as before. Disposing of what it returns heals it; standbys
 * then find the primary by themselves.
 * One way is one way for what the servers say; the acknowledgements of TCP below still come back, as they would not on a
 * network that loses packets one way.
 * @throws LabError UNSUPPORTED_FAULT, UNREACHABLE, TIMEOUT
 * @example
 * ```ts
 * await using _links = await linkPeers(cluster, { timeoutMs: 60_000 })
 * await using _isolated = await isolate(cluster, 'primary', { timeoutMs: 60_000 })
 * ```
 */
export async function isolate(
  cluster: Cluster,
  node: string,
  { direction = 'both', ...options }: IsolateOptions,
): Promise<AsyncDisposable> {
  const { name } = cluster.node(node)
  const { replication } = cluster.runtime.network
  const rule = (route: Route): Impairment | undefined =>
    concerns(route, name) ? stalled(route, name, { direction, newConnections: 'refused' }) : undefined
  return await collected(async healing => {
    if (replication === undefined || direction !== 'both') healing.use(await linkPeers(cluster, options))
    else await disconnect(cluster, name, healing)
    // Also with a network of their own: links may be there already, or come, and go another way.
    healing.use(await cluster.links.peers.impose(rule))
  })
}

/** Puts back on the network the nodes that a lab which was killed has left isolated. Docker Compose would leave them so. */
export async function reconnectIsolated(cluster: Cluster): Promise<void> {
  const { replication } = cluster.runtime.network
  for (const { name } of cluster.nodes) {
    if (replication === undefined || (await replication.isConnected(name))) continue
    cluster.emit({ kind: 'remark', text: `${name} was off the network that it replicates over: it is put back` })
    cluster.emit({ kind: 'command', node: name, text: await replication.connect(name) })
    await endDeadConnections(cluster, name)
  }
}

/** Takes the node off the network that it replicates over. */
async function disconnect(cluster: Cluster, name: string, healing: Disposer): Promise<void> {
  const { replication } = cluster.runtime.network
  if (replication === undefined) return
  healing.defer(() => endDeadConnections(cluster, name))
  healing.defer(async () => cluster.emit({ kind: 'command', node: name, text: await replication.connect(name) }))
  cluster.emit({ kind: 'command', node: name, text: await replication.disconnect(name) })
}

/**
 * Back on the network the node may have another address, so what was connected before never hears of the other end again.
 * Its servers would notice after wal_sender_timeout and wal_receiver_timeout, a minute each, and a slot is taken meanwhile.
 */
async function endDeadConnections(cluster: Cluster, node: string): Promise<void> {
  const answering = (await cluster.status()).filter(({ role }) => role !== 'unreachable')
  await together(answering, ({ name }) =>
    name === node
      ? cluster.query(name, END_ALL, { as: 'superuser' })
      : cluster.query(name, END_THOSE_OF, {
          values: [node, cluster.runtime.peerEndpoint(node).host],
          as: 'superuser',
        }),
  )
}

const END_ALL = `SELECT pg_terminate_backend(pid) FROM pg_stat_replication
UNION ALL SELECT pg_terminate_backend(pid) FROM pg_stat_wal_receiver`

/** One that follows another node than the one that was away is left alone. */
const END_THOSE_OF = `SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = $1
UNION ALL SELECT pg_terminate_backend(pid) FROM pg_stat_wal_receiver WHERE sender_host = $2`

export interface BlackHoleOptions {
  /** What does not arrive: with `out` a client hears nothing, and what it wrote is done all the same. @default 'both' */
  readonly direction?: Direction | undefined
}

/**
 * Bytes between a node and the clients vanish: connections stay open and get no answer, and so do new ones. Concerns what
 * connects over the links of linkClients. Healed, what was sent meanwhile arrives, late, as from retransmission.
 * @throws LabError USAGE without links
 * @example
 * ```ts
 * await using _links = await linkClients(cluster)
 * await using _silent = await blackHole(cluster, 'primary')
 * ```
 */
export async function blackHole(
  cluster: Cluster,
  node: string,
  { direction = 'both' }: BlackHoleOptions = {},
): Promise<AsyncDisposable> {
  const { name } = cluster.node(node)
  requireClientLinks(cluster)
  return await cluster.links.clients.impose(route =>
    route.to === name ? stalled(route, name, { direction, newConnections: 'silent' }) : undefined,
  )
}

export interface SlowOptions extends ChangeOptions {
  /** Whether the way to the other nodes is slow, or that to the clients. */
  readonly towards: 'peers' | 'clients'
  /** Added to each byte's travel, each way: a round trip takes twice as much longer. @default 0 */
  readonly latencyMs?: number | undefined
  /** For all connections together, each way. @default Infinity */
  readonly bytesPerSecond?: number | undefined
}

/**
 * Makes the way between a node and its peers, or the clients that connect over the links of linkClients, slow.
 * @throws LabError USAGE without links, or for a speed that there is not; UNSUPPORTED_FAULT, UNREACHABLE, TIMEOUT
 * @example
 * ```ts
 * await using _links = await linkPeers(cluster, { timeoutMs: 60_000 })
 * await using _slow = await slowNetwork(cluster, 'replica1', { towards: 'peers', latencyMs: 50, timeoutMs: 60_000 })
 * ```
 */
export async function slowNetwork(
  cluster: Cluster,
  node: string,
  { towards, latencyMs = 0, bytesPerSecond = Infinity, ...options }: SlowOptions,
): Promise<AsyncDisposable> {
  const { name } = cluster.node(node)
  requireSpeed({ latencyMs, bytesPerSecond })
  const rule = (route: Route): Impairment | undefined =>
    concerns(route, name) ? { kind: 'slow', latencyMs, bytesPerSecond } : undefined
  if (towards === 'clients') {
    requireClientLinks(cluster)
    return await cluster.links.clients.impose(rule)
  }
  return await collected(async healing => {
    healing.use(await linkPeers(cluster, options))
    healing.use(await cluster.links.peers.impose(rule))
  })
}

const concerns = ({ from, to }: Route, node: string): boolean => from === node || to === node

/** What a link on this way does when the node at one of its ends is cut off in that direction. */
function stalled(
  { to }: Route,
  node: string,
  { direction, newConnections }: { readonly direction: Direction; readonly newConnections: 'silent' | 'refused' },
): Impairment {
  const [inwards, outwards]: [Way, Way] = to === node ? ['target', 'client'] : ['client', 'target']
  const towards = { both: [inwards, outwards], in: [inwards], out: [outwards] }[direction]
  return { kind: 'stall', towards, newConnections }
}

function requireClientLinks(cluster: Cluster): void {
  if (cluster.links.clients.isInPlace) return
  throw new LabError('USAGE', 'the clients connect directly, so nothing can happen to them on the way', {
    hint: 'Put links in front of the nodes before they connect: await using links = await linkClients(cluster).',
  })
}
