/**
 * What a router is made with.
 */
import pg from 'pg'
import type { HostAddress } from './client.ts'
import { RouterError } from './errors.ts'
import type { ReadLimits } from './standbys.ts'

export interface HostAndPort {
  readonly host: string
  /** @default 5432 */
  readonly port?: number | undefined
}

/** Options of pg.Pool that the router decides itself. */
type Decided = 'host' | 'port' | 'connectionString' | 'connectionTimeoutMillis' | 'Client'

/** Beside these, every option of a pg.Pool: `user`, `password`, `database`, `max`, `ssl`, … */
export interface RouterOptions extends Omit<pg.PoolConfig, Decided>, ReadLimits {
  /** Every server that may be the primary one day: `db1:5432`, or `{ host, port }`. */
  readonly hosts?: readonly (string | HostAndPort)[] | undefined
  /** Instead: a URL for each. All the same but for host and port. */
  readonly connectionStrings?: readonly string[] | undefined
  /**
   * As whom the servers are asked for role and lag, where that is to be another than the application. With pg_monitor a standby
   * says which timeline it receives, and with REPLICATION a server says where its timelines began: without these, a read with a
   * token goes to the primary.
   */
  readonly monitor?: { readonly user: string; readonly password: string } | undefined
  /** Which standby answers. @default 'round-robin' */
  readonly readFrom?: 'round-robin' | 'lowest-latency' | undefined
  /** Between two looks at each server, in milliseconds. @default 500 */
  readonly checkEveryMs?: number | undefined
  /** A server that is asked for its role, or a connection that is opened, may be silent so long, in milliseconds. @default 1000 */
  readonly silenceMs?: number | undefined
  /** A statement may take so long, in milliseconds. @default 10000 */
  readonly statementTimeoutMs?: number | undefined
  /** How long a statement waits for a primary, in milliseconds. @default 10000 */
  readonly findTimeoutMs?: number | undefined
}

/** The same, with nothing left to decide. */
export interface Resolved {
  readonly addresses: readonly HostAddress[]
  /** For the pool of writes: who connects, to which database, and how many of them. */
  readonly pool: pg.PoolConfig
  readonly limits: ReadLimits
  readonly readFrom: 'round-robin' | 'lowest-latency'
  readonly checkEveryMs: number
  readonly silenceMs: number
  readonly statementTimeoutMs: number
  readonly findTimeoutMs: number
}

/** @throws RouterError USAGE */
export function resolveOptions(options: RouterOptions): Resolved {
  const { hosts, connectionStrings, monitor, maxLagBytes, maxLagMs, readFrom = 'round-robin', ...rest } = options
  const { checkEveryMs = 500, silenceMs = 1_000, statementTimeoutMs = 10_000, findTimeoutMs = 10_000, ...pool } = rest
  if ((hosts === undefined) === (connectionStrings === undefined))
    throw usage(
      'a router has either hosts or connectionStrings',
      "createRouter({ hosts: ['db1:5432', 'db2:5432'], user, password, database })",
    )
  const servers = hosts?.map(readHost) ?? connectionStrings?.map(readUrl) ?? []
  const [first] = servers
  if (first === undefined)
    throw usage('a router has at least one host', 'Give every server that may be the primary one day.')
  const limits = { maxLagBytes, maxLagMs }
  requireNumbers({ checkEveryMs, silenceMs, statementTimeoutMs, findTimeoutMs, ...limits })
  if (!['round-robin', 'lowest-latency'].includes(readFrom))
    throw usage(`readFrom is ${JSON.stringify(readFrom)}`, "It is 'round-robin' or 'lowest-latency'.")
  const addresses = servers.map(server => addressOf(server, pool, monitor))
  const twice = addresses.find(({ name }, at) => addresses.findIndex(other => other.name === name) !== at)
  if (twice !== undefined) throw usage(`${twice.name} is given twice`, 'Give each server once.')
  const { host: _host, port: _port, ...who } = first.config
  if (servers.some(({ whoAndWhere }) => whoAndWhere !== first.whoAndWhere))
    throw usage('the URLs have different users or databases', 'One router leads one user to one database.')
  return {
    ...{ addresses, limits, readFrom, checkEveryMs, silenceMs, statementTimeoutMs, findTimeoutMs },
    pool: { ...pool, ...who },
  }
}

interface Server {
  readonly host: string
  readonly port: number
  readonly config: pg.ClientConfig
  /** User and database of a URL. */
  readonly whoAndWhere: string
}

function addressOf(
  { host, port, config }: Server,
  pool: pg.PoolConfig,
  monitor: RouterOptions['monitor'],
): HostAddress {
  const own = { ...pool, ...config }
  const { connectionString } = config
  // What a URL says wins over what is beside it.
  const asMonitor =
    monitor !== undefined && connectionString !== undefined
      ? { connectionString: as(monitor, connectionString) }
      : monitor
  return { name: `${host}:${port}`, host, port, config: own, monitor: { ...own, ...asMonitor } }
}

function as({ user, password }: NonNullable<RouterOptions['monitor']>, connectionString: string): string {
  const url = new URL(connectionString)
  url.username = encodeURIComponent(user)
  url.password = encodeURIComponent(password)
  return url.toString()
}

function readHost(given: string | HostAndPort): Server {
  const [, name, digits] = typeof given === 'string' ? (/^(.+?)(?::(\d+))?$/.exec(given) ?? []) : []
  const { host, port } =
    typeof given === 'string' ? { host: name, port: Number(digits ?? 5432) } : { port: 5432, ...given }
  if (host === undefined || host === '' || !Number.isInteger(port) || Number(port) < 1 || Number(port) > 65_535)
    throw usage(`${JSON.stringify(given)} is no host`, "It looks like 'db1:5432', or { host: 'db1', port: 5432 }.")
  const server = { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
  return { ...server, config: server, whoAndWhere: '' }
}

function readUrl(connectionString: string): Server {
  // Not the text itself in the error: there may be a password in it.
  if (!URL.canParse(connectionString) || !/^postgres(ql)?:$/.test(new URL(connectionString).protocol))
    throw usage('a connection string is no URL', "It looks like 'postgresql://user:password@host:5432/database'.")
  // As node-postgres reads it, also with ?host= and the like.
  const { host, port, user, database } = new pg.Client({ connectionString })
  return { host, port, config: { connectionString }, whoAndWhere: `${user} ${database}` }
}

function requireNumbers(numbers: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value] of Object.entries(numbers))
    if (value !== undefined && !(value >= 0)) throw usage(`${name} is ${value}`, 'It is a number that is not negative.')
}

const usage = (message: string, hint: string): RouterError => new RouterError('USAGE', message, { hint })
