/**
 * The client: writes to the primary while things happen to it, and records what it was told.
 *
 * Open loop: a write is due every 1/ratePerSecond seconds whether or not earlier ones came back. A closed loop sends
 * nothing while it waits, and so hides the outage it is meant to feel (Tene, How NOT to Measure Latency, 2013).
 */
import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Cluster } from '../cluster/cluster.ts'
import type { Session } from '../postgres/connection.ts'
import { waitUntil } from '../wait.ts'
import type { Survivors } from '../history/check.ts'
import { findPrimary, PATIENCE_MS } from './find-primary.ts'
import { ACKNOWLEDGED, moreAcknowledged, outcomeOf, untilDue } from './open-loop.ts'
import type { ConnectionError, History, Outcome, Write } from '../history/history.ts'
import { codeOf, isLabError } from '../errors.ts'
import { CONNECTION_LOST } from '../postgres/sqlstate.ts'
import { DirectLane, RoutedLane, type Lane, type Way } from './lane.ts'
import type { Target } from './target.ts'

export interface WriterOptions {
  /** Writes due per second, over all connections. @default 200 */
  readonly ratePerSecond?: number | undefined
  /** @default 4 */
  readonly connections?: number | undefined
  /** A write that has no answer after this many milliseconds is indeterminate, and its connection is given up. @default 2000 */
  readonly writeTimeoutMs?: number | undefined
  /** An attempt to connect that has no answer after this many milliseconds is given up. @default 1000 */
  readonly connectTimeoutMs?: number | undefined
  /** Writes go this way, instead of over connections of the writer's own to the primary that it finds. */
  readonly way?: Pick<Way, 'write'> | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Its rows are in this table; each run has an id of its own.
 * @example
 * ```ts
 * const rows = await cluster.query('replica1', `SELECT run, id FROM ${WRITES_TABLE}`)
 * ```
 */
export const WRITES_TABLE = 'lab.writes'

/**
 * A client at work. Disposing of it stops it.
 * @example
 * ```ts
 * await using writer = await startWriter(cluster)
 * await writer.acknowledges(100, { timeoutMs: 10_000 })
 * ```
 */
export class Writer implements AsyncDisposable {
  readonly run = randomUUID()
  readonly #target: Target
  readonly #insert: string
  readonly #way: WriterOptions['way']
  /** What it was told to do. */
  readonly load: { readonly ratePerSecond: number; readonly connections: number }
  readonly #writeTimeoutMs: number
  readonly #connectTimeoutMs: number
  readonly #end = new AbortController()
  readonly #signal: AbortSignal
  readonly #writes: Write[] = []
  readonly #connectionErrors: ConnectionError[] = []
  readonly #foundAt: number[] = []
  /** One text for all writes of a server: there may be millions. */
  readonly #servers = new Map<string, string>()
  readonly #startedAt = performance.now()
  #lanes: readonly Promise<void>[] = []
  #next = 0
  #acknowledged = 0
  #search: Promise<string> | undefined
  #spare: Session | undefined
  #stopped: Promise<History> | undefined

