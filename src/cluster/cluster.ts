/**
 * A cluster: nodes that can be asked what they are. Roles are discovered at each question, never remembered.
 */
import { isLabError, LabError, messageOf } from '../errors.ts'
import { connect, type Session } from '../postgres/connection.ts'
import { literal } from '../postgres/sql.ts'
import { serverErrorOf } from '../postgres/sqlstate.ts'
import { readServer } from '../postgres/status.ts'
import type { Endpoint, Runtime } from '../runtime/runtime.ts'
import { CLIENTS, LinkGroup } from '../links/group.ts'
import { primaryOf, type NodeStatus, type PrimaryStatus, type NodeAddress } from './node-status.ts'
import { Sessions } from './sessions.ts'
import { nodeNamed, type Credentials, type NodeSpec, type Topology } from '../topology/topology.ts'

/** What an operation did, for whoever narrates: the very SQL and commands, and what they were for. */
export type ClusterEvent =
  | { readonly kind: 'sql'; readonly node: string; readonly text: string }
  | { readonly kind: 'command'; readonly node: string; readonly text: string }
  | { readonly kind: 'progress'; readonly text: string }
  | { readonly kind: 'remark'; readonly text: string }
  /** A node has become the primary: the instant is performance.now(), as soon as it was seen. */
  | { readonly kind: 'promoted'; readonly node: string; readonly timeline: number; readonly at: number }

/** A parameter of a statement. */
type Value = string | number | boolean

export interface ConnectAs {
  readonly signal?: AbortSignal | undefined
  /** `lab` can watch and promote; `superuser` can do anything. @default 'lab' */
  readonly as?: 'lab' | 'superuser' | undefined
  /** Instead of these two: somebody else. */
  readonly account?: Credentials | undefined
  /** @default that of the topology */
  readonly database?: string | undefined
  readonly applicationName?: string | undefined
  readonly connectTimeoutMs?: number | undefined
  readonly asWalSender?: boolean | undefined
  /** `client` goes over the link that stands in front of the node, if there is one. @default 'lab': directly */
  readonly via?: 'lab' | 'client' | undefined
}

/** What a server said when it refused a statement. */
export interface Refusal {
  /** SQLSTATE. */
  readonly code: string
  readonly message: string
}

/** A server that takes longer to answer a question about its state counts as unreachable. */
const STATUS_TIMEOUT_MS = 3_000

/**
 * The servers of one topology on one runtime: who they are now, and connections to them.
 * @example
 * ```ts
 * const [row] = await cluster.query<{ count: string }>('replica1', 'SELECT count(*) FROM lab.writes')
 * ```
 */
export class Cluster implements AsyncDisposable {
  readonly runtime: Runtime
  /** What this process has put in front of the nodes and between them: see links.ts. */
  readonly links = { clients: new LinkGroup(), peers: new LinkGroup() }
  readonly #sessions = new Sessions((node, signal) => this.#connectToOurs(node, signal))
  readonly #listeners = new Set<(event: ClusterEvent) => void>()

  constructor(runtime: Runtime) {
    this.runtime = runtime
  }

  /** As it is described, with the nodes that were added and passwords of its own. */
  get topology(): Topology {
    return this.runtime.topology
  }

  get nodes(): readonly NodeSpec[] {
    return this.topology.nodes
  }

  /** @throws LabError UNKNOWN_NODE */
  node(name: string): NodeSpec {
    return nodeNamed(this.topology, name)
  }

