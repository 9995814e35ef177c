/**
 * What an error says about a write that was sent: that it certainly did not happen, or nothing.
 * Decided by SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html) or by node's error code, never by
 * message text. What is not known to be definite is indeterminate.
 */

/** `failed`: certainly not committed. `indeterminate`: may be committed. */
export type Certainty = 'failed' | 'indeterminate'

interface Rule {
  readonly certainty: Certainty
  readonly why: string
}

/** Stands for the code that node-postgres does not give an error when the connection ends under a statement. */
export const CONNECTION_LOST = 'CONNECTION_LOST'

/** Exact codes; they win over {@link CLASSES}. */
const CODES: Readonly<Record<string, Rule>> = {
  '25006': { certainty: 'failed', why: 'read-only transaction: the server is a standby' },
  '40003': { certainty: 'indeterminate', why: 'statement completion unknown: it says so itself' },
  '57014': { certainty: 'failed', why: 'query cancelled: an error, so the transaction was rolled back' },
  '57P01': {
    certainty: 'indeterminate',
    why: 'terminated by the administrator: may come after the commit, before its answer',
  },
  '57P02': {
    certainty: 'indeterminate',
    why: 'crash of another backend: may come after the commit, before its answer',
  },
  '57P03': { certainty: 'failed', why: 'cannot connect now: the statement was never sent' },
  [CONNECTION_LOST]: { certainty: 'indeterminate', why: 'the connection ended before the answer' },
  ECONNRESET: { certainty: 'indeterminate', why: 'the connection ended before the answer' },
  ETIMEDOUT: { certainty: 'indeterminate', why: 'no answer in time' },
  ECONNREFUSED: { certainty: 'failed', why: 'nobody listens: the statement was never sent' },
}

/** By the first two characters of a SQLSTATE: errors in answer to a statement, which roll its transaction back. */
const CLASSES: Readonly<Record<string, Rule>> = {
  '0A': { certainty: 'failed', why: 'feature not supported' },
  '22': { certainty: 'failed', why: 'data exception' },
  '23': { certainty: 'failed', why: 'integrity constraint violation' },
  '25': { certainty: 'failed', why: 'invalid transaction state' },
  '28': { certainty: 'failed', why: 'invalid authorization: never connected' },
  '3D': { certainty: 'failed', why: 'no such database: never connected' },
  '3F': { certainty: 'failed', why: 'no such schema' },
  '40': { certainty: 'failed', why: 'transaction rolled back' },
  '42': { certainty: 'failed', why: 'syntax error or access rule violation' },
  '53': { certainty: 'failed', why: 'insufficient resources' },
  '54': { certainty: 'failed', why: 'program limit exceeded' },
  '55': { certainty: 'failed', why: 'object not in prerequisite state' },
}

const UNKNOWN: Rule = {
  certainty: 'indeterminate',
  why: 'nothing is known of it: the connection, or the server, ended',
}

/** What `code` says about a write that had been sent. */
export function ruleFor(code: string | undefined): Rule {
  if (code === undefined) return UNKNOWN
  if (Object.hasOwn(CODES, code)) return CODES[code] ?? UNKNOWN
  const sqlstateClass = /^([0-9A-Z]{2})[0-9A-Z]{3}$/.exec(code)?.[1] ?? ''
  return Object.hasOwn(CLASSES, sqlstateClass) ? (CLASSES[sqlstateClass] ?? UNKNOWN) : UNKNOWN
}
