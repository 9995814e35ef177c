/**
 * The application in front of the router: routes, their schemas, and what every request has in common.
 */
import cookie from '@fastify/cookie'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { guard } from './access.ts'
import type { ActivityLog } from './activity-log.ts'
import { activityRoutes } from './activity-routes.ts'
import type { Context } from './context.ts'
import { healthRoutes } from './health-routes.ts'
import type { Metrics } from './metrics.ts'
import { Problem, problemOf, sendProblem } from './problem.ts'
import { clearToken } from './read-token.ts'
import { usersRoutes } from './users-routes.ts'

export interface AppParts {
  readonly log: FastifyBaseLogger
  readonly metrics: Metrics
  readonly activity: ActivityLog | undefined
}

const BODY_BYTES = 16_384
/** For a request to arrive: a client that sends a byte a minute is none. */
const REQUEST_MS = 10_000

export async function createApp(context: Context, { log, metrics, activity }: AppParts): Promise<FastifyInstance> {
  const { configuration, preparation } = context
  const app: FastifyInstance = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_MS,
    // What is not in a schema is refused, and not dropped unseen.
    ajv: { customOptions: { removeAdditional: false } },
    trustProxy: configuration.trustsProxy,
  })
  answerProblems(app)
  observe(app, metrics)
  app.addHook('onSend', async (_request, reply) => {
    // A connection that stays open would hold up the end for as long as its client likes.
    if (context.isEnding()) void reply.header('connection', 'close')
  })
  await app.register(cookie)
  await app.register(swagger, { openapi: { info: { title: 'Users', version: '1.0.0', description: DESCRIPTION } } })
  await app.register(swaggerUi, { routePrefix: '/docs' })
  await app.register(healthRoutes, context)
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()))
  await app.register(async guarded => {
    await guard(guarded, configuration)
    guarded.addHook('preHandler', async () => {
      if (preparation.isReady) return
      const what = { type: 'starting', title: 'The tables are not there yet', detail: preparation.seen }
      throw new Problem({ status: 503, retryAfterSeconds: 1, mayHaveHappened: false, ...what })
    })
    await guarded.register(usersRoutes, context)
    if (activity !== undefined) await guarded.register(activityRoutes, { activity })
  })
  return app
}

const DESCRIPTION =
  'Writes go to the primary of the moment, reads to its standbys; who brings the token of a write sees it.'

function answerProblems(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => {
    const details = problemOf(error, request)
    if (details.status >= 500) request.log.error({ err: error }, details.title)
    if (details.clearsToken === true) clearToken(reply)
    return sendProblem(reply, details)
  })
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(reply, { status: 404, type: 'not-found', title: 'There is no such route' }),
  )
}

/** How long it took and who answered. */
function observe(app: FastifyInstance, metrics: Metrics): void {
  let inFlight = 0
  app.decorate('inFlight', () => inFlight)
  app.decorateRequest('caller', '')
  app.decorateReply('servedBy', undefined)
  app.addHook('onRequest', async () => {
    inFlight++
  })
  app.addHook('onResponse', async (request, reply) => {
    inFlight--
    metrics.request(request, reply)
    const { method, url } = request
    const [path] = url.split('?') // what is behind it may be a secret that somebody put there
    const durationMs = Math.round(reply.elapsedTime * 10) / 10
    request.log.info({ method, path, status: reply.statusCode, durationMs, node: reply.servedBy }, 'request')
  })
}
