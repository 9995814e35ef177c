/**
 * A router: writes to the primary of the moment, reads from its standbys, over node-postgres.
 */
import { EventEmitter } from 'node:events'
import type pg from 'pg'
import { ClusterWatch, type Primary } from './cluster-watch.ts'
import { Gate } from './gate.ts'
import { resolveOptions, type RouterOptions } from './options.ts'
import { Reads, type ReadFrom, type ReadOptions } from './reads.ts'
import { RoutedPool } from './routed-pool.ts'
import type { Lag } from './standbys.ts'
import { Writes, type Statement, type WriteCounts, type WriteOptions, type Written } from './writes.ts'

/** What the router knows of a host. */
export type NodeState =
  | { readonly node: string; readonly role: 'primary'; readonly timeline: number; readonly latencyMs: number }
  | {
      readonly node: string
      readonly role: 'standby'
      readonly lag: Lag
      /** Why it answers no reads; undefined when it does. */
      readonly unfit: string | undefined
      readonly latencyMs: number
    }
  /** It says that it is the primary, and is not taken for it. */
  | { readonly node: string; readonly role: 'other primary'; readonly timeline: number; readonly latencyMs: number }
  | { readonly node: string; readonly role: 'unreachable'; readonly why: string }

export interface RouterStatus {
  /** `host:port`; undefined while none is known. */
  readonly primary: string | undefined
  /** Why there is no primary. */
  readonly why: string | undefined
  readonly nodes: readonly NodeState[]
  readonly isHeld: boolean
  /** Writes that wait for a held router, and writes that are sent. */
  readonly waiting: number
  readonly inFlight: number
  /** Connections to the primary: those of the router itself, and of its pool. */
  readonly connections: { readonly total: number; readonly idle: number; readonly waiting: number }
  readonly writes: WriteCounts
  /** Reads answered, by host. */
  readonly reads: Readonly<Record<string, number>>
}

/** Another server is the primary now. */
export interface PrimaryChange {
  readonly node: string
  readonly timeline: number
  /** Undefined for the first. */
  readonly before: string | undefined
  /** How long none was known, in milliseconds. */
  readonly withoutMs: number
}

interface RouterEvents {
  primary: [change: PrimaryChange]
  /** No primary is known any more; why. */
  lost: [why: string]
}

export interface HoldOptions {
  /** How long to wait for the writes that are sent already, in milliseconds. @default 5000 */
  readonly drainMs?: number | undefined
  /** A hold that nobody ends would stop the application: it ends by itself after this, in milliseconds. @default 30000 */
  readonly limitMs?: number | undefined
}

/** Made by {@link createRouter}. */
export class Router extends EventEmitter<RouterEvents> implements AsyncDisposable {
  readonly #watch: ClusterWatch
  readonly #gate = new Gate()
  readonly #writes: Writes
  readonly #reads: Reads
  readonly #own: RoutedPool
  readonly #shared: { readonly write: RoutedPool }
  #lostAt = performance.now()
  #before: string | undefined
  #holdLimit: NodeJS.Timeout | undefined
  #ended: Promise<void> | undefined

