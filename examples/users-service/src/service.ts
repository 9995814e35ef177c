/**
 * The service: everything together, as `main.ts` runs it and as the tests do.
 */
import type { FastifyInstance } from 'fastify'
import { createRouter, type Router } from 'pg-failover-lab/router'
import { ActivityLog } from './activity-log.ts'
import { createApp } from './app.ts'
import type { Configuration } from './configuration.ts'
import type { Context } from './context.ts'
import { messageOf, within } from './limit.ts'
import { ListCache } from './list-cache.ts'
import { createLog } from './log.ts'
import { Metrics } from './metrics.ts'
import { Preparation } from './preparation.ts'
import { forgetKeys, listUsers } from './users.ts'

export interface Service extends AsyncDisposable {
  readonly app: FastifyInstance
  readonly router: Router
  /** The tables are there. */
  readonly prepared: Promise<void>
  /**
   * Accepts nothing more, lets what is in flight finish, and ends every connection. Idempotent.
   * @returns how many requests were cut off when their time was over
   */
  end(): Promise<{ readonly cutOff: number }>
}

const FORGET_KEYS_EVERY_MS = 600_000
const END_MS = 2_000

/** Begins at once; `prepared` says when its tables are there. `log` is for tests. */
export async function createService(
  configuration: Configuration,
  log = createLog(configuration.logLevel),
): Promise<Service> {
  const router = routerFor(configuration)
  const metrics = new Metrics(router)
  const ending = new AbortController()
  const { signal } = ending
  router
    .on('primary', change => log.info(change, 'there is a primary'))
    .on('lost', why => log.warn({ why }, 'no primary'))
  const preparation = new Preparation(router, { configuration, log, signal })
  const cache = configuration.cache && new ListCache({ ...configuration.cache, router, metrics, log })
  const activity = configuration.hasActivityLog
    ? new ActivityLog({ router, configuration, log, onGap: () => metrics.gap(), begin: preparation.done, signal })
    : undefined
  const context: Context = {
    ...{ configuration, router, preparation },
    isEnding: () => signal.aborted,
    lists: cache?.lists ?? ((wanted, limits) => listUsers(router, wanted, limits)),
  }
  const app = await createApp(context, { log, metrics, activity })
  const forgetting = setInterval(() => {
    forgetKeys(router, configuration.idempotencyKeyHours).catch((error: unknown) =>
      log.warn({ reason: messageOf(error) }, 'old keys stay'),
    )
  }, FORGET_KEYS_EVERY_MS)
  forgetting.unref()

  async function end(): Promise<{ readonly cutOff: number }> {
    ending.abort()
    clearInterval(forgetting)
    const cutOff = await closeWithin(app, configuration.shutdownMs)
    await activity?.ended()
    await cache?.[Symbol.asyncDispose]()
    metrics.end()
    await within(END_MS, 'the end of the router', router.end()).catch((error: unknown) =>
      log.warn({ err: error }, 'connections are left'),
    )
    await preparation.done
    return { cutOff }
  }
  let ended: ReturnType<typeof end> | undefined
  const endOnce = async (): ReturnType<typeof end> => await (ended ??= end())
  return {
    app,
    router,
    prepared: preparation.done,
    end: endOnce,
    [Symbol.asyncDispose]: async () => {
      await endOnce()
    },
  }
}

/** @returns how many requests had no answer when the time was over */
async function closeWithin(app: FastifyInstance, limitMs: number): Promise<number> {
  let cutOff = 0
  // Whoever keeps a connection open would keep the process, too.
  const timer = setTimeout(() => {
    cutOff = app.inFlight()
    app.server.closeAllConnections()
  }, limitMs)
  await app.close()
  clearTimeout(timer)
  return cutOff
}

function routerFor({ database }: Configuration): Router {
  const { hosts, monitor, poolSize, findPrimaryMs, statementTimeoutMs, maxLagMs } = database
  return createRouter({
    connectionStrings: hosts.map(host => urlOf(host, database)),
    ...{ monitor, maxLagMs, statementTimeoutMs },
    max: poolSize,
    findTimeoutMs: findPrimaryMs,
    application_name: 'users-service',
  })
}

function urlOf(host: string, { name, account }: Configuration['database']): string {
  const [user, password, database] = [account.user, account.password, name].map(encodeURIComponent)
  return `postgresql://${user}:${password}@${host}/${database}`
}
