/**
 * An address that leads to one server today and to another tomorrow, as a virtual address, a DNS name or a proxy does.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { codeOf, LabError } from '../errors.ts'
import { randomPort } from '../runtime/ports.ts'
import type { Endpoint } from '../runtime/runtime.ts'
import { Flow, reset, type Passage } from './flow.ts'

/** Where the next connection is led; undefined: nowhere, it is reset. */
export type Choose = () => Endpoint | undefined

export class Address implements AsyncDisposable {
  readonly endpoint: Endpoint
  readonly #choose: Choose
  readonly #server: Server
  readonly #connections = new Map<Socket, { readonly to: Endpoint; readonly target: Socket }>()

  private constructor(endpoint: Endpoint, choose: Choose) {
    this.endpoint = endpoint
    this.#choose = choose
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, client =>
      this.#lead(client),
    )
  }

  /** Listens on `port` of 127.0.0.1, or on a free one. @throws LabError PORT_IN_USE, when a port is named */
  static async open(choose: Choose, port?: number): Promise<Address> {
    for (;;) {
      const address = new Address({ host: '127.0.0.1', port: port ?? randomPort() }, choose)
      try {
        await address.#listen()
        return address
      } catch (error) {
        if (codeOf(error) !== 'EADDRINUSE') throw error
        if (port === undefined) continue
        throw new LabError('PORT_IN_USE', `port ${port} on 127.0.0.1 is taken by another process`, {
          hint: 'Stop that process, or name another port.',
          cause: error,
        })
      }
    }
  }

  /** Resets the connections that lead elsewhere than to where a new one would. */
  dropOthers(): void {
    const now = this.#choose()
    for (const [client, { to, target }] of this.#connections) {
      if (to.port === now?.port && to.host === now.host) continue
      reset(client)
      reset(target)
    }
  }

  /** Resets every connection, and is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise(resolve => this.#server.close(resolve))
    for (const [client, { target }] of this.#connections) {
      reset(client)
      reset(target)
    }
    await closed
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen({ ...this.endpoint, exclusive: true }, () => resolve())
    })
  }

  #lead(client: Socket): void {
    client.on('error', () => undefined) // 'close' follows, and is what counts
    const to = this.#choose()
    if (to === undefined) return reset(client)
    const target = connect({ ...to, allowHalfOpen: true, noDelay: true })
    target.on('error', () => undefined)
    this.#connections.set(client, { to, target })
    const flows = [new Flow(client, target, unimpaired), new Flow(target, client, unimpaired)]
    const forget = (): void => {
      if (client.destroyed && target.destroyed) this.#connections.delete(client)
    }
    client.once('close', forget)
    target.once('close', forget)
    for (const flow of flows) flow.pump()
  }
}

const PASSAGE: Passage = { isStalled: false, latencyMs: 0, bytesPerSecond: Infinity, busyUntil: 0 }
const unimpaired = (): Passage => PASSAGE
