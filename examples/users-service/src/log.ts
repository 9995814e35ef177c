/**
 * One line of JSON for each request and each event. No header and no body is ever logged, so no password and no token is.
 */
import type { FastifyBaseLogger } from 'fastify'
import { pino, type DestinationStream } from 'pino'

export function createLog(level: string, to: DestinationStream = pino.destination(1)): FastifyBaseLogger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, serializers: { err: told } }, to)
}

/**
 * Of an error only what is known to be harmless: node-postgres puts the row into `detail`, and an error of connecting could
 * carry the options.
 */
function told(error: unknown): object {
  if (!(error instanceof Error)) return { message: String(error) }
  const { code, hint } = error as { readonly code?: unknown; readonly hint?: unknown }
  return { name: error.name, code, message: error.message, hint, stack: error.stack }
}
