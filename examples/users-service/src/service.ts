/**
 * The service: everything together, as `main.ts` runs it and as the tests do.
 */
import cookie from '@fastify/cookie'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify, { type FastifyInstance } from 'fastify'
import { createRouter, type Router } from 'pg-failover-lab/router'
import type { Configuration } from './configuration.ts'
import type { Context } from './context.ts'
import { migrate } from './migration.ts'
import { problemOf, sendProblem } from './problem.ts'
import { clearToken } from './read-token.ts'
import { listUsers } from './users.ts'
import { usersRoutes } from './users-routes.ts'

export interface Service extends AsyncDisposable {
  readonly app: FastifyInstance
  readonly router: Router
}

export async function createService(configuration: Configuration): Promise<Service> {
  const router = routerFor(configuration)
  await migrate(router, configuration)
  const app = fastify({
    logger: { level: configuration.logLevel },
    disableRequestLogging: true,
  }).withTypeProvider<TypeBoxTypeProvider>()
  const context: Context = { configuration, router, lists: (page, limits) => listUsers(router, page, limits) }
  app.decorateRequest('caller', '')
  app.decorateReply('servedBy', undefined)
  app.setErrorHandler((error, request, reply) => {
    const details = problemOf(error, request)
    if (details.clearsToken === true) clearToken(reply)
    return sendProblem(reply, details)
  })
  await app.register(cookie)
  await app.register(swagger, { openapi: { info: { title: 'Users', version: '1' } } })
  await app.register(swaggerUi, { routePrefix: '/docs' })
  await app.register(usersRoutes, context)
  return {
    app,
    router,
    [Symbol.asyncDispose]: async () => {
      await app.close()
      await router.end()
    },
  }
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
