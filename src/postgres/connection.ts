/**
 * One connection to one server, with a limit on everything: node-postgres itself waits for ever.
 */
import pg from 'pg'
import { codeOf, interrupted, LabError, messageOf } from '../errors.ts'
import { OWN_OPTIONS, ownTimeout } from './own-sessions.ts'

/** A server and who connects to it. */
export interface ServerAddress {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
}

/** The same in one text: `postgresql://user@host:port/database?sslmode=require`; the password may be in PGPASSWORD or ~/.pgpass. */
export interface ServerUrl {
  readonly url: string
}

export type ConnectOptions = (ServerAddress | ServerUrl) & {
  /** Shown in pg_stat_activity. @default pg-failover-lab */
  readonly applicationName?: string | undefined
  /** Limit for connecting in milliseconds. @default 3000 */
  readonly connectTimeoutMs?: number | undefined
  /**
   * Opens a connection of the replication protocol, which takes its commands beside SQL: the role needs REPLICATION.
   * https://www.postgresql.org/docs/current/protocol-replication.html
   * @default false
   */
  readonly asWalSender?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface QueryOptions {
  /** Limit in milliseconds; past it the connection is dropped, because nothing more is known of it. @default 10000 */
  readonly timeoutMs?: number | undefined
  /** Parses the statement once a connection under this name. */
  readonly name?: string | undefined
}

type Row = Record<string, unknown>

/**
 * An open connection. Errors of statements are node-postgres' own, with PostgreSQL's SQLSTATE as `code`.
 * @example
 * ```ts
 * await using session = await cluster.connect('primary')
 * await session.query('SELECT $1::int AS n', [1])
 * ```
 */
export class Session implements AsyncDisposable {
  readonly #client: pg.Client
  readonly #lost = new AbortController()
  #running: Promise<void> | undefined

  /** @internal The declarations of the library do without those of the driver. */
  constructor(client: pg.Client) {
    this.#client = client
    const lose = (error: unknown): void => this.#lost.abort(error)
    client.on('error', lose)
    client.once('end', () => lose(new Error('connection closed')))
  }

  /** Fires when the connection is gone, with the reason. */
  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** Runs one statement and returns its rows; the limit's error has the code ETIMEDOUT. */
  async query<T extends object = Row>(
    text: string,
    values: readonly unknown[] = [],
    { timeoutMs = 10_000, name }: QueryOptions = {},
  ): Promise<T[]> {
    // One after another: what node-postgres queues by itself, with a warning, has a limit that begins too early.
    const previous = this.#running
    const { promise: running, resolve: settle } = withResolvers()
    this.#running = running
    await previous
    // The limit of the question: node-postgres' own leaves the connection open, with an answer that may still come.
    const timer = setTimeout(() => this.destroy(timedOut(timeoutMs)), timeoutMs)
    try {
      // It ended under the statement before: this one is never sent, and has no answer for the same reason.
      if (this.#lost.signal.aborted) throw this.#lost.signal.reason
      const result = await this.#client.query({ text, values: [...values], ...(name === undefined ? {} : { name }) })
      return result.rows as T[]
    } finally {
      clearTimeout(timer)
      settle()
    }
  }

  /** Calls `listener` for every NOTICE and WARNING: the only trace of a wait for a standby that was cancelled. */
  onNotice(listener: (notice: { readonly code: string; readonly message: string }) => void): void {
    this.#client.on('notice', ({ code = '', message = '' }) => listener({ code, message }))
  }

  /** Closes the socket at once; what is in flight fails with `reason`. */
  destroy(reason: Error): void {
    streamOf(this.#client).destroy(reason)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#lost.signal.aborted) return
    // A server that stands still never answers the goodbye.
    const timer = setTimeout(() => this.destroy(timedOut(1000)), 1000)
    await this.#client.end().catch(() => undefined)
    clearTimeout(timer)
  }
}

/**
 * Opens a connection.
 * @throws LabError WRONG_PASSWORD; UNREACHABLE for every other failure, with the driver's error as its cause; INTERRUPTED.
 */
export async function connect(options: ConnectOptions): Promise<Session> {
  const { applicationName, connectTimeoutMs = 3000, asWalSender = false, signal } = options
  if (signal?.aborted) throw interrupted(signal.reason)
  const client = new pg.Client({
    ...('url' in options ? { connectionString: asLibpq(options.url) } : ownServer(options)),
    application_name: applicationName ?? 'pg-failover-lab',
    keepAlive: true,
    // Known to node-postgres, and not to its types.
    ...(asWalSender ? { replication: 'database' } : {}),
  })
  let version = '0'
  connectionOf(client).on('parameterStatus', ({ parameterName, parameterValue }) => {
    if (parameterName === 'server_version') version = parameterValue
  })
  const session = new Session(client)
  const giveUp = (): void => session.destroy(new Error('interrupted'))
  signal?.addEventListener('abort', giveUp, { once: true })
  // node-postgres' own limit has no code to tell a server that is silent from one that hangs up.
  const limit = setTimeout(() => session.destroy(timedOut(connectTimeoutMs)), connectTimeoutMs)
  try {
    await client.connect()
    const statement = 'url' in options ? undefined : ownTimeout(version)
    if (statement !== undefined) await session.query(statement, [], { timeoutMs: connectTimeoutMs })
    return session
  } catch (error) {
    streamOf(client).destroy()
    if (signal?.aborted) throw interrupted(error)
    throw connectError(error, client, options)
  } finally {
    clearTimeout(limit)
    signal?.removeEventListener('abort', giveUp)
  }
}

/**
 * node-postgres takes `sslmode=require` for verify-full, with a warning; people mean what libpq does.
 * https://www.postgresql.org/docs/current/libpq-ssl.html
 */
function asLibpq(url: string): string {
  if (!/[?&]sslmode=/.test(url) || /[?&]uselibpqcompat=/.test(url)) return url
  return `${url}&uselibpqcompat=true`
}

/** All that node-postgres would else read from the environment: see withoutLibpq, and own-sessions.ts. */
const ownServer = ({ host, port, user, password, database }: ServerAddress): pg.ClientConfig => ({
  ...{ host, port, user, password, database },
  ...{ ssl: false, options: OWN_OPTIONS, client_encoding: 'UTF8', sslnegotiation: 'postgres', replication: 'false' },
})

/** https://www.postgresql.org/docs/current/errcodes-appendix.html, class 28: invalid authorization specification. */
const REFUSED_CREDENTIALS = new Set(['28P01', '28000'])

function connectError(error: unknown, { host, port, user }: pg.Client, options: ConnectOptions): LabError {
  if (REFUSED_CREDENTIALS.has(codeOf(error) ?? '')) {
    return new LabError('WRONG_PASSWORD', `the server on ${host}:${port} refused user ${user}: ${messageOf(error)}`, {
      hint:
        'url' in options
          ? 'Set the password in PGPASSWORD or ~/.pgpass, or in the URL.'
          : 'A cluster keeps the passwords it was made with. Set the same in the environment or .env, or make it anew: pnpm run down, then pnpm run up.',
      cause: error,
    })
  }
  // Its refusal is an answer: a server that starts, or has no connection left, is there.
  const who =
    error instanceof pg.DatabaseError
      ? `the PostgreSQL server on ${host}:${port} lets nobody in`
      : `no PostgreSQL server answers on ${host}:${port}`
  return new LabError('UNREACHABLE', `${who}: ${messageOf(error)}`, {
    hint:
      'url' in options
        ? 'Is the address right, and the password in PGPASSWORD, in ~/.pgpass or in the URL?'
        : 'pnpm run status shows which nodes answer; pnpm run up brings the cluster up.',
    cause: error,
  })
}

interface Connection {
  readonly stream: { destroy(error?: Error): void }
  on(
    event: 'parameterStatus',
    listener: (status: { readonly parameterName: string; readonly parameterValue: string }) => void,
  ): void
}

/** The connection under a client: node-postgres has it, its types do not. */
const connectionOf = (client: pg.Client): Connection => (client as unknown as { connection: Connection }).connection

/** Its socket, to end one that does not answer. */
const streamOf = (client: pg.Client): Connection['stream'] => connectionOf(client).stream

const timedOut = (timeoutMs: number): Error =>
  Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: 'ETIMEDOUT' })

/** Promise.withResolvers came with Node 22. */
function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>(settle => (resolve = settle))
  return { promise, resolve }
}
