/**
 * A pool of node-postgres whose connections all lead to the primary of the moment: for everything that takes a pg.Pool.
 *
 * A connection finds the primary when it is opened, and ends when its server is the primary no more. A plain pool keeps it: a
 * demoted server answers, and refuses every write.
 */
import pg from 'pg'
import { codeOf, messageOf } from '../errors.ts'
import { destroy } from './client.ts'
import type { ClusterWatch, Primary } from './cluster-watch.ts'
import { RouterError } from './errors.ts'
import type { Gate } from './gate.ts'

export interface RoutedPoolOptions {
  readonly watch: ClusterWatch
  readonly gate: Gate
  /** Limit for finding a primary, in milliseconds. */
  readonly findTimeoutMs: number
  /** Limit for opening one connection, in milliseconds. */
  readonly silenceMs: number
}

type Callback = (error: Error | undefined, client?: pg.PoolClient, release?: (error?: Error | boolean) => void) => void

export class RoutedPool extends pg.Pool {
  readonly #routing: RoutedPoolOptions
  readonly #clients = new Set<RoutedClient>()

  constructor(config: pg.PoolConfig, routing: RoutedPoolOptions) {
    const { findTimeoutMs } = routing
    const deadlines = { connectionTimeoutMillis: findTimeoutMs }
    class Client extends RoutedClient {
      constructor(options: pg.ClientConfig = {}) {
        super(options, routing)
      }
    }
    super({ keepAlive: true, ...config, ...deadlines, Client })
    this.#routing = routing
    this.on('error', () => undefined) // an idle connection that ends is no statement's
    this.on('connect', client => this.#clients.add(client as unknown as RoutedClient))
    this.on('remove', client => this.#clients.delete(client as unknown as RoutedClient))
    this.on('release', (_error, client) => this.#takeBack(client as unknown as RoutedClient))
    routing.watch.on('primary', this.#endStale)
    routing.watch.on('look', this.#endStale)
  }

  /** As of pg.Pool; what was refused because the primary went away is tried on the next one. @throws RouterError NO_PRIMARY */
  override connect(): Promise<pg.PoolClient>
  override connect(callback: Callback): void
  override connect(callback?: Callback): Promise<pg.PoolClient> | void {
    const connected = this.#connect()
    if (callback === undefined) return connected
    connected.then(
      client => callback(undefined, client, error => client.release(error)),
      (error: unknown) => callback(error as Error, undefined, () => undefined),
    )
  }

  override end(): Promise<void>
  override end(callback: () => void): void
  override end(callback?: () => void): Promise<void> | void {
    this.#routing.watch.off('primary', this.#endStale)
    this.#routing.watch.off('look', this.#endStale)
    return callback === undefined ? super.end() : super.end(callback)
  }

  async #connect(): Promise<pg.PoolClient> {
    const { gate } = this.#routing
    await gate.pass()
    gate.enter()
    try {
      const client = await this.#lend()
      ;(client as unknown as RoutedClient).isLent = true
      return client
    } catch (error) {
      gate.leave()
      throw error
    }
  }

  async #lend(): Promise<pg.PoolClient> {
    const { watch, findTimeoutMs } = this.#routing
    const deadline = performance.now() + findTimeoutMs
    for (;;) {
      // Also for a connection that is there: the primary may be in doubt.
      await watch.findPrimary(deadline)
      try {
        const client = await super.connect()
        if (!(client as unknown as RoutedClient).isStale(watch)) return client
        client.release(true)
      } catch (error) {
        if (error instanceof RouterError || !isOfTheWay(error) || performance.now() >= deadline) throw error
        watch.doubt()
      }
    }
  }

  /** Ends what leads to a server that is not the primary any more, in the whole pool. */
  readonly #endStale = (): void => {
    for (const client of this.#clients) {
      if (!client.isStale(this.#routing.watch)) continue
      // Who was told so gets to know why, and rolls back; the connection goes when it is given back.
      if (client.isLent && client.hasRefused) continue
      this.#clients.delete(client)
      destroy(client)
    }
  }

  #takeBack(client: RoutedClient): void {
    if (client.isLent) this.#routing.gate.leave()
    client.isLent = false
    // pg.Pool keeps what is given back without an error; it looks whether the connection is ending right after this event.
    if (client.hasRefused || client.isStale(this.#routing.watch)) void client.end().catch(() => undefined)
  }
}

interface ServerMessage {
  readonly code?: string
}

/** Opens to whoever is the primary then. */
class RoutedClient extends pg.Client {
  readonly #routing: RoutedPoolOptions
  #to: Primary | undefined
  /** Whether somebody has it. */
  isLent = false
  hasEnded = false
  /** Whether its server has refused a write because it is read-only. */
  hasRefused = false

  constructor(config: pg.ClientConfig, routing: RoutedPoolOptions) {
    // pg.Pool hides the password from what copies its options.
    super({ ...config, password: config.password, connectionTimeoutMillis: routing.silenceMs })
    this.#routing = routing
    this.on('error', () => (this.hasEnded = true)) // whoever waits for an answer is told by that
    this.once('end', () => (this.hasEnded = true))
    this.connection.on('errorMessage', ({ code }: ServerMessage) => this.#heard(code))
  }

  get primary(): Primary | undefined {
    return this.#to
  }

  /** Whether its server is known not to be the primary, or not to be the one that it was. */
  isStale({ primary, hosts }: ClusterWatch): boolean {
    const to = this.#to
    if (to === undefined) return false
    if (primary !== undefined) return primary.host !== to.host || primary.look.started !== to.look.started
    return hosts.some(host => host === to.host && host.look?.role === 'standby')
  }

  override connect(): Promise<pg.Client>
  override connect(callback: (error: Error) => void): void
  override connect(callback?: (error: Error) => void): Promise<pg.Client> | void {
    const connected = this.#connect()
    if (callback === undefined) return connected
    connected.then(
      () => (callback as (error?: Error) => void)(),
      (error: unknown) => callback(error as Error),
    )
  }

  async #connect(): Promise<pg.Client> {
    const primary = await this.#routing.watch.findPrimary(performance.now() + this.#routing.findTimeoutMs)
    if (this.connection.stream.destroyed) throw new Error('given up before there was a primary')
    this.#to = primary
    this.host = primary.host.address.host
    this.port = primary.host.address.port
    try {
      await super.connect()
      return this
    } catch (error) {
      const { stream } = this.connection
      const isLost = stream.destroyed || stream.readableEnded
      destroy(this) // or the server would wait for the rest of it
      throw codeOf(error) === undefined && isLost ? new ConnectionLost(error) : error
    }
  }

  #heard(code: string | undefined): void {
    if (code === '25006') this.hasRefused = true
    if (code !== undefined && SAYS_ANOTHER.test(code)) this.#routing.watch.doubt()
  }
}

/** Before it was there; node-postgres gives such an error no code. */
class ConnectionLost extends Error {
  readonly code = 'ECONNRESET'

  constructor(cause: unknown) {
    super(messageOf(cause), { cause })
  }
}

/** Answers that another primary would explain: read-only, shut down, crashed, starting, connection exceptions. */
export const SAYS_ANOTHER = /^(25006|57P0[123]|08...)$/

/** Never connected, and on another server that may be otherwise: not a password that is wrong. */
function isOfTheWay(error: unknown): boolean {
  const code = codeOf(error)
  return code !== undefined && (code.startsWith('E') || SAYS_ANOTHER.test(code) || code === '53300')
}

/** The primary that a connection of a {@link RoutedPool} leads to, as it was found. */
export const primaryOf = (client: pg.PoolClient): Primary | undefined => (client as unknown as RoutedClient).primary

/** Whether a connection of a {@link RoutedPool} can do no more: it has ended, or its server is read-only. */
export const isUseless = (client: pg.PoolClient): boolean => {
  const routed = client as unknown as RoutedClient
  return routed.hasEnded || routed.hasRefused
}
