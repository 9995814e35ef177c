/**
 * GET /users from Redis, where there is one. Right without any message that could be lost: what was read with a token is kept
 * under that token, so who has written since asks for another key. Without a token an answer is as old as it was promised at most.
 */
import { Redis } from 'ioredis'
import type { FastifyBaseLogger } from 'fastify'
import type { Router } from 'pg-failover-lab/router'
import type { Context } from './context.ts'
import { messageOf } from './limit.ts'
import type { Metrics } from './metrics.ts'
import { listUsers, type Page } from './users.ts'

type Lists = Context['lists']

export interface ListCacheOptions {
  readonly url: string
  /** How old an answer may be, in milliseconds. */
  readonly maxAgeMs: number
  /** For each call, in milliseconds. */
  readonly timeoutMs: number
  readonly router: Router
  readonly metrics: Metrics
  readonly log: FastifyBaseLogger
}

interface Entry {
  readonly page: Page
  readonly node: string
  /** Date.now() before it was read: by the clocks of the instances, which are taken to agree. */
  readonly readAt: number
}

const CONNECT_MS = 500
/** Redis is left alone so long after an error, or every request would wait for it. */
const LEFT_ALONE_MS = 1_000

export class ListCache implements AsyncDisposable {
  readonly #options: ListCacheOptions
  readonly #redis: Redis
  #leftAloneUntil = 0
  /** Changes with every primary: what was kept under the history of another is not asked for. */
  #era = 'none'

  constructor(options: ListCacheOptions) {
    this.#options = options
    this.#redis = new Redis(options.url, {
      commandTimeout: options.timeoutMs,
      connectTimeout: CONNECT_MS,
      // A connection that is silent for so long is given up, with whatever was sent over it.
      socketTimeout: Math.max(LEFT_ALONE_MS, options.timeoutMs),
      // What cannot be asked now is not asked later: the answer would be of no use.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      retryStrategy: attempt => Math.min(attempt * 100, LEFT_ALONE_MS),
    })
    this.#redis.on('error', (error: unknown) => this.#fails(error))
    options.router.on('primary', this.#onPrimary)
  }

  readonly lists: Lists = async (wanted, limits) => {
    const { from, limit } = wanted
    const key = (token: string): string => `users:list:1:${this.#era}:${from}:${limit}:${token}`
    const own = key(limits.after ?? '')
    const kept = await this.#get(own)
    if (kept !== undefined)
      return { page: kept.page, node: 'cache', role: `${kept.node}, ${Date.now() - kept.readAt} ms ago` }
    const readAt = Date.now()
    const read = await listUsers(this.#options.router, wanted, limits)
    // What sees that write is as good for everybody else.
    await this.#set(new Set([own, key('')]), { page: read.page, node: read.node, readAt })
    return read
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#options.router.off('primary', this.#onPrimary)
    this.#redis.disconnect()
  }

  readonly #onPrimary = ({ node, timeline }: { readonly node: string; readonly timeline: number }): void => {
    this.#era = `${node}/${timeline}`
  }

  async #get(key: string): Promise<Entry | undefined> {
    const { metrics, maxAgeMs } = this.#options
    const text = await this.#ask(redis => redis.get(key))
    if (text === undefined) return undefined
    const entry = text === null ? undefined : (JSON.parse(text) as Entry)
    const age = entry === undefined ? Infinity : Date.now() - entry.readAt
    // Not only by Redis's own clock: a command may have been on its way for long.
    const isFresh = age >= 0 && age < maxAgeMs
    metrics.cache(isFresh ? 'hit' : 'miss')
    return isFresh ? entry : undefined
  }

  async #set(keys: ReadonlySet<string>, entry: Entry): Promise<void> {
    const until = entry.readAt + this.#options.maxAgeMs
    const text = JSON.stringify(entry)
    await Promise.all(
      [...keys].map(async key => await this.#ask(redis => redis.set(key, text, 'PXAT', until), 'quiet')),
    )
  }

  /** Undefined where Redis does not answer: then there is no cache, and nothing else is different. */
  async #ask<T>(question: (redis: Redis) => Promise<T>, counts: 'counts' | 'quiet' = 'counts'): Promise<T | undefined> {
    const { metrics } = this.#options
    if (performance.now() < this.#leftAloneUntil || this.#redis.status !== 'ready') {
      if (counts === 'counts') metrics.cache('skipped')
      return undefined
    }
    try {
      return await question(this.#redis)
    } catch (error) {
      metrics.cache('error')
      this.#fails(error)
      return undefined
    }
  }

  #fails(error: unknown): void {
    const isNew = performance.now() >= this.#leftAloneUntil
    this.#leftAloneUntil = performance.now() + LEFT_ALONE_MS
    if (isNew) this.#options.log.warn({ reason: messageOf(error) }, 'no cache: Redis does not answer')
  }
}
