/**
 * A consumer of the table that survives a failover: who was made a user, in the order in which it was told.
 *
 * LISTEN is the server's word to one connection: what is notified while there is none is gone. So whenever a connection is
 * made, the table itself is read, and the log says that there was a gap, from when to when, and what was found.
 */
import pg from 'pg'
import type { FastifyBaseLogger } from 'fastify'
import type { Router } from 'pg-failover-lab/router'
import type { Configuration } from './configuration.ts'
import { messageOf, pause } from './limit.ts'
import { SCHEMA } from './migration.ts'

export type Activity =
  | { readonly kind: 'started'; readonly after: number }
  | {
      readonly kind: 'user'
      readonly id: string
      readonly number: number
      readonly name: string
      /** Found in the table after a gap, and not told at its time. */
      readonly isLate: boolean
    }
  | {
      readonly kind: 'gap'
      /** The last moment at which the connection is known to have been whole, and the one at which the table was read. */
      readonly from: string
      readonly to: string
      readonly node: string
      /** Users after this number were looked for. */
      readonly afterNumber: number
      readonly found: number
      /** Told before, and not in the table of this primary: the failover has lost them. */
      readonly gone: readonly string[]
      readonly mayHaveMissed: string
    }

/** With its place in this log, and when it was written. */
export type Entry = Activity & { readonly position: number; readonly at: string }

export interface ActivityLogOptions {
  readonly router: Router
  readonly configuration: Configuration
  readonly log: FastifyBaseLogger
  readonly onGap: () => void
  /** Not before that. */
  readonly begin: Promise<void>
  readonly signal: AbortSignal
}

interface Row {
  readonly id: string
  readonly number: number
  readonly name: string
}

const KEPT = 1_000
/**
 * So many numbers are read again after a gap: numbers are given before the commit, so a lower one can come later. A failover
 * can also give numbers again that it has lost.
 */
const OVERLAP = 1_000
const BEAT_MS = 1_000
const BETWEEN_ATTEMPTS_MS = 100

const CANNOT_BE_KNOWN =
  'users who were made and lost in that time, and those whose transaction was open for longer than 1000 others took'

export class ActivityLog {
  readonly #options: ActivityLogOptions
  readonly #entries: Entry[] = []
  /** Those that were told, by id: of the last numbers. */
  readonly #told = new Map<string, number>()
  readonly #running: Promise<void>
  #position = 0
  #last = 0
  /** When the connection was known to be whole; undefined before the first. */
  #wholeAt: Date | undefined
  #isListening = false

  constructor(options: ActivityLogOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  get isListening(): boolean {
    return this.#isListening
  }

  /** Those after a position, of the last thousand. */
  after(position: number): readonly Entry[] {
    return this.#entries.filter(entry => entry.position > position)
  }

  /** Settles after the signal has fired. */
  async ended(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    const { log, begin, signal } = this.#options
    await begin
    while (!signal.aborted) {
      try {
        await this.#listen()
      } catch (error) {
        log.info({ reason: messageOf(error) }, 'the activity log has no connection')
      }
      this.#isListening = false
      await pause(BETWEEN_ATTEMPTS_MS, signal)
    }
  }

  /** Over one connection, until that ends. */
  async #listen(): Promise<void> {
    const { router, configuration, signal } = this.#options
    const { findPrimaryMs } = configuration.database
    const node = await router.primary({ timeoutMs: findPrimaryMs })
    const connection = new Listening(node, configuration)
    const end = (): void => connection.end('the service ends')
    const follow = (primary: { readonly node: string }): void => {
      if (primary.node !== node) connection.end(`${primary.node} is the primary now`)
    }
    signal.addEventListener('abort', end, { once: true })
    router.on('primary', follow)
    try {
      await connection.open()
      await this.#catchUp(connection, node)
      this.#isListening = true
      for (;;) {
        // Also where nobody makes a user: only an answer tells that the connection is whole.
        for (const row of await connection.next(BEAT_MS)) this.#tell(row, false)
        this.#wholeAt = new Date()
      }
    } finally {
      signal.removeEventListener('abort', end)
      router.off('primary', follow)
      connection.end('done')
    }
  }

