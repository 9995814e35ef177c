/**
 * Reads: from a standby that is fit, and with a token from one that has the write; else from the primary.
 */
import pg from 'pg'
import { codeOf } from '../errors.ts'
import { formatLsn, type Lsn } from '../postgres/lsn.ts'
import { pause } from '../wait.ts'
import { destroy } from './client.ts'
import type { ClusterWatch } from './cluster-watch.ts'
import { RouterError } from './errors.ts'
import type { Host } from './host.ts'
import { find, type Found, type Position } from './lineage.ts'
import type { Statement } from './writes.ts'
import { parseToken } from './token.ts'

export interface ReadOptions {
  /** A token: the read sees that write, or fails. */
  readonly after?: string | undefined
  /** How long a standby is waited for that has not the write yet, in milliseconds; then the primary answers. @default 200 */
  readonly waitMs?: number | undefined
}

export interface ReadFrom {
  /** `host:port` */
  readonly node: string
  readonly role: 'primary' | 'standby'
}

export interface ReadsOptions {
  readonly watch: ClusterWatch
  readonly config: pg.PoolConfig
  readonly readFrom: 'round-robin' | 'lowest-latency'
  readonly findTimeoutMs: number
  readonly silenceMs: number
}

const WAIT_MS = 200
const BETWEEN_LOOKS_MS = 2
/** server_version_num of the first release with WAIT FOR. */
const HAS_WAIT_FOR = 190_000

export class Reads {
  readonly #options: ReadsOptions
  readonly #pools = new Map<Host, HostPool>()
  readonly #counts = new Map<string, number>()
  #turn = 0

  constructor(options: ReadsOptions) {
    this.#options = options
    options.watch.on('look', this.#dropSilent)
  }

  /** How many reads each host has answered. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts)
  }

  /** @throws RouterError NO_SERVER, NO_PRIMARY, WRITE_LOST, WRITE_UNKNOWN, FOREIGN_TOKEN; what the server says of the statement */
  async read<R extends pg.QueryResultRow>(
    statement: Statement,
    values: unknown[] | undefined,
    { after, waitMs = WAIT_MS }: ReadOptions,
  ): Promise<pg.QueryResult<R> & ReadFrom> {
    const position = after === undefined ? undefined : parseToken(after)
    const deadline = performance.now() + this.#options.findTimeoutMs
    const failed = new Set<Host>()
    for (;;) {
      const host = await this.#choose(position, { waitMs, failed, deadline })
      try {
        const result = await this.#poolOf(host).query<R>(statement, values, position === undefined ? undefined : host)
        this.#counts.set(host.name, (this.#counts.get(host.name) ?? 0) + 1)
        return Object.assign(result, { node: host.name, role: host.look?.role ?? 'standby' })
      } catch (error) {
        if (!isOfTheServer(error) || performance.now() >= deadline) throw error
        failed.add(host)
        host.hurry()
      }
    }
  }

  async end(): Promise<void> {
    this.#options.watch.off('look', this.#dropSilent)
    await Promise.all([...this.#pools.values()].map(async pool => await pool.end()))
  }

  async #choose(position: Position | undefined, search: Search): Promise<Host> {
    const { watch } = this.#options
    const standbys = this.#inTurn(watch.standbys().flatMap(({ host, unfit }) => (unfit === undefined ? [host] : [])))
    const fit = standbys.filter(host => !search.failed.has(host))
    const standby = position === undefined ? fit[0] : await this.#withWrite(fit, position, search.waitMs)
    if (standby !== undefined) return standby
    const { host } = await watch.findPrimary(search.deadline)
    if (position !== undefined) requireFound(await foundOn(host, position), position)
    search.failed.clear() // there may be nobody else
    return host
  }

  /** The first that has the write, or has it within the limit. */
  async #withWrite(hosts: readonly Host[], position: Position, waitMs: number): Promise<Host | undefined> {
    const { primary } = this.#options.watch
    // What was not on disk a crash can take away, and no history tells: then only that run of the server knows.
    if (!position.isFlushed && primary?.look.started !== position.started) return undefined
    const deadline = performance.now() + waitMs
    for (;;) {
      const found = await Promise.all(hosts.map(async host => ({ host, found: await foundOn(host, position) })))
      const having = found.find(each => each.found === 'there')
      if (having !== undefined) return having.host
      const waiting = found.filter(each => each.found === 'not yet').map(each => each.host)
      if (waiting.length === 0 || performance.now() >= deadline) return undefined
      const limitMs = deadline - performance.now()
      await Promise.race(waiting.map(async host => await this.#nextLook(host, position, limitMs)))
    }
  }

  /** Looks again: when the server itself says that it has come so far, where it can; else a little later. */
  async #nextLook(host: Host, { lsn }: Position, limitMs: number): Promise<void> {
    const version = host.look?.versionNumber ?? 0
    if (lsn !== undefined && version >= HAS_WAIT_FOR) await this.#poolOf(host).waitFor(lsn, limitMs)
    else await pause(BETWEEN_LOOKS_MS)
    await host.lookNow()
  }

  #inTurn(hosts: readonly Host[]): readonly Host[] {
    if (this.#options.readFrom === 'lowest-latency') return [...hosts].sort((a, b) => a.latencyMs - b.latencyMs)
    const first = hosts.length === 0 ? 0 : this.#turn++ % hosts.length
    return [...hosts.slice(first), ...hosts.slice(0, first)]
  }

  #poolOf(host: Host): HostPool {
    const known = this.#pools.get(host)
    if (known !== undefined) return known
    const pool = new HostPool({ ...this.#options.config, ...host.address.config }, this.#options.silenceMs)
    this.#pools.set(host, pool)
    return pool
  }

  /** What waits for a server that is silent gets its answer elsewhere. */
  readonly #dropSilent = (host: Host): void => {
    if (host.look === undefined) this.#pools.get(host)?.drop()
  }
}

interface Search {
  readonly waitMs: number
  /** Those that have just failed. */
  readonly failed: Set<Host>
  readonly deadline: number
}

/** Connections to one host, whatever its role. */
class HostPool {
  readonly #pool: pg.Pool
  readonly #clients = new Set<pg.PoolClient>()
  /** Which run of the server a connection leads to. */
  readonly #runs = new WeakMap<pg.PoolClient, string>()

  constructor(config: pg.PoolConfig, silenceMs: number) {
    this.#pool = new pg.Pool({ keepAlive: true, ...config, connectionTimeoutMillis: silenceMs })
    this.#pool.on('error', () => undefined)
    this.#pool.on('connect', client => {
      client.on('error', () => undefined)
      this.#clients.add(client)
    })
    this.#pool.on('remove', client => this.#clients.delete(client))
  }

