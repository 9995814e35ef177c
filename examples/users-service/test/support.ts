/**
 * The service over a cluster of the library: what a test says is different, the rest as it is by default.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { Writable } from 'node:stream'
import type { FastifyBaseLogger, FastifyInstance, LightMyRequestResponse } from 'fastify'
import type { TestCluster } from 'pg-failover-lab'
import type { Entry } from '../src/activity-log.ts'
import { readConfiguration, type Configuration } from '../src/configuration.ts'
import { pause } from '../src/limit.ts'
import { createLog } from '../src/log.ts'
import { createService, type Service } from '../src/service.ts'

/** Of the role that the service makes for itself. */
const PASSWORD = randomBytes(18).toString('base64url')

/** The environment of a service over this cluster; its addresses go through the cluster's black holes. */
export function environmentFor(cluster: TestCluster, more: Record<string, string> = {}): Record<string, string> {
  const { superuser, lab, database, nodes } = cluster.core.topology
  return {
    PORT: '0',
    DATABASE_HOSTS: nodes.map(({ name }) => new URL(cluster.urlOf(name)).host).join(),
    DATABASE_NAME: database,
    DATABASE_PASSWORD: PASSWORD,
    ADMIN_USER: superuser.user,
    ADMIN_PASSWORD: superuser.password,
    MONITOR_USER: lab.user,
    MONITOR_PASSWORD: lab.password,
    LOG_LEVEL: 'silent',
    ...more,
  }
}

export const configurationFor = (cluster: TestCluster, more: Record<string, string> = {}): Configuration =>
  readConfiguration(environmentFor(cluster, more))

/** Not listening: for `app.inject()`. */
export async function serviceFor(cluster: TestCluster, more: Record<string, string> = {}): Promise<Service> {
  const service = await createService(configurationFor(cluster, more))
  await service.prepared
  return service
}

export interface Listening extends Service {
  /** `http://127.0.0.1:41234` */
  readonly url: string
}

/** On a port of its own. */
export async function listening(cluster: TestCluster, more: Record<string, string> = {}): Promise<Listening> {
  const service = await serviceFor(cluster, more)
  const url = await service.app.listen({ host: '127.0.0.1', port: 0 })
  return { ...service, url }
}

const UNTIL_MS = 30_000

/** Waits for a condition; where it does not come, the error says what was seen instead. */
export async function until(what: string, look: () => Promise<readonly [met: boolean, seen: unknown]>): Promise<void> {
  const deadline = performance.now() + UNTIL_MS
  for (;;) {
    const [met, seen] = await look()
    if (met) return
    if (performance.now() >= deadline)
      throw new Error(`${what}: not within ${UNTIL_MS} ms; last seen: ${JSON.stringify(seen)}`)
    await pause(10, new AbortController().signal)
  }
}

interface Readyz {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

export async function readyz({ url }: Listening, what: 'reads' | 'writes'): Promise<Readyz> {
  const answer = await fetch(`${url}/readyz?for=${what}`)
  return { status: answer.status, body: (await answer.json()) as Readyz['body'] }
}

export async function untilReadyz(
  service: Listening,
  wanted: { readonly for: 'reads' | 'writes'; readonly status: number },
): Promise<Readyz> {
  let last: Readyz = { status: NaN, body: {} }
  await until(`/readyz to answer ${wanted.status} for ${wanted.for}`, async () => {
    last = await readyz(service, wanted.for)
    return [last.status === wanted.status, last]
  })
  return last
}

export async function activityOf({
  url,
}: Listening): Promise<{ readonly isListening: boolean; readonly entries: readonly Entry[] }> {
  return (await (await fetch(`${url}/activity`)).json()) as Awaited<ReturnType<typeof activityOf>>
}

/** Of a metric without labels, or with those in braces. */
export async function valueOf({ url }: Listening, metric: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const line = text.split('\n').find(each => each.startsWith(`${metric} `))
  return Number(line?.slice(metric.length + 1) ?? NaN)
}

/** Of a problem. */
export interface Answer {
  readonly type: string
  readonly status: number
  readonly mayHaveHappened?: boolean
}

export const post = async (
  app: FastifyInstance,
  payload: object,
  headers: Record<string, string> = {},
): Promise<LightMyRequestResponse> => await app.inject({ method: 'POST', url: '/users', payload, headers })

export async function countUsers(cluster: TestCluster): Promise<number> {
  const sql = 'SELECT count(*)::int AS n FROM users_service.users'
  const [row] = await cluster.query<{ n: number }>(sql, [], { as: 'superuser' })
  return row?.n ?? NaN
}

/** As somebody else would sign it: RFC 7519. */
export function tokenFor(claims: object, secret: string, alg = 'HS256'): string {
  const [head, body] = [{ alg, typ: 'JWT' }, claims].map(part =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  const signature = createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url')
  return `${head}.${body}.${alg === 'none' ? '' : signature}`
}

/** What the service logs. */
export class LogLines {
  text = ''
  readonly logger: FastifyBaseLogger = createLog(
    'trace',
    new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.text += chunk.toString()
        done()
      },
    }),
  )

  get lines(): readonly Record<string, unknown>[] {
    return this.text
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>)
  }
}
