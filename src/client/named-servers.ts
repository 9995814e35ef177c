/**
 * Servers that are named by URLs, as a target of a client: each node by its own, or all by one address that leads to whichever
 * is the primary (a virtual address, a DNS name, a proxy, a service of Kubernetes).
 */
import { LabError, messageOf, throwIfInterrupted } from '../errors.ts'
import { parseServer, type Look } from '../measure/takeover.ts'
import { connect, type Session } from '../postgres/connection.ts'
import { serverInUrl } from '../postgres/conninfo.ts'
import type { Target, TargetConnectOptions } from './target.ts'
import { WHO_PARTS, whoAnswersOf } from './who-answers.ts'

export interface NamedServersOptions {
  /** Every node, whatever its role. Instead of `address`. */
  readonly nodes?: readonly string[] | undefined
  /** One address that leads to the primary, whoever that is. */
  readonly address?: string | undefined
  /** Servers that are only looked at. */
  readonly standbys?: readonly string[] | undefined
  /** Limit for connecting, in milliseconds. */
  readonly connectTimeoutMs: number
}

/** A URL, and what it is called: `host:port`. */
interface NamedServer {
  readonly name: string
  readonly url: string
}

/** A server that did not say what it is, and why. */
export interface Silence {
  readonly node: string
  readonly error: unknown
}

/** A server that takes longer to say what it is counts as silent. */
const LOOK_TIMEOUT_MS = 3_000

export class NamedServers implements Target {
  readonly kind: 'nodes' | 'address'
  readonly nodes: readonly NamedServer[]
  /** What can be looked at: the nodes, and the standbys beside them. */
  readonly all: readonly NamedServer[]
  /** Set once it is known what the role may see. */
  whoAnswers = whoAnswersOf(WHO_PARTS)
  /** Set before a client writes. */
  table: string | undefined
  readonly #connectTimeoutMs: number

  /** Connects to nothing yet. @throws LabError USAGE for what is no URL of a server, and for a server that is named twice */
  constructor({ nodes = [], address, standbys = [], connectTimeoutMs }: NamedServersOptions) {
    this.kind = address === undefined ? 'nodes' : 'address'
    this.nodes = (address === undefined ? nodes : [address]).map(named)
    this.all = [...this.nodes, ...standbys.map(named)]
    this.#connectTimeoutMs = connectTimeoutMs
    const twice = this.all.find(({ name }, at) => this.all.findIndex(other => other.name === name) !== at)
    if (twice !== undefined)
      throw new LabError('USAGE', `${twice.name} is named twice`, { hint: 'Name each server once.' })
  }

  get moves(): boolean {
    return this.kind === 'address'
  }

  async connect(node: string, options: TargetConnectOptions = {}): Promise<Session> {
    const { applicationName = 'pg-failover-lab', connectTimeoutMs = this.#connectTimeoutMs, signal } = options
    const { url = '' } = this.all.find(({ name }) => name === node) ?? {}
    return await connect({ url, applicationName, connectTimeoutMs, signal })
  }

  /** Asks a server what it is. */
  async look(node: string, session: Session, timeoutMs = LOOK_TIMEOUT_MS): Promise<Look> {
    const askedAt = performance.now()
    const question = `SELECT pg_is_in_recovery() AS in_recovery, ${this.whoAnswers} AS server`
    const [row] = await session.query<{ in_recovery: boolean; server: string }>(question, [], { timeoutMs })
    if (row === undefined) throw new Error('a SELECT of a function returns a row')
    return { node, askedAt, at: performance.now(), isInRecovery: row.in_recovery, server: row.server }
  }

  /** Asks each, over new connections. @throws LabError INTERRUPTED */
  async lookAround(signal?: AbortSignal): Promise<readonly (Look | Silence)[]> {
    const lookAt = async (node: string): Promise<Look | Silence> => {
      try {
        await using session = await this.connect(node, { signal })
        return await this.look(node, session)
      } catch (error) {
        throwIfInterrupted(signal)
        return { node, error }
      }
    }
    return await Promise.all(this.all.map(({ name }) => lookAt(name)))
  }

  /** Where several accept writes it is the one on the newest timeline. @throws LabError NO_PRIMARY, SPLIT_BRAIN, INTERRUPTED */
  async primary(signal?: AbortSignal): Promise<{ readonly name: string; readonly server: string }> {
    return primaryIn(await this.lookAround(signal))
  }
}

export const isLook = (seen: Look | Silence): seen is Look => 'server' in seen

/**
 * By what always leads to it, where that is known: an address that moves is the first of them, and may lead elsewhere by the time it is used.
 * @throws LabError NO_PRIMARY, SPLIT_BRAIN
 */
export function primaryIn(seen: readonly (Look | Silence)[]): { readonly name: string; readonly server: string } {
  const accepting = seen.filter(isLook).filter(({ isInRecovery }) => !isInRecovery)
  const newest = Math.max(...accepting.map(({ server }) => parseServer(server).timeline ?? 0))
  const candidates = accepting.filter(({ server }) => (parseServer(server).timeline ?? 0) === newest)
  const first = candidates.at(-1)
  if (first === undefined)
    throw new LabError('NO_PRIMARY', `no server accepts writes: ${seen.map(described).join('; ')}`, {
      hint: 'Is the cluster well, and are these all of its servers?',
    })
  const rival = candidates.find(({ server }) => server !== first.server)
  if (rival !== undefined)
    throw new LabError('SPLIT_BRAIN', `${first.node} and ${rival.node} both accept writes on timeline ${newest}`, {
      hint: 'Are they of one cluster? Then one of them has to be stopped.',
    })
  return { name: first.node, server: first.server }
}

/** `10.0.0.5:5432 is a standby` */
export const described = (seen: Look | Silence): string =>
  isLook(seen)
    ? `${seen.node} is a ${seen.isInRecovery ? 'standby' : 'primary'}`
    : `${seen.node}: ${messageOf(seen.error)}`

const named = (url: string): NamedServer => ({ name: serverInUrl(url), url })
