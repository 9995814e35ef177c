/**
 * Load: an application's own requests, one due every so often whether or not earlier ones came back (see writer.ts),
 * each with an id of its own, and what the application said to each.
 */
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { Survivors } from '../history/check.ts'
import type { History, Outcome, Write } from '../history/history.ts'
import { codeOf, isLabError, LabError } from '../errors.ts'
import { judgeLoad, type LoadEvidence, type LoadOutcome } from '../measure/load.ts'
import type { ServerAddress } from '../postgres/connection.ts'
import { CONNECTION_LOST } from '../postgres/sqlstate.ts'
import { unlessInterrupted } from '../shared.ts'
import { waitUntil } from '../wait.ts'
import { ACKNOWLEDGED, moreAcknowledged, outcomeOf, untilDue } from './open-loop.ts'

/** One request. `id` is a UUID; the signal fires when its time is over. */
export type Send = (id: string, signal: AbortSignal) => Promise<unknown>

/** What `send` came to: it returned, or it threw. */
export type Settled = { readonly answer: unknown } | { readonly error: unknown }

export interface LoadOptions {
  /**
   * The application's own request. It is acknowledged when it returns, but for an answer with an HTTP `status` or `statusCode`
   * other than 200 to 299; whatever else becomes of it is indeterminate, since the application may have committed.
   */
  readonly send?: Send | undefined
  /** Instead of `send`: a statement with the id as $1, over a node-postgres pool on the address of the primary. */
  readonly sql?: string | undefined
  /** Decides instead of the rule above. `failed` is for what certainly did not happen. */
  readonly outcomeOf?: ((settled: Settled) => Outcome['kind']) | undefined
  /** @default 100 */
  readonly ratePerSecond?: number | undefined
  /** Of the pool, with `sql`. @default 4 */
  readonly connections?: number | undefined
  /** A request without an answer after so many milliseconds is indeterminate. @default 5000 */
  readonly requestTimeoutMs?: number | undefined
}

/** Where the application keeps what it has acknowledged. */
export type JudgeOptions =
  | {
      /** `orders`, `shop.orders`. */
      readonly table: string
      /** The column with the id, of type text, varchar or uuid. @default 'id' */
      readonly id?: string | undefined
      /** @default that of the cluster */
      readonly database?: string | undefined
    }
  | {
      /** The ids that are there now, each as often as it is there. */
      readonly survivors: () => Promise<Iterable<string>> | Iterable<string>
    }

/** What a load asks of the cluster under it. */
export interface LoadCluster {
  /** The address that it writes to with `sql`. */
  readonly connectionConfig: ServerAddress
  /** What was done to the cluster since then; an instant of performance.now(). */
  changesSince(at: number): Pick<LoadEvidence, 'faults' | 'failovers'>
  /** How often each of the ids is in the table, as today's primary tells it. */
  count(ids: readonly string[], where: Extract<JudgeOptions, { table: string }>): Promise<ReadonlyMap<string, number>>
}

/** Requests beyond these wait: an application that answers none of so many is not told of more. */
const MOST_IN_FLIGHT = 10_000

/**
 * Made by {@link TestCluster.load}. Disposing of it stops it.
 * @example
 * ```ts
 * const test = await startCluster({ schema: 'CREATE TABLE orders (id text)' })
 * const load: Load = test.load({ sql: 'INSERT INTO orders VALUES ($1)' })
 * await load.acknowledges(50)
 * const { verdict } = await load.judge({ table: 'orders' })
 * ```
 */
export class Load implements AsyncDisposable {
  readonly ratePerSecond: number
  readonly #cluster: LoadCluster
  readonly #options: LoadOptions
  readonly #send: Send
  readonly #pool: pg.Pool | undefined
  readonly #prefix = randomBytes(4).toString('hex')
  readonly #end = new AbortController()
  readonly #writes: Write[] = []
  readonly #inFlight = new Set<Promise<void>>()
  readonly #startedAt = performance.now()
  readonly #running: Promise<void>
  #acknowledged = 0
  #stopped: Promise<History> | undefined