  /** @internal Called by {@link startWriter}, and for targets that are no cluster of the lab. */
  constructor(target: Target, options: WriterOptions) {
    const { ratePerSecond = 200, connections = 4, writeTimeoutMs = 2_000, signal } = options
    this.#target = target
    this.#way = options.way
    const returning = target.whoAnswers === undefined ? '' : ` RETURNING ${target.whoAnswers} AS server`
    this.#insert = `INSERT INTO ${target.table ?? WRITES_TABLE} (run, id) VALUES ($1, $2)${returning}`
    this.load = { ratePerSecond, connections }
    this.#writeTimeoutMs = writeTimeoutMs
    this.#connectTimeoutMs = options.connectTimeoutMs ?? PATIENCE_MS
    this.#signal = signal === undefined ? this.#end.signal : AbortSignal.any([signal, this.#end.signal])
    // A listener for each connection that waits for its next write: more than node's ten are no leak.
    setMaxListeners(0, this.#signal)
  }

  /** When a search of its connections has found a server that accepts writes: instants of performance.now(). @internal */
  get foundAt(): readonly number[] {
    return this.#foundAt
  }

  /** Begins to write. Called once, by {@link startWriter}. */
  start(): void {
    this.#lanes = Array.from({ length: this.load.connections }, () => this.#lane())
  }

  /** What is settled so far; a copy. */
  snapshot(): History {
    return {
      run: this.run,
      writes: [...this.#writes],
      connectionErrors: [...this.#connectionErrors],
      startedAt: this.#startedAt,
      stoppedAt: performance.now(),
    }
  }

  /** Waits until so many more writes are acknowledged. @throws LabError TIMEOUT */
  async acknowledges(count: number, { timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    const more = moreAcknowledged(count, { what: 'writes', read: () => this.#acknowledged })
    await waitUntil(more, { timeoutMs, signal: this.#signal })
  }

  /** Ends the client, lets what is in flight settle, and returns the frozen history. Idempotent. */
  async stop(): Promise<History> {
    return await (this.#stopped ??= this.#stop())
  }

  async #stop(): Promise<History> {
    this.#end.abort()
    await Promise.all(this.#lanes)
    await this.#spare?.[Symbol.asyncDispose]()
    this.#spare = undefined
    return Object.freeze(this.snapshot())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** One connection: takes the next write, waits until it is due, sends it, records what came of it. */
  async #lane(): Promise<void> {
    let lane: Lane | undefined
    while (!this.#isOver()) {
      lane ??= await this.#connect().catch((error: unknown) => this.#refused(error))
      if (lane === undefined) continue
      const id = this.#next++
      const dueAt = this.#startedAt + (id * 1000) / this.load.ratePerSecond
      await untilDue(dueAt, this.#signal)
      if (this.#isOver()) break
      if (!(await this.#write(lane, id, dueAt))) {
        lane.giveUp()
        lane = undefined
      }
    }
    await lane?.[Symbol.asyncDispose]()
  }

  #isOver(): boolean {
    return this.#signal.aborted
  }

  /** Whether the connection is still good for the next write. */
  async #write(lane: Lane, id: number, dueAt: number): Promise<boolean> {
    const sentAt = performance.now()
    const settle = (outcome: Outcome, server?: string): unknown =>
      this.#writes.push({ id, dueAt, sentAt, settledAt: performance.now(), outcome, server })
    try {
      settle(ACKNOWLEDGED, this.#kept(await lane.write([this.run, id])))
      this.#acknowledged++
      return true
    } catch (error) {
      settle(outcomeOf(error))
      return false
    }
  }

  #kept(server: string): string {
    const known = this.#servers.get(server)
    if (known === undefined) this.#servers.set(server, server)
    return known ?? server
  }

  #refused(error: unknown): undefined {
    if (!this.#isOver() && isLabError(error, 'UNREACHABLE')) this.#note(codeOf(error.cause) ?? CONNECTION_LOST)
  }

  #note(code: string): void {
    this.#connectionErrors.push({ at: performance.now(), code })
  }

  /** All connections share one search for the primary; the first of them takes over the connection that found it. */
  async #connect(): Promise<Lane> {
    if (this.#way !== undefined) return new RoutedLane(this.#way, this.#insert)
    this.#search ??= this.#findPrimary().finally(() => (this.#search = undefined))
    const node = await this.#search
    const found = this.#spare
    this.#spare = undefined
    const options = { signal: this.#signal, connectTimeoutMs: this.#connectTimeoutMs, applicationName: 'lab writer' }
    const session = found ?? (await this.#target.connect(node, { via: 'client', ...options }))
    return new DirectLane(session, { node, insert: this.#insert, timeoutMs: this.#writeTimeoutMs })
  }

  async #findPrimary(): Promise<string> {
    const { node, session } = await findPrimary(this.#target, {
      signal: this.#signal,
      patienceMs: this.#connectTimeoutMs,
      onError: code => this.#note(code),
    })
    this.#foundAt.push(performance.now())
    this.#spare = session
    return node
  }
}

/**
 * Makes the table where it is missing, and starts a client. @throws LabError NO_PRIMARY and the like
 * @example
 * ```ts
 * await using writer = await startWriter(cluster, { ratePerSecond: 200 })
 * await crash(cluster, 'primary')
 * await failover(cluster, 'primary', { timeoutMs: 60_000 })
 * const history = await writer.stop()
 * ```
 */
export async function startWriter(cluster: Cluster, options: WriterOptions = {}): Promise<Writer> {
  const primary = await cluster.primary(options.signal)
  await using session = await cluster.connect(primary.name, { signal: options.signal })
  await makeWritesTable(session)
  const writer = new Writer(cluster, options)
  writer.start()
  return writer
}

/** Where it is missing. @internal */
export async function makeWritesTable(session: Session): Promise<void> {
  await session.query('CREATE SCHEMA IF NOT EXISTS lab')
  // No index: a client that wrote an id twice must be found out, not refused.
  await session.query(
    `CREATE TABLE IF NOT EXISTS ${WRITES_TABLE} (run uuid NOT NULL, id integer NOT NULL, at timestamptz NOT NULL DEFAULT now())`,
  )
}

/**
 * What is in the table of that run, on the node that is the primary now.
 * @example
 * ```ts
 * const writer = await startWriter(cluster)
 * const { run } = await writer.stop()
 * const survivors = await readSurvivors(cluster, run)
 * ```
 */
export async function readSurvivors(cluster: Cluster, run: string, signal?: AbortSignal): Promise<Survivors> {
  const primary = await cluster.primary(signal)
  await using session = await cluster.connect(primary.name, { signal })
  return await rowsIn(WRITES_TABLE, session, run)
}

/** How often each id of that run is in a table, as the server at the other end tells it. */
export async function rowsIn(table: string, session: Session, run: string): Promise<ReadonlyMap<number, number>> {
  const question = `SELECT id, count(*)::int AS times FROM ${table} WHERE run = $1 GROUP BY id`
  const rows = await session.query<{ id: number; times: number }>(question, [run], { timeoutMs: 60_000 })
  return new Map(rows.map(({ id, times }) => [id, times]))
}
