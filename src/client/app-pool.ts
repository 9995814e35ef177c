/**
 * A pool of node-postgres as an application has it: a connection is borrowed for each request, and given back.
 */
import pg from 'pg'
import { codeOf } from '../errors.ts'
import type { ServerAddress } from '../postgres/connection.ts'

/** `always`: `release()` in a finally, as most do it. `unless-failed`: `release(error)`, and the pool drops it. */
export type GivesBack = 'always' | 'unless-failed'

export interface AppPoolOptions {
  readonly givesBack: GivesBack
  /** Connections. @default 4 */
  readonly size?: number | undefined
  /** Shown in pg_stat_activity. */
  readonly applicationName: string
}

/** What became of requests: how many were answered, and the others by SQLSTATE or node's code. */
export interface Answers {
  readonly done: number
  readonly errors: Readonly<Record<string, number>>
}

export interface AppPool extends AsyncDisposable {
  /** So many requests, as many at once as there are connections. */
  request(count: number): Promise<Answers>
}

/** A pool on one address. */
export function openAppPool(address: ServerAddress, statement: string, options: AppPoolOptions): AppPool {
  const { size = 4, applicationName } = options
  const pool = new pg.Pool({ ...address, max: size, application_name: applicationName, connectionTimeoutMillis: 2_000 })
  pool.on('error', () => undefined) // an idle connection that ends is no request's
  return {
    request: count => requestAll(pool, statement, { ...options, size, count }),
    [Symbol.asyncDispose]: () => pool.end(),
  }
}

interface Requests {
  readonly givesBack: GivesBack
  readonly size: number
  readonly count: number
}

/** The same over a pool of somebody else: that of the router. */
export async function requestAll(
  pool: pg.Pool,
  statement: string,
  { givesBack, size, count }: Requests,
): Promise<Answers> {
  const errors: Record<string, number> = {}
  let done = 0
  let left = count
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      await request(pool, statement, givesBack).then(
        () => done++,
        (error: unknown) => {
          const code = codeOf(error) ?? 'no code'
          errors[code] = (errors[code] ?? 0) + 1
        },
      )
    }
  }
  await Promise.all(Array.from({ length: size }, lane))
  return { done, errors }
}

async function request(pool: pg.Pool, statement: string, givesBack: GivesBack): Promise<void> {
  const client = await pool.connect()
  let failure: Error | undefined
  try {
    await client.query(statement)
  } catch (error) {
    failure = error as Error
    throw error
  } finally {
    client.release(givesBack === 'always' ? undefined : failure)
  }
}
