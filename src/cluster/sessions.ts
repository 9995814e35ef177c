/**
 * One open connection to each node, shared by everything that only asks or gives short orders: opening one takes
 * several times as long as a question, and that time would be in every outage.
 */
import { codeOf, isLabError, LabError, messageOf } from '../errors.ts'
import type { Session } from '../postgres/connection.ts'
import { Shared, unlessInterrupted } from '../shared.ts'

type Open = (node: string, signal: AbortSignal) => Promise<Session>
type Use<T> = (session: Session) => Promise<T>

export class Sessions implements AsyncDisposable {
  readonly #open: Open
  readonly #sessions = new Map<string, Session>()
  readonly #openings = new Map<string, Shared<Session>>()

  constructor(open: Open) {
    this.#open = open
  }

  /**
   * Runs `use` with the node's connection, once, to its end: the signal only ends the opening of a connection.
   * @throws what opening throws, and what `use` throws; LabError CONNECTION_LOST when its connection ended under it
   */
  async with<T>(node: string, use: Use<T>, signal?: AbortSignal): Promise<T> {
    const session = await this.#session(node, signal)
    try {
      return await use(session)
    } catch (error) {
      if (ENDS_THE_CONNECTION.has(codeOf(error) ?? '')) session.destroy(error as Error)
      else if (isLabError(error) || !isLost(session)) throw error
      throw new LabError('CONNECTION_LOST', `the connection to ${node} ended before the answer: ${messageOf(error)}`, {
        hint: 'What it was asked for may have been done: pnpm run status shows the nodes.',
        cause: error,
      })
    }
  }

  /**
   * The same for what may be done twice, as a question may: a connection that turns out to be dead (its server was
   * restarted) is replaced once. One on which no answer came in time is not: the node would be waited for twice as long.
   * The signal ends the wait for the answer, too.
   * @throws as {@link with}, but UNREACHABLE when no answer can be had
   */
  async ask<T>(node: string, use: Use<T>, signal?: AbortSignal): Promise<T> {
    const asked = async (): Promise<T> => await unlessInterrupted(this.with(node, use, signal), signal)
    try {
      return await asked()
    } catch (error) {
      if (!isLabError(error, 'CONNECTION_LOST') || codeOf(error.cause) === 'ETIMEDOUT') throw unanswered(node, error)
      return await asked().catch((again: unknown) => {
        throw unanswered(node, again)
      })
    }
  }

  async #session(node: string, signal: AbortSignal | undefined): Promise<Session> {
    const kept = this.#sessions.get(node)
    if (kept !== undefined && !isLost(kept)) return kept
    const opening = this.#openings.get(node) ?? new Shared(end => this.#openAndKeep(node, end))
    this.#openings.set(node, opening)
    return await opening.join(signal)
  }

  async #openAndKeep(node: string, signal: AbortSignal): Promise<Session> {
    const session = await this.#open(node, signal)
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

/** The server says so itself, a moment before it closes the connection: admin_shutdown, crash_shutdown. */
const ENDS_THE_CONNECTION: ReadonlySet<string> = new Set(['57P01', '57P02'])

const unanswered = (node: string, error: unknown): unknown =>
  isLabError(error, 'CONNECTION_LOST')
    ? new LabError('UNREACHABLE', `${node} does not answer: ${messageOf(error.cause)}`, {
        hint: 'pnpm run status shows which nodes answer; pnpm run up brings the cluster up.',
        cause: error.cause,
      })
    : error