  async #catchUp(connection: Listening, node: string): Promise<void> {
    const { log, onGap } = this.#options
    const isFirst = this.#wholeAt === undefined
    const afterNumber = Math.max(0, (isFirst ? await connection.last() : this.#last) - OVERLAP)
    const rows = await connection.after(afterNumber)
    const now = new Date()
    if (isFirst) {
      for (const { id, number } of rows) this.#told.set(id, number)
      this.#last = rows.at(-1)?.number ?? 0
      this.#write({ kind: 'started', after: this.#last })
    } else {
      const there = new Set(rows.map(({ id }) => id))
      const gone = [...this.#told].filter(([id, number]) => number > afterNumber && !there.has(id)).map(([id]) => id)
      for (const id of gone) this.#told.delete(id)
      const late = rows.filter(({ id }) => !this.#told.has(id))
      const [from, to] = [this.#wholeAt ?? now, now].map(at => at.toISOString()) as [string, string]
      const gap = { from, to, node, afterNumber, found: late.length, gone, mayHaveMissed: CANNOT_BE_KNOWN }
      this.#write({ kind: 'gap', ...gap })
      log.warn({ gap }, 'the activity log had a gap')
      onGap()
      this.#last = rows.at(-1)?.number ?? afterNumber
      for (const row of late) this.#tell(row, true)
    }
    this.#wholeAt = now
  }

  #tell({ id, number, name }: Row, isLate: boolean): void {
    if (this.#told.has(id)) return
    this.#told.set(id, number)
    this.#last = Math.max(this.#last, number)
    for (const [old, at] of this.#told) {
      if (this.#told.size <= 2 * OVERLAP || at > this.#last - OVERLAP) break
      this.#told.delete(old)
    }
    this.#write({ kind: 'user', id, number, name, isLate })
  }

  #write(activity: Activity): void {
    this.#entries.push({ ...activity, position: ++this.#position, at: new Date().toISOString() })
    if (this.#entries.length > KEPT) this.#entries.shift()
  }
}

/** A connection to one server that was the primary, and what it has notified. */
class Listening {
  readonly #client: pg.Client
  readonly #ids: string[] = []
  #why: string | undefined
  #wake: () => void = () => undefined

  constructor(node: string, { database }: Configuration) {
    const { hostname: host, port } = new URL(`postgresql://${node}`)
    const { account, name, statementTimeoutMs } = database
    const limits = { connectionTimeoutMillis: statementTimeoutMs, query_timeout: statementTimeoutMs }
    this.#client = new pg.Client({ host, port: Number(port), database: name, ...account, ...limits, keepAlive: true })
    this.#client.on('error', error => this.end(messageOf(error)))
    this.#client.on('end', () => this.end('the server has ended it'))
    this.#client.on('notification', ({ payload = '' }) => {
      this.#ids.push(payload)
      this.#wake()
    })
  }

  async open(): Promise<void> {
    await this.#client.connect()
    await this.#client.query(`LISTEN ${SCHEMA}`)
  }

  /** Whatever waits for it is told why. Idempotent. */
  end(why: string): void {
    if (this.#why !== undefined) return
    this.#why = why
    this.#wake()
    void this.#client.end().catch(() => undefined)
    // A server that stands still says no goodbye.
    this.#client.connection.stream.destroy()
  }

  async last(): Promise<number> {
    const [row] = await this.#rows(
      `SELECT '' AS id, coalesce(max(number), 0)::float8 AS number, '' AS name FROM ${SCHEMA}.users`,
    )
    return row?.number ?? 0
  }

  async after(number: number): Promise<readonly Row[]> {
    return await this.#rows(
      `SELECT id, number::float8 AS number, name FROM ${SCHEMA}.users WHERE number > $1 ORDER BY users.number`,
      [number],
    )
  }

  /** Those that were notified; none, if there was nothing within the limit and the connection is whole. @throws Error where it has ended */
  async next(limitMs: number): Promise<readonly Row[]> {
    if (this.#ids.length === 0 && this.#why === undefined) await this.#woken(limitMs)
    const ids = this.#ids.splice(0)
    return await this.#rows(
      `SELECT id, number::float8 AS number, name FROM ${SCHEMA}.users WHERE id = ANY ($1) ORDER BY users.number`,
      [ids],
    )
  }

  async #woken(limitMs: number): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = setTimeout(() => resolve(), limitMs) // a connection that is dead notifies nobody: it must be looked at
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #rows(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    if (this.#why !== undefined) throw new Error(this.#why)
    return (await this.#client.query<Row>(text, [...values])).rows
  }
}
