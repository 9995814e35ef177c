/**
 * Writes: sent to the primary, sent again only if they certainly did not happen, and told as indeterminate where nobody knows.
 */
import type pg from 'pg'
import { codeOf, messageOf } from '../errors.ts'
import { parseLsn, type Lsn } from '../postgres/lsn.ts'
import { CONNECTION_LOST, ruleFor, serverErrorOf } from '../postgres/sqlstate.ts'
import { destroy } from './client.ts'
import type { ClusterWatch, Primary } from './cluster-watch.ts'
import { IndeterminateWriteError, RouterError } from './errors.ts'
import { beginOf } from './lineage.ts'
import { positioned, type Limit, type Whereabouts } from './position.ts'
import type { RoutedPool } from './routed-pool.ts'
import { isUseless, primaryOf, SAYS_ANOTHER } from './routed-pool.ts'
import { formatToken, type ReadToken } from './token.ts'

export interface WriteOptions {
  /** That it does no harm twice, so it may be sent again also when nobody knows whether it happened. @default false */
  readonly idempotent?: boolean | undefined
  /**
   * Asks after the write how far the server is, so that a standby can answer a read with the token. Without it such a read goes
   * to the primary, and the write costs no second statement. @default true
   */
  readonly withPosition?: boolean | undefined
}

/** A statement as node-postgres takes it. */
export type Statement = string | (pg.QueryConfig & Limit)

export interface Written {
  /** For a read that must see it: `router.read(sql, values, { after: token })`. */
  readonly token: ReadToken
  /** `host:port` */
  readonly node: string
}

export interface WriteCounts {
  readonly acknowledged: number
  /** Sent again, since they certainly did not happen, or were said to be idempotent. */
  readonly sentAgain: number
  readonly indeterminate: number
}

export interface WritesOptions {
  readonly watch: ClusterWatch
  readonly pool: RoutedPool
  /** For how long a write is sent again, in milliseconds. */
  readonly findTimeoutMs: number
}

export class Writes {
  readonly #options: WritesOptions
  readonly #counts = { acknowledged: 0, sentAgain: 0, indeterminate: 0 }
  /** How far the primary was known to be, by its run. */
  #known: (Reached & { readonly started: string }) | undefined

  constructor(options: WritesOptions) {
    this.#options = options
  }

  get counts(): WriteCounts {
    return { ...this.#counts }
  }

  /** @throws IndeterminateWriteError; RouterError NO_PRIMARY; what the server says of the statement */
  async write<R extends pg.QueryResultRow>(
    statement: Statement,
    values: unknown[] | undefined,
    { idempotent = false, withPosition = true }: WriteOptions,
  ): Promise<pg.QueryResult<R> & Written> {
    return await this.#untilSettled(async client => {
      const begun = this.#begin(client)
      const sentAt = performance.now()
      try {
        const send = (): Promise<pg.QueryResult<R>> => client.query<R>(statement as string, values)
        const { result, ...whereabouts } = withPosition
          ? await positioned(client, send, { ...begun, limit: limitOf(statement) })
          : { result: await send(), where: undefined, before: undefined, sentAt }
        return Object.assign(result, await this.#written(begun, whereabouts))
      } catch (error) {
        if (certainlyDidNotHappen(error)) throw error
        const unknown = this.#indeterminate(begun.primary, error, sentAt)
        throw idempotent ? new MayBeSentAgain(unknown) : unknown
      }
    })
  }

  /**
   * One transaction; `work` may be called again, when the primary goes away before the commit is sent.
   * @throws IndeterminateWriteError when no answer came to the commit; RouterError ROLLED_BACK, NO_PRIMARY; what `work` throws
   */
  async transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<{ readonly value: T } & Written> {
    return await this.#untilSettled(async client => {
      const begun = this.#begin(client)
      const value = await beforeCommit(client, work)
      const sentAt = performance.now()
      try {
        const { result, ...whereabouts } = await positioned(client, () => client.query('COMMIT'), begun)
        if (result.command === 'ROLLBACK') throw rolledBack()
        return { value, ...(await this.#written(begun, whereabouts)) }
      } catch (error) {
        if (error instanceof RouterError || certainlyDidNotHappen(error)) throw error
        throw this.#indeterminate(begun.primary, error, sentAt)
      }
    })
  }

