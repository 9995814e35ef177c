/**
 * Errors for people: the fact, what to do, the exit code. A stack trace is for a bug of ours, not for a user's mistake, nor for
 * what a server or the machine says.
 */
import { AssertionError } from 'node:assert'
import { CommanderError } from 'commander'
import pg from 'pg'
import { codeOf, isLabError, messageOf, originOf, type LabErrorCode } from '../errors.ts'
import { INTERRUPTED_EXIT_CODE } from './interrupt.ts'

/** Errors that mean: used wrongly. */
const USAGE_ERRORS: ReadonlySet<LabErrorCode> = new Set<LabErrorCode>([
  'USAGE',
  'COMPOSE_FILE_MISSING',
  'COMPOSE_FILE_INVALID',
  'NO_PRIMARY_SERVICE',
  'UNKNOWN_VARIABLE',
  'UNKNOWN_NODE',
])

interface Explanation {
  readonly lines: readonly string[]
  readonly exitCode: number
}

/** What is printed of it, and the exit code: 1 failed, 2 used wrongly, 130 interrupted. */
export function explain(thrown: unknown): Explanation {
  const error = originOf(thrown)
  if (isLabError(error)) {
    const exitCode = error.code === 'INTERRUPTED' ? INTERRUPTED_EXIT_CODE : USAGE_ERRORS.has(error.code) ? 2 : 1
    return told(exitCode, error.message, error.hint)
  }
  if (error instanceof AssertionError) return { lines: [`the claim does not hold: ${error.message}`], exitCode: 1 }
  if (error instanceof CommanderError) {
    const [fact = '', suggestion = ''] = error.message.replace(/^error: /, '').split('\n')
    const instead = /Did you mean (.*)\?/.exec(suggestion)?.[1]
    return told(
      2,
      fact,
      instead === undefined ? '--help shows what there is.' : `Is it ${instead}? --help shows what there is.`,
    )
  }
  if (error instanceof pg.DatabaseError) return ofPostgres(error)
  if (codeOf(error) === 'ETIMEDOUT') {
    const hint = 'pnpm run status shows the nodes. A commit may wait for a standby that is gone: pnpm run sync off.'
    return told(1, `a server accepted a question and gave ${messageOf(error)}`, hint)
  }
  if (isConnectionLost(error))
    return told(
      1,
      `the connection to a server was lost: ${messageOf(error)}`,
      'pnpm run status shows which nodes answer.',
    )
  if (isSystemError(error)) return told(1, messageOf(error), SYSTEM_HINTS[error.code] ?? 'The machine refuses it.')
  const stack = error instanceof Error && error.stack !== undefined ? [error.stack] : []
  return { lines: [`bug: ${messageOf(error)}`, ...stack], exitCode: 1 }
}

const told = (exitCode: number, fact: string, hint: string | undefined): Explanation => ({
  lines: [`error: ${fact}`, ...(hint === undefined ? [] : [`hint: ${hint}`])],
  exitCode,
})

/** https://www.postgresql.org/docs/current/errcodes-appendix.html, by the class */
const POSTGRES_HINTS: Readonly<Record<string, string>> = {
  '08': 'pnpm run status shows which nodes answer.',
  '42': 'A table or a schema may have the name of one of the lab, and be of another kind: rename it, or name another database with POSTGRES_DB.',
  '53': 'The server has no more of it: pnpm run logs shows what it says.',
  '57': 'pnpm run status shows which nodes answer.',
  '58': 'The server has trouble with its files: pnpm run logs shows what it says.',
}

function ofPostgres({ message, detail, code = '' }: pg.DatabaseError): Explanation {
  const fact = `PostgreSQL says: ${message}${detail === undefined ? '' : ` (${detail})`}`
  return told(1, fact, POSTGRES_HINTS[code.slice(0, 2)] ?? 'pnpm run logs shows what the server says.')
}

const isConnectionLost = (error: unknown): boolean =>
  ['ECONNRESET', 'ECONNREFUSED', 'EPIPE'].includes(codeOf(error) ?? '') ||
  (error instanceof Error && /^Connection terminated|^Client has encountered a connection error/.test(error.message))

/** https://nodejs.org/api/errors.html#class-systemerror */
const isSystemError = (error: unknown): error is NodeJS.ErrnoException & { readonly code: string } =>
  error instanceof Error && 'syscall' in error && /^E[A-Z0-9]+$/.test(codeOf(error) ?? '')

const SYSTEM_HINTS: Readonly<Record<string, string>> = {
  EACCES: 'It is not allowed to this user: another place can be named, with LAB_STATE_DIR for the data.',
  EPERM: 'It is not allowed to this user: another place can be named, with LAB_STATE_DIR for the data.',
  EROFS: 'It cannot be written to: another place can be named, with LAB_STATE_DIR for the data.',
  ENOSPC: 'Make room, or name another place, with LAB_STATE_DIR for the data.',
  EMFILE: 'ulimit -n raises the limit.',
  ENOENT: 'It was there before, or is a program that is not installed.',
}