  /** Begins to watch the hosts. @throws RouterError USAGE */
  constructor(options: RouterOptions) {
    super()
    const { addresses, pool, limits, readFrom, checkEveryMs, ...resolved } = resolveOptions(options)
    const { silenceMs, statementTimeoutMs, findTimeoutMs } = resolved
    this.#watch = new ClusterWatch(addresses, { silenceMs, checkEveryMs, limits })
    const routing = { watch: this.#watch, gate: this.#gate, findTimeoutMs, silenceMs }
    const config = { ...pool, query_timeout: statementTimeoutMs }
    this.#own = new RoutedPool({ ...config, pipeline: true }, routing)
    this.#shared = { write: new RoutedPool(pool, routing) }
    this.#writes = new Writes({ watch: this.#watch, pool: this.#own, findTimeoutMs })
    this.#reads = new Reads({ watch: this.#watch, config, readFrom, findTimeoutMs, silenceMs })
    this.#watch.on('primary', now => this.#tell(now))
    this.#watch.on('lost', why => {
      this.#lostAt = performance.now()
      this.emit('lost', why)
    })
  }

  /**
   * One statement on the primary, each in a transaction of its own. Sent again only if it certainly did not happen.
   * @throws IndeterminateWriteError when it may have happened; RouterError NO_PRIMARY when nothing was sent; what the server says
   * @example `const { token } = await router.write('INSERT INTO users (name) VALUES ($1)', ['Ada'])`
   */
  async write<R extends pg.QueryResultRow = pg.QueryResultRow>(
    statement: Statement,
    values?: unknown[],
    options: WriteOptions = {},
  ): Promise<pg.QueryResult<R> & Written> {
    return await this.#writes.write<R>(statement, values, options)
  }

  /**
   * One statement on a standby that is fit; on the primary where none is. With a token it sees that write.
   * @throws RouterError WRITE_LOST, WRITE_UNKNOWN, FOREIGN_TOKEN for a token; NO_PRIMARY when nobody answers; what the server says
   * @example `const { rows } = await router.read('SELECT * FROM users', [], { after: token })`
   */
  async read<R extends pg.QueryResultRow = pg.QueryResultRow>(
    statement: Statement,
    values?: unknown[],
    options: ReadOptions = {},
  ): Promise<pg.QueryResult<R> & ReadFrom> {
    return await this.#reads.read<R>(statement, values, options)
  }

  /**
   * Several statements on the primary, in one transaction. `work` may be called again: before the commit nothing has happened.
   * @throws IndeterminateWriteError when no answer came to the commit; RouterError ROLLED_BACK, NO_PRIMARY; what `work` throws
   * @example `await router.transaction(async client => { await client.query('UPDATE a …'); await client.query('UPDATE b …') })`
   */
  async transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<{ readonly value: T } & Written> {
    return await this.#writes.transaction(work)
  }

  /** A pg.Pool that leads to the primary of the moment, for what takes one. It ends with the router. @example `drizzle(router.pool('write'))` */
  pool(purpose: 'write'): pg.Pool {
    return this.#shared[purpose]
  }

  /**
   * Lets writes wait from now on, and returns when those that were sent have their answers: now a switchover fails none.
   * @returns how many are still without one after `drainMs`; a connection of the pool that is lent for long, as for LISTEN, counts
   * @example `await router.hold(); try { await switchover() } finally { router.release() }`
   */
  async hold({ drainMs = 5_000, limitMs = 30_000 }: HoldOptions = {}): Promise<{ readonly inFlight: number }> {
    this.#gate.close()
    clearTimeout(this.#holdLimit)
    this.#holdLimit = setTimeout(() => this.release(), limitMs)
    await this.#gate.drained(drainMs)
    return { inFlight: this.#gate.inFlight }
  }

  /** Lets writes go on, to whoever is the primary. */
  release(): void {
    clearTimeout(this.#holdLimit)
    this.#watch.doubt() // a switchover may have come meanwhile: no look from before counts
    this.#gate.open()
  }

  /** What is known of the hosts, and what was routed. */
  status(): RouterStatus {
    const { primary } = this.#watch
    return {
      primary: primary?.host.name,
      why: primary === undefined ? this.#watch.why : undefined,
      nodes: this.#nodes(),
      isHeld: this.#gate.isClosed,
      waiting: this.#gate.waiting,
      inFlight: this.#gate.inFlight,
      connections: this.#connections(),
      writes: this.#writes.counts,
      reads: this.#reads.counts,
    }
  }

  /** Waits until a primary is known. @returns `host:port` @throws RouterError NO_PRIMARY */
  async primary({ timeoutMs = 10_000 }: { readonly timeoutMs?: number } = {}): Promise<string> {
    return (await this.#watch.findPrimary(performance.now() + timeoutMs)).host.name
  }

  /** Ends every connection. Idempotent. */
  async end(): Promise<void> {
    await (this.#ended ??= this.#end())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end()
  }

  async #end(): Promise<void> {
    clearTimeout(this.#holdLimit)
    this.#gate.open()
    await this.#watch.end()
    await Promise.all([this.#own.end(), this.#shared.write.end(), this.#reads.end()])
  }

  #tell({ host, look }: Primary): void {
    const now = performance.now()
    const isGap = this.#before === undefined || this.#lostAt > 0
    const change = {
      node: host.name,
      timeline: look.timeline,
      before: this.#before,
      withoutMs: isGap ? now - this.#lostAt : 0,
    }
    this.#before = host.name
    this.#lostAt = 0
    this.emit('primary', change)
  }

  #connections(): RouterStatus['connections'] {
    const pools = [this.#own, this.#shared.write]
    const sum = (count: (pool: pg.Pool) => number): number => pools.reduce((all, pool) => all + count(pool), 0)
    return {
      total: sum(pool => pool.totalCount),
      idle: sum(pool => pool.idleCount),
      waiting: sum(pool => pool.waitingCount),
    }
  }

  #nodes(): NodeState[] {
    const standbys = new Map(this.#watch.standbys().map(standby => [standby.host, standby]))
    return this.#watch.hosts.map(host => {
      const { name: node, latencyMs, look, silence } = host
      const standby = standbys.get(host)
      if (standby !== undefined) return { node, role: 'standby', lag: standby.lag, unfit: standby.unfit, latencyMs }
      if (look?.role !== 'primary') return { node, role: 'unreachable', why: silence }
      const role = this.#watch.primary?.host === host ? 'primary' : 'other primary'
      return { node, role, timeline: look.timeline, latencyMs }
    })
  }
}

/**
 * Makes a router over the servers of one cluster. It asks all of them, all the time, and never ends the process by an error.
 * @throws RouterError USAGE
 * @example
 * ```ts
 * const router = createRouter({ hosts: ['db1:5432', 'db2:5432', 'db3:5432'], user, password, database })
 * const { token } = await router.write('INSERT INTO users (name) VALUES ($1)', ['Ada'])
 * const { rows } = await router.read('SELECT * FROM users', [], { after: token })
 * ```
 */
export const createRouter = (options: RouterOptions): Router => new Router(options)
