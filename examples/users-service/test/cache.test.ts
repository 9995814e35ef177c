/**
 * The cache, over a real Redis. Said where there is none; with LAB_REQUIRE_REDIS that fails the run.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { Redis } from 'ioredis'
import { clusterTest } from 'pg-failover-lab/vitest'
import { describe } from 'vitest'
import { listening, post, until, valueOf, type Listening } from './support.ts'

const test = clusterTest()
const isMissing = spawnSync('redis-server', ['--version']).error !== undefined
if (isMissing && process.env['LAB_REQUIRE_REDIS']) throw new Error('redis-server is required, and is not installed')

const HOUR_MS = '3600000'
/** Far below what it would take to wait for a Redis that never answers. */
const LIMIT_MS = 20_000

describe.skipIf(isMissing)('GET /users from Redis', () => {
  test('is as old as was promised, and has what the client itself wrote', async ({ cluster, expect }) => {
    await using redis = await RedisServer.start()
    const settings = { REDIS_URL: redis.url, CACHE_MAX_AGE_MS: HOUR_MS, CACHE_TIMEOUT_MS: '5000' }
    await using service = await listening(cluster, settings)
    await using other = await listening(cluster, settings)
    await usesCache(service)
    await usesCache(other)
    const made = await post(service.app, { name: 'Ada', email: 'ada@example.com' })
    const token = String(made.headers['x-read-token'])
    // Nobody else was promised more: this shows that there is a cache at all.
    expect(await namesIn(service)).toEqual({ names: [], isCached: true })
    expect(await namesIn(other, token)).toEqual({ names: ['Ada'], isCached: false })
    expect(await namesIn(service, token)).toEqual({ names: ['Ada'], isCached: true })
    expect(await namesIn(service)).toEqual({ names: ['Ada'], isCached: true })

    // What says of itself that it is older than promised is not used, however it came there.
    await redis.rewrite(entry => ({ ...entry, page: { users: [], next: null }, readAt: 0 }))
    expect(await namesIn(service)).toEqual({ names: ['Ada'], isCached: false })
    // What was kept under another primary is not asked for.
    await redis.rewrite(entry => ({ ...entry, page: { users: [], next: null } }))
    await cluster.switchover()
    await until('the new primary to be known', async () => {
      const changes = await valueOf(service, 'users_primary_changes_total')
      return [changes >= 2 && (await valueOf(service, 'users_primary_known')) === 1, changes]
    })
    expect(await namesIn(service)).toEqual({ names: ['Ada'], isCached: false })
  })

  test('without Redis is slower, and not wrong', async ({ cluster, expect }) => {
    await using redis = await RedisServer.start()
    await using service = await listening(cluster, {
      REDIS_URL: redis.url,
      CACHE_MAX_AGE_MS: HOUR_MS,
      CACHE_TIMEOUT_MS: '500',
    })
    const names: string[] = []
    const seesAll = async (): Promise<void> => {
      const name = `u${names.push(`u${names.length}`) - 1}`
      const made = await post(service.app, { name, email: `${name}@example.com` })
      const startedAt = performance.now()
      expect((await namesIn(service, String(made.headers['x-read-token']))).names).toEqual(names)
      expect(performance.now() - startedAt).toBeLessThan(LIMIT_MS)
    }
    await usesCache(service)
    await seesAll()
    redis.child.kill('SIGSTOP')
    for (let at = 0; at < 5; at++) await seesAll()
    expect(await valueOf(service, 'users_cache_total{result="error"}')).toBeGreaterThan(0)
    redis.child.kill('SIGCONT')
    await usesCache(service)
    redis.child.kill('SIGKILL')
    for (let at = 0; at < 5; at++) await seesAll()
  })
})

/** Until an answer comes from it: that it may be used is found out in the background. */
async function usesCache(service: Listening): Promise<void> {
  await until('the cache to be used', async () => {
    const seen = await namesIn(service)
    return [seen.isCached, seen]
  })
}

async function namesIn({ url }: Listening, token?: string): Promise<{ names: string[]; isCached: boolean }> {
  const headers: Record<string, string> = token === undefined ? {} : { 'x-read-token': token }
  const answer = await fetch(`${url}/users?limit=200`, { headers })
  const { users } = (await answer.json()) as { readonly users: readonly { readonly name: string }[] }
  const isCached = answer.headers.get('x-served-by')?.startsWith('cache') ?? false
  return { names: users.map(({ name }) => name), isCached }
}

class RedisServer implements AsyncDisposable {
  readonly url: string
  readonly child: ChildProcess
  readonly #ended: Promise<unknown>

  private constructor(port: number) {
    this.url = `redis://127.0.0.1:${port}`
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    this.child = spawn('redis-server', settings, { stdio: 'ignore' })
    this.#ended = once(this.child, 'close')
  }

  static async start(): Promise<RedisServer> {
    const server = new RedisServer(await freePort())
    await server.#ask(async redis => await redis.ping())
    return server
  }

  /** Changes every entry that is kept. */
  async rewrite(change: (entry: object) => object): Promise<void> {
    await this.#ask(async redis => {
      for (const key of await redis.keys('users:list:*')) {
        const entry = JSON.parse((await redis.get(key)) ?? '') as object
        await redis.set(key, JSON.stringify(change(entry)), 'KEEPTTL')
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.#ended
  }

  async #ask(question: (redis: Redis) => Promise<unknown>): Promise<void> {
    const redis = new Redis(this.url, { retryStrategy: () => 20 })
    redis.on('error', () => undefined) // not there yet
    try {
      await question(redis)
    } finally {
      redis.disconnect()
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
