/**
 * The process: it starts, and it ends.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Session, TestCluster } from 'pg-failover-lab'
import { clusterTest } from 'pg-failover-lab/vitest'
import { environmentFor, until } from './support.ts'

const test = clusterTest()

test('at SIGTERM what is in flight is answered, and nothing more is accepted', async ({ cluster, expect }) => {
  await using service = await Process.listening(environmentFor(cluster, { STATEMENT_TIMEOUT_MS: '30000' }))
  await using lock = await lockUsers(cluster)
  const answer = service.post('a')
  await waitsForLock(cluster)
  service.child.kill('SIGTERM')
  await until('new requests to be refused', async () => [(await service.status('/healthz')) !== 200, undefined])
  await lock.query('ROLLBACK')
  expect((await answer).status).toBe(201)
  expect(await service.ended).toEqual([0, null])
})

test('what does not end in time is cut off, and the exit code says so', async ({ cluster, expect }) => {
  const environment = environmentFor(cluster, { STATEMENT_TIMEOUT_MS: '5000', SHUTDOWN_MS: '100' })
  await using service = await Process.listening(environment)
  await using _lock = await lockUsers(cluster)
  const answer = service.post('a').then(
    ({ status }) => status,
    () => 'cut off',
  )
  await waitsForLock(cluster)
  service.child.kill('SIGTERM')
  expect(await answer).toBe('cut off')
  expect(await service.ended).toEqual([1, null])
})

test('what is wrong with the configuration is told in two lines', async ({ expect }) => {
  await using service = new Process({ PORT: '0' })
  expect(await service.ended).toEqual([2, null])
  expect(service.output).toBe('error: DATABASE_PASSWORD is missing\nhint: README.md has a table of all variables.\n')
})

class Process implements AsyncDisposable {
  readonly child: ChildProcess
  readonly ended: Promise<unknown[]>
  output = ''
  url = ''

  constructor(environment: Record<string, string>) {
    const folder = join(import.meta.dirname, '..')
    this.child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
      cwd: folder,
      env: { PATH: process.env['PATH'], ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.ended = once(this.child, 'close')
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('utf8').on('data', (chunk: string) => (this.output += chunk))
  }

  static async listening(environment: Record<string, string>): Promise<Process> {
    const service = new Process({ ...environment, LOG_LEVEL: 'info' })
    await until('the service to listen, and to be ready', async () => {
      service.url = /http:\/\/127\.0\.0\.1:\d+/.exec(service.output)?.[0] ?? ''
      return [service.url !== '' && (await service.status('/readyz?for=writes')) === 200, service.output]
    })
    return service
  }

  /** NaN where nobody answers. */
  async status(path: string): Promise<number> {
    return await fetch(this.url + path).then(
      ({ status }) => status,
      () => NaN,
    )
  }

  async post(name: string): Promise<Response> {
    const body = JSON.stringify({ name, email: `${name}@example.com` })
    return await fetch(`${this.url}/users`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.ended
  }
}

/** Whoever makes a user waits until it is let go. */
async function lockUsers({ core }: TestCluster): Promise<Session> {
  const session = await core.connect('primary', { account: core.topology.superuser })
  await session.query('BEGIN')
  await session.query('LOCK TABLE users_service.users IN EXCLUSIVE MODE')
  return session
}

async function waitsForLock(cluster: TestCluster): Promise<void> {
  await until('a request to wait for the lock', async () => {
    const waiting = await cluster.query('SELECT FROM pg_locks WHERE NOT granted', [], { as: 'superuser' })
    return [waiting.length > 0, undefined]
  })
}
