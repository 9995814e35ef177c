/**
 * Links: small TCP relays inside this process, which stand between one end and another and can be impaired. So the lab stalls
 * and slows connections without root and without a network of its own.
 *
 * A link is no wire. Its own kernel acknowledges what it has taken, so a sender's keepalives and retransmission limits
 * (tcp_user_timeout) see a peer that is well while the other end hears nothing; what is sent into a stalled link waits in
 * socket buffers, some megabytes of it, and arrives when the link heals.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { codeOf, LabError } from '../errors.ts'
import { pause } from '../wait.ts'
import { Flow, reset, type Passage } from './flow.ts'
import { randomPort } from '../runtime/ports.ts'
import type { Endpoint } from '../runtime/runtime.ts'

/** Which way bytes go: to what the link stands for, or back to who has connected. */
export type Way = 'target' | 'client'

/**
 * - stall: connections stay open, and nothing arrives until it is over. New connections are taken and get no answer
 *   (`silent`), or are refused.
 * - slow: everything arrives `latencyMs` later each way, and all connections share `bytesPerSecond` each way.
 */
export type Impairment =
  | { readonly kind: 'stall'; readonly towards: readonly Way[]; readonly newConnections: 'silent' | 'refused' }
  | { readonly kind: 'slow'; readonly latencyMs: number; readonly bytesPerSecond: number }

interface Connection {
  readonly client: Socket
  readonly target: Socket
  readonly flows: readonly Flow[]
}

/** Whether it may be used from there. */
type Admits = (address: string) => Promise<boolean>
const everybody: Admits = async () => true

export interface LinkOptions {
  /** Of this machine, where those who connect reach it. @default 127.0.0.1 */
  readonly host?: string
  /** @default everybody who reaches it */
  readonly admits?: Admits
}

export class Link implements AsyncDisposable {
  readonly endpoint: Endpoint
  readonly target: Endpoint
  readonly #admits: Admits
  readonly #impairments = new Set<Impairment>()
  readonly #passages: Record<Way, Passage> = { target: unimpaired(), client: unimpaired() }
  readonly #connections = new Set<Connection>()
  /** Taken, and not yet joined to the target. */
  readonly #waiting = new Set<Socket>()
  readonly #closing = new AbortController()
  #server: Server | undefined
  #isTargetDown = false
  #watch: Promise<void> = Promise.resolve()
  #settled: Promise<void> = Promise.resolve()

  private constructor(endpoint: Endpoint, { target, admits }: { readonly target: Endpoint; readonly admits: Admits }) {
    this.endpoint = endpoint
    this.target = target
    this.#admits = admits
  }

  /** Listens on a free port, and relays to `target`. */
  static async open(target: Endpoint, { host = '127.0.0.1', admits = everybody }: LinkOptions = {}): Promise<Link> {
    for (;;) {
      const link = new Link({ host, port: randomPort() }, { target, admits })
      try {
        await link.#settle()
        return link
      } catch (error) {
        if (codeOf(error) !== 'EADDRINUSE') throw error
      }
    }
  }

  /** Impairs the link, beside what impairs it already. When it returns, it is so; until what it returns is disposed of. */
  async impose(impairment: Impairment): Promise<AsyncDisposable> {
    const own = { ...impairment } // the same may be imposed twice
    this.#impairments.add(own)
    await this.#settle()
    return {
      [Symbol.asyncDispose]: async () => {
        if (this.#impairments.delete(own)) await this.#settle()
      },
    }
  }

  /** Resets every connection, and is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#settle()
    await this.#watch
  }

  /** Makes everything as the impairments of now say, one change after another. */
  async #settle(): Promise<void> {
    const settled = this.#settled.catch(() => undefined).then(() => this.#apply())
    this.#settled = settled
    await settled
  }