  /** Attempts it again where another primary may take it. What may have happened once stays so, whatever comes of the rest. */
  async #untilSettled<T>(attempt: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const sent: Sent = { unknown: undefined }
    try {
      return await this.#attempts(attempt, sent)
    } catch (error) {
      const told = sent.unknown ?? error
      if (told instanceof IndeterminateWriteError) this.#counts.indeterminate++
      throw told
    }
  }

  async #attempts<T>(attempt: (client: pg.PoolClient) => Promise<T>, sent: Sent): Promise<T> {
    const { pool, watch, findTimeoutMs } = this.#options
    const deadline = performance.now() + findTimeoutMs
    for (;;) {
      const client = await pool.connect()
      const before = primaryOf(client)
      try {
        const done = await attempt(client)
        client.release()
        this.#counts.acknowledged++
        return done
      } catch (error) {
        const mayBeAgain = error instanceof MayBeSentAgain
        if (mayBeAgain) sent.unknown = error.unknown
        const isLost = mayBeAgain || error instanceof IndeterminateWriteError
        const mayGoOn = mayBeAgain || (!isLost && (isUseless(client) || saysAnother(error)))
        client.release(isLost || mayGoOn)
        if (isLost || mayGoOn) watch.doubt()
        if (!mayGoOn || performance.now() >= deadline) throw error
        const now = await watch.findPrimary(deadline)
        // Read-only on a server that is the primary all the same: the application's own transaction is.
        if (codeOf(error) === '25006' && now.look.started === before?.look.started) throw error
        this.#counts.sentAgain++
      }
    }
  }

  #begin(client: pg.PoolClient): Begun {
    const primary = primaryOf(client)
    if (primary === undefined) throw new RouterError('NO_PRIMARY', 'a connection leads nowhere')
    const { started } = primary.look
    const latest = this.#options.watch.primary?.look
    const look = latest?.started === started ? latest : primary.look
    const seen: Reached = { lsn: look.flushLsn, at: look.askedAt }
    const known = this.#known?.started === started && this.#known.lsn >= seen.lsn ? this.#known : seen
    return { primary, from: known.lsn, isFresh: performance.now() - known.at < FRESH_MS }
  }

  async #written({ primary, from }: Begun, { where, before, sentAt }: Whereabouts): Promise<Written> {
    const { system, started, timeline } = primary.look
    const lsn = where === undefined ? undefined : parseLsn(where.lsn)
    if (lsn !== undefined && where?.flushed === true && lsn > from) this.#known = { started, lsn, at: sentAt }
    const lineage = await primary.host.lineage()
    const begin = lineage?.timeline === timeline ? beginOf(lineage) : undefined
    const position = { system, started, timeline, begin, from: before ?? from, lsn, isFlushed: where?.flushed ?? false }
    return { token: formatToken(position), node: primary.host.name }
  }

  #indeterminate({ host }: Primary, error: unknown, sentAt: number): IndeterminateWriteError {
    const reason = codeOf(error) ?? messageOf(error)
    return new IndeterminateWriteError({ node: host.name, reason, afterMs: performance.now() - sentAt }, error)
  }
}

/** The server was there at that instant. */
interface Reached {
  readonly lsn: Lsn
  /** performance.now(), in milliseconds. */
  readonly at: number
}

/**
 * What is known of the server's position before a write may be so old, in milliseconds; else it is asked with it. A fork between
 * that position and the one after the write leaves it unknown whether the write is lost.
 */
const FRESH_MS = 20

interface Begun {
  readonly primary: Primary
  /** A position that the server had reached before the write was sent. */
  readonly from: Lsn
  readonly isFresh: boolean
}

/** What is asked behind a statement is not answered before it is. */
const limitOf = (statement: Statement): Limit =>
  typeof statement === 'string' ? {} : { query_timeout: statement.query_timeout }

/** What is before the commit has no effect without it. */
async function beforeCommit<T>(client: pg.PoolClient, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  await client.query('BEGIN')
  try {
    return await work(client)
  } catch (error) {
    // A connection that does not even roll back is of no use to the next one who gets it.
    await client.query('ROLLBACK').catch(() => destroy(client))
    throw error
  }
}

function certainlyDidNotHappen(error: unknown): boolean {
  const { code, severity } = serverErrorOf(error) ?? { code: codeOf(error) ?? CONNECTION_LOST }
  return ruleFor(code, severity).certainty === 'failed'
}

const saysAnother = (error: unknown): boolean => SAYS_ANOTHER.test(serverErrorOf(error)?.code ?? '')

/** An attempt before may have happened. */
interface Sent {
  unknown: IndeterminateWriteError | undefined
}

/** Nobody knows whether it happened, and the caller says that this is no matter. */
class MayBeSentAgain extends Error {
  readonly unknown: IndeterminateWriteError

  constructor(unknown: IndeterminateWriteError) {
    super('may be sent again', { cause: unknown })
    this.unknown = unknown
  }
}

const rolledBack = (): RouterError =>
  new RouterError(
    'ROLLED_BACK',
    'the transaction was rolled back: a statement in it had failed, and its error was not thrown',
    {
      hint: 'Let the errors of statements out of the function, or use a SAVEPOINT.',
    },
  )
