/**
 * How the writes of a writer reach the primary: over a connection of its own, or through the router.
 */
import type { Session } from '../postgres/connection.ts'

/** What a writer may write through instead of connections of its own. */
export interface Way {
  /** @returns the node that acknowledged it */
  write(statement: string, values: unknown[]): Promise<string>
  /** Lets writes wait from now on, so long at most, in milliseconds; returns when those that were sent have their answers. */
  hold(limitMs: number): Promise<void>
  /** Lets them go on, to whoever is the primary. */
  release(): void
}

/** One write after another goes over it. */
export interface Lane extends AsyncDisposable {
  /** @returns the server that acknowledged it */
  write(values: unknown[]): Promise<string>
  /** After a write that failed. */
  giveUp(): void
}

/** A connection, and where it leads. */
export class DirectLane implements Lane {
  readonly #session: Session
  readonly #to: { readonly node: string; readonly insert: string; readonly timeoutMs: number }

  constructor(session: Session, to: { readonly node: string; readonly insert: string; readonly timeoutMs: number }) {
    this.#session = session
    this.#to = to
  }

  async write(values: unknown[]): Promise<string> {
    const { node, insert, timeoutMs } = this.#to
    const [row] = await this.#session.query<{ server?: string }>(insert, values, { timeoutMs, name: 'insert' })
    return row?.server ?? node
  }

  giveUp(): void {
    this.#session.destroy(new Error('given up'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]()
  }
}

/** Whoever made the way finds the connections, and ends them. */
export class RoutedLane implements Lane {
  readonly #way: Pick<Way, 'write'>
  readonly #insert: string

  constructor(way: Pick<Way, 'write'>, insert: string) {
    this.#way = way
    this.#insert = insert
  }

  async write(values: unknown[]): Promise<string> {
    return await this.#way.write(this.#insert, values)
  }

  giveUp(): void {
    // Its connection is not ours.
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