  async #apply(): Promise<void> {
    const all = [...this.#impairments]
    for (const way of ['target', 'client'] as const) Object.assign(this.#passages[way], combined(all, way))
    const refuses =
      this.#isClosed() || this.#isTargetDown || all.some(i => i.kind === 'stall' && i.newConnections === 'refused')
    if (refuses) this.#server?.close()
    if (refuses) this.#server = undefined
    else this.#server ??= await listen(this.endpoint, client => void this.#accept(client))
    if (this.#isClosed()) for (const socket of this.#sockets()) reset(socket)
    for (const { flows } of this.#connections) for (const flow of flows) flow.pump()
    if (!this.#passages.target.isStalled) for (const client of [...this.#waiting]) this.#join(client)
  }

  #sockets(): Socket[] {
    return [...this.#waiting, ...[...this.#connections].flatMap(({ client, target }) => [client, target])]
  }

  async #accept(client: Socket): Promise<void> {
    client.on('error', () => undefined) // 'close' follows, and is what counts
    const isAdmitted = await this.#admits(client.remoteAddress?.replace(/^::ffff:/, '') ?? '').catch(() => false)
    if (this.#server === undefined || !isAdmitted) return reset(client)
    if (client.destroyed) return
    this.#waiting.add(client)
    client.once('close', () => this.#waiting.delete(client))
    if (!this.#passages.target.isStalled) this.#join(client)
  }

  #join(client: Socket): void {
    this.#waiting.delete(client)
    const target = connect({ ...this.target, allowHalfOpen: true, noDelay: true })
    const refused = (): void => {
      this.#watch = this.#mirrorTarget()
      this.#watch.catch(() => undefined) // thrown by the disposal
    }
    target.once('error', refused).once('connect', () => target.off('error', refused))
    target.on('error', () => undefined)
    const flows = [
      new Flow(client, target, () => this.#passages.target),
      new Flow(target, client, () => this.#passages.client),
    ]
    const connection = { client, target, flows }
    this.#connections.add(connection)
    const forget = (): void => {
      if (client.destroyed && target.destroyed) this.#connections.delete(connection)
    }
    client.once('close', forget)
    target.once('close', forget)
    for (const flow of flows) flow.pump()
  }

  /**
   * Refuses for as long as the target does: libpq tries the next of its hosts when one refuses, and gives up when one
   * hangs up on it.
   */
  async #mirrorTarget(): Promise<void> {
    if (this.#isTargetDown || this.#isClosed()) return await this.#watch
    this.#isTargetDown = true
    await this.#settle()
    while (!this.#isClosed() && !(await takesConnections(this.target))) {
      await pause(LOOK_AGAIN_MS, this.#closing.signal).catch(() => undefined)
    }
    this.#isTargetDown = false
    await this.#settle()
  }

  #isClosed(): boolean {
    return this.#closing.signal.aborted
  }
}

const LOOK_AGAIN_MS = 20

const unimpaired = (): Passage => ({ isStalled: false, latencyMs: 0, bytesPerSecond: Infinity, busyUntil: 0 })

/** Latencies add up, the narrowest place decides, and one stall is enough. */
function combined(all: readonly Impairment[], way: Way): Omit<Passage, 'busyUntil'> {
  const slow = all.filter(impairment => impairment.kind === 'slow')
  return {
    isStalled: all.some(impairment => impairment.kind === 'stall' && impairment.towards.includes(way)),
    latencyMs: slow.reduce((sum, { latencyMs }) => sum + latencyMs, 0),
    bytesPerSecond: Math.min(Infinity, ...slow.map(({ bytesPerSecond }) => bytesPerSecond)),
  }
}

function listen({ host, port }: Endpoint, accept: (client: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, accept)
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen({ host, port, exclusive: true }, () => resolve(server))
  })
}

/** Whether something accepts a connection there; it is hung up at once, which a PostgreSQL server passes over in silence. */
function takesConnections(endpoint: Endpoint): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(endpoint)
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

/** @throws LabError USAGE unless both are numbers that a line can have */
export function requireSpeed({ latencyMs, bytesPerSecond }: { latencyMs: number; bytesPerSecond: number }): void {
  if (latencyMs >= 0 && latencyMs < Infinity && bytesPerSecond > 0) return
  throw new LabError('USAGE', `a link cannot have a latency of ${latencyMs} ms and ${bytesPerSecond} bytes a second`, {
    hint: 'Give a latency of 0 ms or more, and more than 0 bytes a second.',
  })
}
