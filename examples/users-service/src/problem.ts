/**
 * Every answer that is none, as RFC 9457 has it: application/problem+json. What a router throws is told as what it means for the client.
 */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import pg from 'pg'
import { IndeterminateWriteError, RouterError, type RouterErrorCode } from 'pg-failover-lab/router'

export interface ProblemDetails {
  readonly status: number
  /** The last part of the `type`. */
  readonly type: string
  readonly title: string
  readonly detail?: string | undefined
  /** Of a write: whether it may have happened. */
  readonly mayHaveHappened?: boolean | undefined
  readonly retryAfterSeconds?: number | undefined
  /** The client's token is of no use any more. */
  readonly clearsToken?: boolean | undefined
}

export class Problem extends Error {
  override readonly name = 'Problem'
  readonly details: ProblemDetails

  constructor(details: ProblemDetails, cause?: unknown) {
    super(details.title, { cause })
    this.details = details
  }
}

/** What an error of a request means for who sent it. */
export function problemOf(
  error: unknown,
  { method, headers }: Pick<FastifyRequest, 'method' | 'headers'>,
): ProblemDetails {
  if (error instanceof Problem) return error.details
  const { statusCode = 500, validation, message } = error as Partial<FastifyError>
  if (validation !== undefined)
    return { status: 400, type: 'invalid', title: 'The request is not valid', detail: message }
  if (statusCode < 500)
    return { status: statusCode, type: byStatus[statusCode] ?? 'refused', title: message ?? 'The request is refused' }
  const isWrite = method === 'POST'
  if (isWrite && mayHaveHappened(error)) return indeterminate(headers['idempotency-key'] !== undefined)
  if (error instanceof RouterError) return ofRouter[error.code]
  if (isOfTheDatabase(error)) return { ...UNAVAILABLE, ...(isWrite ? { mayHaveHappened: false } : {}) }
  return { status: 500, type: 'internal', title: 'Something is wrong here' }
}

/** Of errors of fastify and its plugins. */
const byStatus: Readonly<Record<number, string>> = {
  401: 'unauthorized',
  413: 'too-large',
  415: 'not-json',
  429: 'too-many-requests',
}

/**
 * Every write of this service says that it does no harm twice, so the router sends it again until its time is over; then its last
 * error is that of the last attempt, and tells nothing of those before. Only an answer of the server to the statement is sure.
 */
function mayHaveHappened(error: unknown): boolean {
  if (error instanceof IndeterminateWriteError) return true
  if (error instanceof RouterError) return error.code === 'NO_PRIMARY'
  if (error instanceof pg.DatabaseError) return error.severity !== 'ERROR'
  return isOfTheWay(error)
}

const indeterminate = (hasKey: boolean): ProblemDetails => ({
  status: 503,
  type: 'write-may-have-happened',
  title: 'The user may have been made, or not',
  detail: hasKey
    ? 'No answer came from the database in time. Send the same request again with the same Idempotency-Key: it makes no second user.'
    : 'No answer came from the database in time. Look for the user before you send it again; with an Idempotency-Key you need not look.',
  mayHaveHappened: true,
  retryAfterSeconds: 1,
})

const UNAVAILABLE: ProblemDetails = {
  status: 503,
  type: 'database-unavailable',
  title: 'The database does not answer',
  retryAfterSeconds: 1,
}

const INTERNAL: ProblemDetails = { status: 500, type: 'internal', title: 'Something is wrong here' }

const ofRouter: Readonly<Record<RouterErrorCode, ProblemDetails>> = {
  NO_PRIMARY: { ...UNAVAILABLE, title: 'No server could answer in time' },
  NO_SERVER: { ...UNAVAILABLE, title: 'No server could answer in time' },
  INDETERMINATE: indeterminate(false),
  WRITE_LOST: {
    status: 409,
    type: 'write-lost',
    title: 'What you wrote is lost',
    detail: 'It was acknowledged, and a failover has left it behind. Write it again. Your token is cleared.',
    clearsToken: true,
  },
  WRITE_UNKNOWN: {
    status: 409,
    type: 'write-unknown',
    title: 'Whether what you wrote is there cannot be known',
    detail: 'A failover came at that moment. Look for it. Your token is cleared, so the next request is answered.',
    clearsToken: true,
  },
  FOREIGN_TOKEN: {
    status: 400,
    type: 'foreign-token',
    title: 'The token is of another cluster, or is none',
    detail: 'Send no token, or one of this service. Your cookie is cleared.',
    clearsToken: true,
  },
  ENDED: { ...UNAVAILABLE, title: 'The service is ending' },
  ROLLED_BACK: INTERNAL,
  USAGE: INTERNAL,
}

/** An error of node's sockets, or of node-postgres' limits, which has no code. */
function isOfTheWay(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof TypeError || error instanceof RangeError) return false
  const { code } = error as { readonly code?: unknown }
  return code === undefined || (typeof code === 'string' && /^E[A-Z]+$/.test(code))
}

const isOfTheDatabase = (error: unknown): boolean => error instanceof pg.DatabaseError || isOfTheWay(error)

/** `{ "type": "/problems/…", "title", "status", "detail" }` */
export function sendProblem(reply: FastifyReply, details: ProblemDetails): FastifyReply {
  const { status, type, title, detail, mayHaveHappened: may, retryAfterSeconds } = details
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', String(retryAfterSeconds))
  void reply.code(status).header('content-type', 'application/problem+json')
  return reply.send({
    type: `/problems/${type}`,
    ...{ title, status },
    ...(detail === undefined ? {} : { detail }),
    ...(may === undefined ? {} : { mayHaveHappened: may }),
  })
}