  /** @param run the answer is of this run of the server, or there is none */
  async query<R extends pg.QueryResultRow>(
    statement: Statement,
    values: unknown[] | undefined,
    run: Host | undefined,
  ): Promise<pg.QueryResult<R>> {
    const client = await this.#pool.connect()
    try {
      if (run !== undefined && (await this.#runOf(client)) !== run.look?.started) throw new AnotherRun()
      const result = await client.query<R>(statement as string, values)
      client.release()
      return result
    } catch (error) {
      client.release(isOfTheServer(error))
      throw error
    }
  }

  /**
   * Until the server has replayed so much, or the time is over; whether the write is there is looked at afterwards, since WAIT
   * FOR knows no timelines. https://www.postgresql.org/docs/19/sql-wait-for.html
   */
  async waitFor(lsn: Lsn, limitMs: number): Promise<void> {
    // No parameter is possible there; this text is an LSN, since it was made of a number.
    const statement = `WAIT FOR LSN '${formatLsn(lsn)}' WITH (MODE 'standby_replay', TIMEOUT '${Math.ceil(limitMs)}ms', NO_THROW)`
    await this.#pool.query(statement).catch(() => undefined)
  }

  drop(): void {
    for (const client of this.#clients) destroy(client)
  }

  async end(): Promise<void> {
    const ended = this.#pool.end()
    const timer = setTimeout(() => this.drop(), 1_000)
    await ended
    clearTimeout(timer)
  }

  async #runOf(client: pg.PoolClient): Promise<string> {
    const known = this.#runs.get(client)
    if (known !== undefined) return known
    const { rows } = await client.query<{ started: string }>(
      'SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text AS started',
    )
    const started = rows[0]?.started ?? ''
    this.#runs.set(client, started)
    return started
  }
}

/** The server was started anew since it was looked at. */
class AnotherRun extends Error {
  readonly code = 'ECONNRESET'
}

/** Another server may answer: this one is gone, or cancelled the read for its recovery. */
function isOfTheServer(error: unknown): boolean {
  const code = codeOf(error)
  return code === undefined || /^(E[A-Z]+|57P0[1235]|08...|40001|40P01|53300)$/.test(code)
}

async function foundOn(host: Host, position: Position): Promise<Found> {
  const place = await host.place()
  return place === undefined ? 'unknown' : find(position, place)
}

/** @throws RouterError unless the primary has it */
function requireFound(found: Found, { timeline, lsn, from }: Position): void {
  if (found === 'there') return
  const write = `the write at ${formatLsn(lsn ?? from)} on timeline ${timeline}`
  if (found === 'foreign')
    throw new RouterError('FOREIGN_TOKEN', 'a token is of another cluster', {
      hint: 'Tokens are of the cluster that they were made on.',
    })
  if (found === 'lost')
    throw new RouterError('WRITE_LOST', `${write} is lost: it is not in the history of the primary`, {
      hint: 'A failover left it behind. Tell who wrote it, or write it again.',
    })
  throw new RouterError('WRITE_UNKNOWN', `whether the primary has ${write} cannot be known`, {
    hint: 'Look for the row. A monitor with REPLICATION lets the router read the history of timelines.',
  })
}
