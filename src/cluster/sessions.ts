/**
 * One open connection to each node, shared by everything that only asks or gives short orders: opening one takes
 * several times as long as a question, and that time would be in every outage.
 */
import { isLabError } from '../errors.ts'
import type { Session } from '../postgres/connection.ts'

type Open = (node: string, signal: AbortSignal | undefined) => Promise<Session>

export class Sessions implements AsyncDisposable {
  readonly #open: Open
  readonly #sessions = new Map<string, Session>()
  readonly #opening = new Map<string, Promise<Session>>()

  constructor(open: Open) {
    this.#open = open
  }

  /**
   * Runs `use` with the node's connection. A connection that turns out to be dead (its server was restarted) is replaced
   * once. @throws what opening throws, and what `use` throws
   */
  async with<T>(node: string, use: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const kept = this.#sessions.get(node)
    if (kept !== undefined && !isLost(kept)) {
      try {
        return await use(kept)
      } catch (error) {
        if (isLabError(error) || !isLost(kept)) throw error
      }
    }
    return await use(await this.#reopen(node, signal))
  }

  async #reopen(node: string, signal: AbortSignal | undefined): Promise<Session> {
    const opening = this.#opening.get(node) ?? this.#open(node, signal).finally(() => this.#opening.delete(node))
    this.#opening.set(node, opening)
    const session = await opening
    this.#sessions.set(node, session)
    return session
  }

  /** Closes them all; the next use opens anew. */
  async [Symbol.asyncDispose](): Promise<void> {
    const sessions = [...this.#sessions.values()]
    this.#sessions.clear()
    await Promise.all(sessions.map(session => session[Symbol.asyncDispose]()))
  }
}

const isLost = (session: Session): boolean => session.lost.aborted
