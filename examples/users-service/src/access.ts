/**
 * Who may ask, and how often: both off, unless the configuration turns them on.
 */
import jwt from '@fastify/jwt'
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import type { Configuration } from './configuration.ts'
import { Problem } from './problem.ts'

/** For the routes that are registered on this instance after it. */
export async function guard(app: FastifyInstance, { jwtSecret, rateLimitPerMinute }: Configuration): Promise<void> {
  // First, so that guesses at tokens are limited too.
  if (rateLimitPerMinute > 0) await app.register(rateLimit, { max: rateLimitPerMinute, timeWindow: 60_000 })
  if (jwtSecret === undefined) return
  // The algorithm is ours to choose, and not the token's.
  const only = { algorithms: ['HS256' as const], requiredClaims: ['sub', 'exp'] }
  await app.register(jwt, { secret: jwtSecret, verify: only })
  app.addHook('onRequest', async request => {
    const { sub } = await request.jwtVerify<{ readonly sub: unknown }>()
    if (typeof sub !== 'string' || sub === '')
      throw new Problem({ status: 401, type: 'unauthorized', title: 'The token names no subject' })
    request.caller = sub
  })
}