  /** Calls `listener` for every event from now on; returns how to stop that. */
  onEvent(listener: (event: ClusterEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  emit(event: ClusterEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  /** Opens a connection to a node, whatever its role. @throws LabError WRONG_PASSWORD, UNREACHABLE, INTERRUPTED */
  async connect(node: string, options: ConnectAs = {}): Promise<Session> {
    const known = this.topology
    try {
      return await this.#connectWithWhatIsKnown(node, options)
    } catch (error) {
      if (!isLabError(error, 'WRONG_PASSWORD')) throw error
      // A cluster that another command has made anew has other passwords.
      await this.runtime.refresh()
      if (this.topology === known) throw error
      return await this.#connectWithWhatIsKnown(node, options)
    }
  }

  async #connectWithWhatIsKnown(
    node: string,
    { as = 'lab', via = 'lab', account, database, ...options }: ConnectAs,
  ): Promise<Session> {
    const { user, password } = account ?? (as === 'lab' ? this.topology.lab : this.topology.superuser)
    return await connect({
      ...(via === 'client' ? this.clientEndpoint(node) : this.runtime.clientEndpoint(node)),
      ...{ user, password, database: database ?? this.topology.database },
      ...options,
    })
  }

  /** Where clients of this process reach a node: the link in front of it, else the node itself. */
  clientEndpoint(node: string): Endpoint {
    return this.links.clients.endpoint({ from: CLIENTS, to: node }) ?? this.runtime.clientEndpoint(node)
  }

  /**
   * Runs `use` with a connection that is shared and kept open: for short statements of the lab's own role.
   * @throws LabError UNREACHABLE when it was not begun; CONNECTION_LOST when it may have been done
   */
  async withSession<T>(node: string, use: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return await this.#sessions.with(node, use, signal)
  }

  /**
   * The same for a question, or for what may be done twice: it is, when the connection proves to be dead.
   * @throws LabError UNREACHABLE; INTERRUPTED, also while the answer is waited for
   */
  async ask<T>(node: string, use: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return await this.#sessions.ask(node, use, signal)
  }

  /** A server that answers although our node does not run is somebody else's. @throws LabError OTHER_CLUSTER */
  async #connectToOurs(name: string, signal: AbortSignal): Promise<Session> {
    const address = { name, ...this.runtime.clientEndpoint(name) }
    try {
      const session = await this.connect(name, { signal })
      if ((await this.runtime.state(name)) === 'running') return session
      await session.query('SELECT 1') // fails if it was ours, and has just ended
      await session[Symbol.asyncDispose]()
    } catch (error) {
      if (!isLabError(error, 'WRONG_PASSWORD') || (await this.runtime.state(name)) === 'running') throw error
    }
    throw otherCluster(address, `${name} is not running`)
  }

  /** Runs one statement on a node as an event that narrators show, and returns its rows. */
  async query<T extends object = Record<string, unknown>>(
    node: string,
    text: string,
    { values = [], ...options }: ConnectAs & { readonly values?: readonly Value[] } = {},
  ): Promise<T[]> {
    this.emit({ kind: 'sql', node, text: inlined(text, values) })
    await using session = await this.connect(node, options)
    return await session.query<T>(text, values)
  }

  /** As {@link query}, for a statement that the server is expected to refuse: its error is the answer. */
  async attempt(node: string, text: string, options: ConnectAs = {}): Promise<Refusal | undefined> {
    try {
      await this.query(node, text, options)
      return undefined
    } catch (error) {
      return refusalOf(error)
    }
  }

  /**
   * Every node's status, in the order of the topology.
   * @throws LabError WRONG_PASSWORD, OTHER_CLUSTER, INTERRUPTED; a node that is down is no error.
   */
  async status(signal?: AbortSignal): Promise<NodeStatus[]> {
    const all = await Promise.all(this.nodes.map(node => this.nodeStatus(node.name, signal)))
    requireOneCluster(all)
    return all
  }

  async nodeStatus(name: string, signal?: AbortSignal): Promise<NodeStatus> {
    const address = { name, ...this.runtime.clientEndpoint(name) }
    try {
      const server = await this.ask(name, session => readServer(session, STATUS_TIMEOUT_MS), signal)
      if (!(await this.#isNamed(name, server.clusterName)))
        throw otherCluster(address, `its cluster_name is "${server.clusterName}"`)
      return { ...address, ...server }
    } catch (error) {
      const isDown = !(error instanceof LabError) || isLabError(error, 'UNREACHABLE')
      if (!isDown || signal?.aborted === true) throw error
      return { ...address, role: 'unreachable', state: await this.runtime.state(name), reason: messageOf(error) }
    }
  }

  async #isNamed(node: string, clusterName: string): Promise<boolean> {
    if (clusterName === node) return true
    const manager = await this.runtime.manager()
    return manager?.clusterName === clusterName && manager.nodes.includes(node)
  }

  /**
   * The node that accepts writes.
   * @throws LabError NO_PRIMARY, SPLIT_BRAIN, NOT_RUNNING, and those of {@link status}
   */
  async primary(signal?: AbortSignal): Promise<PrimaryStatus> {
    return primaryOf(await this.status(signal))
  }

  /** Closes the lab's connections. The servers go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions[Symbol.asyncDispose]()
  }
}

/** What a server said and went on, if that is what the error is. @throws the error if it is not */
export function refusalOf(error: unknown): Refusal {
  const said = serverErrorOf(error)
  // Those end the session, whatever became of the statement.
  if (said === undefined || said.severity === 'FATAL' || said.severity === 'PANIC') throw error
  return { code: said.code, message: said.message }
}

function requireOneCluster(all: readonly NodeStatus[]): void {
  const answering = all.filter(status => status.role !== 'unreachable')
  const [first] = answering
  const stranger = answering.find(status => status.systemIdentifier !== first?.systemIdentifier)
  if (first === undefined || stranger === undefined) return
  throw otherCluster(stranger, `its system identifier is not that of ${first.name}`)
}

const otherCluster = ({ name, host, port }: NodeAddress, fact: string, cause?: unknown): LabError =>
  new LabError('OTHER_CLUSTER', `the server on ${host}:${port} is not ${name} of this cluster: ${fact}`, {
    hint: 'Stop that server, or choose other ports in the environment or .env (see .env.example), then pnpm run up.',
    cause,
  })

/** A statement as a person would type it. Only for showing: what runs is the statement with its parameters. */
const inlined = (text: string, values: readonly Value[]): string =>
  text.replace(/\$(\d+)/g, (whole, at: string) => {
    const value = values[Number(at) - 1]
    if (value === undefined) return whole
    return typeof value === 'string' ? literal(value) : String(value)
  })
