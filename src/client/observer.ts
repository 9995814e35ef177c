/**
 * Looks at a server that has a name, over and over: whether it accepts writes, and who it is. A reader of its own beside the
 * client, that stays where it was led, as an application's connection does.
 */
import type { Look } from '../measure/takeover.ts'
import type { Session } from '../postgres/connection.ts'
import { pause } from '../wait.ts'
import type { NamedServers } from './named-servers.ts'

export interface ObserverOptions {
  readonly node: string
  /** Pause between two looks in milliseconds. */
  readonly everyMs: number
  /** Connects anew for each look: where an address that moves leads now. @default false */
  readonly anew?: boolean | undefined
  /** A look without an answer after so many milliseconds is given up, with its connection. */
  readonly patienceMs: number
}

/** Goes on, whatever becomes of the server, until it is disposed of. */
export class Observer implements AsyncDisposable {
  /** In the order in which they were seen. */
  readonly looks: Look[] = []
  readonly #servers: NamedServers
  readonly #options: ObserverOptions
  readonly #end = new AbortController()
  readonly #done: Promise<void>
  #session: Session | undefined

  constructor(servers: NamedServers, options: ObserverOptions) {
    this.#servers = servers
    this.#options = options
    this.#done = this.#observe()
  }

  async #observe(): Promise<void> {
    const { everyMs, anew = false } = this.#options
    const { signal } = this.#end
    while (!signal.aborted) {
      const isGood = await this.#look().then(
        () => true,
        () => false,
      )
      if (!isGood || anew) await this.#hangUp()
      await pause(everyMs, signal).catch(() => undefined)
    }
    await this.#hangUp()
  }

  async #look(): Promise<void> {
    const { node, patienceMs } = this.#options
    const options = { applicationName: 'lab observer', connectTimeoutMs: patienceMs, signal: this.#end.signal }
    this.#session ??= await this.#servers.connect(node, options)
    this.looks.push(await this.#servers.look(node, this.#session, patienceMs))
  }

  async #hangUp(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    await session?.[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort()
    await this.#done
  }
}
