/**
 * What the service is told by its environment. README.md has the table.
 */

export interface Account {
  readonly user: string
  readonly password: string
}

export interface Configuration {
  readonly listen: { readonly host: string; readonly port: number }
  readonly database: {
    /** Every server that may be the primary one day: `db1:5432`. */
    readonly hosts: readonly string[]
    readonly name: string
    /** Owns the tables, and nothing else. */
    readonly account: Account
    /** Makes that role and its schema. Undefined where somebody else does. */
    readonly admin: Account | undefined
    /** Is asked for role and lag; with pg_monitor and REPLICATION, reads with a token are answered by standbys. */
    readonly monitor: Account | undefined
    readonly poolSize: number
    /** How long a request waits for a primary, in milliseconds. */
    readonly findPrimaryMs: number
    readonly statementTimeoutMs: number
    /** A standby that is further behind answers no reads, in milliseconds. */
    readonly maxLagMs: number
    /** How long a read waits for a standby that has not the client's own write yet, in milliseconds. */
    readonly readWaitMs: number
  }
  /** Undefined: everybody may. */
  readonly jwtSecret: string | undefined
  /** Requests a minute, of each client and on each instance. 0: no limit. */
  readonly rateLimitPerMinute: number
  readonly cache: CacheConfiguration | undefined
  /** Whether X-Forwarded-For is to be believed: only behind a proxy that sets it. */
  readonly trustsProxy: boolean
  readonly hasActivityLog: boolean
  readonly idempotencyKeyHours: number
  /** Requests in flight get so long at the end, in milliseconds. */
  readonly shutdownMs: number
  readonly logLevel: string
}

export interface CacheConfiguration {
  readonly url: string
  /** How old an answer may be, in milliseconds. */
  readonly maxAgeMs: number
  /** For each call of Redis, in milliseconds. A read of a standby takes one or two: a cache that takes much longer is none. */
  readonly timeoutMs: number
}

type Environment = Readonly<Record<string, string | undefined>>

/** What is wrong with the environment; never with a password in it. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

/** @throws ConfigurationError */
export function readConfiguration(environment: Environment): Configuration {
  const text = (name: string, standard?: string): string => requireText(environment, name, standard)
  const number = (name: string, standard: number): number => readNumber(environment, name, standard)
  return {
    listen: { host: text('HOST', '127.0.0.1'), port: number('PORT', 3000) },
    database: {
      hosts: text('DATABASE_HOSTS', '127.0.0.1:5432,127.0.0.1:5433,127.0.0.1:5434').split(','),
      name: text('DATABASE_NAME', 'testdb'),
      account: { user: text('DATABASE_USER', 'users_service'), password: text('DATABASE_PASSWORD') },
      admin: readAccount(environment, 'ADMIN'),
      monitor: readAccount(environment, 'MONITOR'),
      poolSize: number('DATABASE_POOL_SIZE', 10),
      findPrimaryMs: number('FIND_PRIMARY_MS', 5_000),
      statementTimeoutMs: number('STATEMENT_TIMEOUT_MS', 2_000),
      maxLagMs: number('MAX_LAG_MS', 10_000),
      readWaitMs: number('READ_WAIT_MS', 200),
    },
    jwtSecret: readSecret(environment),
    rateLimitPerMinute: number('RATE_LIMIT_PER_MINUTE', 0),
    cache: readCache(environment),
    trustsProxy: readSwitch(environment, 'TRUST_PROXY'),
    hasActivityLog: readSwitch(environment, 'ACTIVITY_LOG'),
    idempotencyKeyHours: number('IDEMPOTENCY_KEY_HOURS', 24),
    shutdownMs: number('SHUTDOWN_MS', 10_000),
    logLevel: readLogLevel(environment),
  }
}

function requireText(environment: Environment, name: string, standard?: string): string {
  const value = environment[name] || standard
  if (value === undefined) throw new ConfigurationError(`${name} is missing`)
  return value
}

function readNumber(environment: Environment, name: string, standard: number): number {
  const value = environment[name] || undefined
  if (value === undefined) return standard
  if (!/^\d{1,9}$/.test(value)) throw new ConfigurationError(`${name} is ${JSON.stringify(value)}, and no whole number`)
  return Number(value)
}

function readCache(environment: Environment): CacheConfiguration | undefined {
  const url = environment['REDIS_URL'] || undefined
  if (url === undefined) return undefined
  const maxAgeMs = readNumber(environment, 'CACHE_MAX_AGE_MS', 1_000)
  return { url, maxAgeMs, timeoutMs: readNumber(environment, 'CACHE_TIMEOUT_MS', 50) }
}

/** Both or neither. */
function readAccount(environment: Environment, prefix: string): Account | undefined {
  const user = environment[`${prefix}_USER`] || undefined
  const password = environment[`${prefix}_PASSWORD`] || undefined
  if (user === undefined && password === undefined) return undefined
  if (user === undefined || password === undefined)
    throw new ConfigurationError(`${prefix}_USER and ${prefix}_PASSWORD go together`)
  return { user, password }
}

/** RFC 7518 asks for a key of 256 bits with HS256. */
const SECRET_BYTES = 32

function readSecret(environment: Environment): string | undefined {
  const secret = environment['JWT_SECRET'] || undefined
  if (secret !== undefined && Buffer.byteLength(secret) < SECRET_BYTES)
    throw new ConfigurationError(`JWT_SECRET has fewer than ${SECRET_BYTES} bytes`)
  return secret
}

function readSwitch(environment: Environment, name: string): boolean {
  const value = environment[name] || 'off'
  if (value !== 'on' && value !== 'off') throw new ConfigurationError(`${name} is neither on nor off`)
  return value === 'on'
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']

function readLogLevel(environment: Environment): string {
  const value = environment['LOG_LEVEL'] || 'info'
  if (!LOG_LEVELS.includes(value)) throw new ConfigurationError(`LOG_LEVEL is none of ${LOG_LEVELS.join(', ')}`)
  return value
}