  /** Begins at once. @throws LabError USAGE without a request, or for a rate that there is not */
  constructor(cluster: LoadCluster, options: LoadOptions) {
    this.#cluster = cluster
    this.#options = options
    this.ratePerSecond = requireRate(options.ratePerSecond ?? 100)
    const { sql, send, connections = 4, requestTimeoutMs = 5_000 } = options
    if ((sql === undefined) === (send === undefined))
      throw new LabError('USAGE', 'a load has either a request to send or a statement', {
        hint: 'Give one of them: load({ send: (id, signal) => app.post(id, signal) }), or load({ sql }) with $1 for the id.',
      })
    if (sql !== undefined) {
      const limits = { max: connections, connectionTimeoutMillis: requestTimeoutMs, query_timeout: requestTimeoutMs }
      this.#pool = new pg.Pool({ ...cluster.connectionConfig, application_name: 'lab load', ...limits })
      this.#pool.on('error', () => undefined) // an idle connection that ends is no request's
    }
    this.#send = send ?? ((id): Promise<unknown> => this.#insert(sql ?? '', id))
    this.#running = this.#run()
  }

  /** How many are acknowledged by now. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /**
   * Waits until so many more are acknowledged.
   * @throws LabError TIMEOUT, which says what the application answers instead
   */
  async acknowledges(count: number, { timeoutMs = 30_000 }: { readonly timeoutMs?: number } = {}): Promise<void> {
    const told = { what: 'requests', read: () => this.#acknowledged, beside: () => this.#lastRefusal() }
    await waitUntil(moreAcknowledged(count, told), { timeoutMs, intervalMs: 5, signal: this.#end.signal })
  }

  /** Sends no more, lets what is in flight settle, and returns the frozen history. Idempotent. */
  async stop(): Promise<History> {
    return await (this.#stopped ??= this.#stop())
  }

  /**
   * Stops, and holds what was acknowledged against what is there.
   * @throws LabError USAGE where the table cannot be read; a cluster without a primary makes the verdict `unknown`
   */
  async judge(where: JudgeOptions): Promise<LoadOutcome> {
    const history = await this.stop()
    const survivors = await this.#survivors(where, history)
    return judgeLoad({
      history,
      survivors,
      ...this.#cluster.changesSince(this.#startedAt),
      idOf: id => this.#idOf(id),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #stop(): Promise<History> {
    this.#end.abort()
    await this.#running
    await Promise.all(this.#inFlight)
    await this.#pool?.end()
    const instants = { startedAt: this.#startedAt, stoppedAt: performance.now() }
    return Object.freeze({ run: this.#idOf(0), writes: this.#writes, connectionErrors: [], ...instants })
  }

  async #run(): Promise<void> {
    for (let id = 0; !this.#isOver(); id++) {
      const dueAt = this.#startedAt + (id * 1000) / this.ratePerSecond
      await untilDue(dueAt, this.#end.signal)
      if (this.#inFlight.size >= MOST_IN_FLIGHT) await Promise.race(this.#inFlight)
      if (this.#isOver()) return
      const request = this.#request(id, dueAt).finally(() => this.#inFlight.delete(request))
      this.#inFlight.add(request)
    }
  }

  #isOver(): boolean {
    return this.#end.signal.aborted
  }

  async #request(id: number, dueAt: number): Promise<void> {
    const sentAt = performance.now()
    const limit = AbortSignal.timeout(this.#options.requestTimeoutMs ?? 5_000)
    const send = async (): Promise<unknown> => await this.#send(this.#idOf(id), limit)
    const outcome = await unlessInterrupted(send(), limit).then(
      answer => this.#decided({ answer }, ofAnswer(answer)),
      // Who has not answered has said nothing that anybody could decide by.
      (error: unknown) => (limit.aborted ? TIMED_OUT : this.#decided({ error }, this.#ofError(error))),
    )
    if (outcome.kind === 'acknowledged') this.#acknowledged++
    this.#writes.push({ id, dueAt, sentAt, settledAt: performance.now(), outcome })
  }

  /** As the caller decides, if it does. */
  #decided(settled: Settled, ours: Outcome): Outcome {
    const kind = this.#options.outcomeOf?.(settled) ?? ours.kind
    if (kind === 'acknowledged') return ACKNOWLEDGED
    const code = ours.kind === 'acknowledged' ? 'REFUSED' : ours.code
    return { kind, code }
  }

  /** What a server says of its own statement is known; an application may have tried before, or have committed. */
  #ofError(error: unknown): Outcome {
    if (error instanceof NotSent) return { kind: 'failed', code: codeOf(error.cause) ?? CONNECTION_LOST }
    const said = outcomeOf(error)
    return this.#pool === undefined ? { ...said, kind: 'indeterminate' } : said
  }

  async #insert(sql: string, id: string): Promise<void> {
    const client = await this.#pool?.connect().catch((error: unknown) => {
      throw new NotSent('there is no connection', { cause: error })
    })
    let failure: Error | undefined
    client?.on('error', onLost)
    try {
      await client?.query(sql, [id])
    } catch (error) {
      failure = error as Error
      throw error
    } finally {
      client?.off('error', onLost)
      client?.release(failure)
    }
  }

  async #survivors(where: JudgeOptions, { writes }: History): Promise<Survivors> {
    const ids = new Map(writes.map(({ id }) => [this.#idOf(id), id]))
    const found = 'survivors' in where ? counted(await where.survivors()) : await this.#counted([...ids.keys()], where)
    if (found === undefined) return undefined
    // What is not ours was there before, or is another's.
    return new Map(
      [...found].flatMap(([text, times]) => (ids.has(text) ? [[ids.get(text) ?? -1, times] as const] : [])),
    )
  }

  async #counted(
    ids: readonly string[],
    where: Extract<JudgeOptions, { table: string }>,
  ): Promise<ReadonlyMap<string, number> | undefined> {
    try {
      return await this.#cluster.count(ids, where)
    } catch (error) {
      if (isLabError(error) && NOBODY_TO_ASK.has(error.code)) return undefined
      throw error
    }
  }

  #lastRefusal(): string {
    const outcome = this.#writes.findLast(write => write.outcome.kind !== 'acknowledged')?.outcome
    return outcome === undefined || outcome.kind === 'acknowledged' ? '' : `; the last that was not: ${outcome.code}`
  }

  /** A UUID in which its number can be read. https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-4 */
  #idOf(id: number): string {
    return `${this.#prefix}-0000-4000-8000-${String(id).padStart(12, '0')}`
  }
}

/** A statement that nobody was asked to do. */
class NotSent extends Error {}

/** The query fails by the same. */
const onLost = (): void => undefined

const TIMED_OUT: Outcome = { kind: 'indeterminate', code: 'ETIMEDOUT' }

const NOBODY_TO_ASK: ReadonlySet<string> = new Set(['NO_PRIMARY', 'NOT_RUNNING', 'SPLIT_BRAIN', 'UNREACHABLE'])

/** A refusal of an application may come after its commit. */
function ofAnswer(answer: unknown): Outcome {
  if (typeof answer !== 'object' || answer === null) return ACKNOWLEDGED
  const { status, statusCode } = answer as { readonly status?: unknown; readonly statusCode?: unknown }
  const code = typeof status === 'number' ? status : statusCode
  if (typeof code !== 'number' || (code >= 200 && code <= 299)) return ACKNOWLEDGED
  return { kind: 'indeterminate', code: `HTTP ${code}` }
}

function counted(ids: Iterable<string>): ReadonlyMap<string, number> {
  const times = new Map<string, number>()
  for (const id of ids) times.set(id, (times.get(id) ?? 0) + 1)
  return times
}

function requireRate(ratePerSecond: number): number {
  if (ratePerSecond > 0 && ratePerSecond <= 10_000) return ratePerSecond
  throw new LabError('USAGE', `a load of ${ratePerSecond} requests a second is none`, {
    hint: 'Give more than 0, and at most 10000.',
  })
}
