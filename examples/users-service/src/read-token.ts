/**
 * Read your writes over HTTP: a write answers with a token, as a header and as a cookie; a read that brings it sees that write.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ReadToken } from 'pg-failover-lab/router'

/** Of the request and of the answer; for whoever keeps no cookies. */
export const TOKEN_HEADER = 'x-read-token'
const COOKIE = 'read_token'

/** A standby that is so far behind answers no reads anyway (MAX_LAG_MS); within the hour a lost write is told to who wrote it. */
const COOKIE_SECONDS = 3_600

/** The header wins. */
export function tokenOf(request: FastifyRequest): string | undefined {
  const header = request.headers[TOKEN_HEADER]
  return (Array.isArray(header) ? header[0] : header) ?? request.cookies[COOKIE]
}

export function giveToken(reply: FastifyReply, token: ReadToken): void {
  void reply.header(TOKEN_HEADER, token)
  void reply.setCookie(COOKIE, token, { path: '/', httpOnly: true, sameSite: 'lax', maxAge: COOKIE_SECONDS })
}

export const clearToken = (reply: FastifyReply): void => void reply.clearCookie(COOKIE, { path: '/' })
