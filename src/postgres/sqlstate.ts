/**
 * What an error says about a write that was sent: that it certainly did not happen, or nothing.
 * Decided by severity and SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html), or by node's error code;
 * never by message text. What is not known to be definite is indeterminate.
 *
 * An ERROR in answer to a statement has rolled its transaction back: past the commit record the server may raise none (it
 * turns it into a PANIC, src/backend/access/transam/README). FATAL and PANIC end the session at any moment, also between
 * the commit and its answer, whatever their code: 53100 is an ERROR where a table cannot grow, and a PANIC where WAL cannot.
 */
import pg from 'pg'

/** `failed`: certainly not committed. `indeterminate`: may be committed. */
export type Certainty = 'failed' | 'indeterminate'

interface Rule {
  readonly certainty: Certainty
  readonly why: string
}

/** An error as a server has reported it. */
export interface ServerError {
  /** SQLSTATE. */
  readonly code: string
  /** `ERROR`, `FATAL`, `PANIC`; in the language of lc_messages, as node-postgres reads no other. */
  readonly severity: string
  readonly message: string
}

/** Stands for the code that node-postgres does not give an error when the connection ends under a statement. */
export const CONNECTION_LOST = 'CONNECTION_LOST'

/** By whole codes, then by the first two characters of a SQLSTATE. */
type Reasons = Readonly<Record<string, string>>

/** May have happened, at any severity. */
const INDETERMINATE: Reasons = {
  [CONNECTION_LOST]: 'the connection ended before the answer',
  ECONNRESET: 'the connection ended before the answer',
  EPIPE: 'the connection ended while the statement was sent',
  ETIMEDOUT: 'no answer in time',
  '00': 'successful completion: no error',
  '01': 'warning: no error',
  '02': 'no data: no error',
  '03': 'SQL statement not yet complete: no answer to one',
  '08': 'connection exception: raised by what stands between client and server, or between servers',
  '40003': 'statement completion unknown: it says so itself',
  '57P01': 'terminated by the administrator: may come after the commit, before its answer',
  '57P02': 'crash of another backend: may come after the commit, before its answer',
  '57P04': 'database dropped: ends the session at any moment',
  '57P05': 'idle session timeout: ends the session at any moment',
  '58': 'system error: what has reached the disk is not known',
  F0: 'configuration file error: no answer to a statement',
  HV: 'foreign data wrapper error: the other server may have committed',
  XX: 'internal error: the server does not know what it has done',
}

/** Certainly did not happen, at any severity: the session was refused, and no statement was sent. */
const NEVER_SENT: Reasons = {
  ECONNREFUSED: 'nobody listens: the statement was never sent',
  '28': 'invalid authorization: never connected',
  '3D': 'no such database: never connected',
  '53300': 'too many connections: never connected',
  '57P03': 'cannot connect now: the statement was never sent',
}

/** Certainly did not happen, if it is an ERROR: the transaction was rolled back. */
const ROLLED_BACK: Reasons = {
  '25006': 'read-only transaction: the server is a standby',
  // A cancel that comes when the commit already waits for a standby is a WARNING, and the commit is acknowledged.
  '57014': 'query cancelled: an error, so the transaction was rolled back',
  '09': 'triggered action exception',
  '0A': 'feature not supported',
  '0B': 'invalid transaction initiation',
  '0F': 'locator exception',
  '0L': 'invalid grantor',
  '0P': 'invalid role specification',
  '0Z': 'diagnostics exception',
  '10': 'XQuery error',
  '20': 'case not found',
  '21': 'cardinality violation',
  '22': 'data exception',
  '23': 'integrity constraint violation, also of one that is deferred to the commit',
  '24': 'invalid cursor state',
  '25': 'invalid transaction state',
  '26': 'invalid SQL statement name: the server does not know the prepared statement',
  '27': 'triggered data change violation',
  '2B': 'dependent privilege descriptors still exist',
  '2D': 'invalid transaction termination',
  '2F': 'SQL routine exception',
  '34': 'invalid cursor name',
  '38': 'external routine exception',
  '39': 'external routine invocation exception',
  '3B': 'savepoint exception',
  '3F': 'invalid schema name',
  '40': 'transaction rolled back',
  '42': 'syntax error or access rule violation',
  '44': 'WITH CHECK OPTION violation',
  '53': 'insufficient resources',
  '54': 'program limit exceeded',
  '55': 'object not in prerequisite state',
  '72': 'snapshot too old',
  P0: 'raised by a function',
}

const UNKNOWN = 'nothing is known of it: the connection, or the server, ended'

/** What an error says about a write that had been sent; the severity is that of a server's, if it is one. */
export function ruleFor(code: string | undefined, severity?: string): Rule {
  const find = (reasons: Reasons): string | undefined => reasonIn(reasons, code ?? '')
  const neverSent = find(NEVER_SENT)
  if (neverSent !== undefined) return { certainty: 'failed', why: neverSent }
  const rolledBack = hasOwn(INDETERMINATE, code ?? '') ? undefined : find(ROLLED_BACK)
  if (rolledBack === undefined) return { certainty: 'indeterminate', why: find(INDETERMINATE) ?? UNKNOWN }
  if (severity === 'ERROR') return { certainty: 'failed', why: rolledBack }
  return {
    certainty: 'indeterminate',
    why: `${rolledBack}; with the end of the session (${severity ?? 'severity unknown'}): may come after the commit`,
  }
}

function reasonIn(reasons: Reasons, code: string): string | undefined {
  if (hasOwn(reasons, code)) return reasons[code]
  const sqlstateClass = /^([0-9A-Z]{2})[0-9A-Z]{3}$/.exec(code)?.[1] ?? ''
  return hasOwn(reasons, sqlstateClass) ? reasons[sqlstateClass] : undefined
}

const hasOwn = (reasons: Reasons, code: string): boolean => Object.hasOwn(reasons, code)

/** What a server has reported, if that is what the error is: not what node or the lab says of a connection. */
export function serverErrorOf(error: unknown): ServerError | undefined {
  if (!(error instanceof pg.DatabaseError) || error.code === undefined) return undefined
  return { code: error.code, severity: error.severity ?? '', message: error.message }
}
