import { AssertionError } from 'node:assert'
import { CommanderError } from 'commander'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { explain } from '../../../src/cli/explain.ts'
import { LabError } from '../../../src/errors.ts'

const fromPostgres = (code: string, message: string): pg.DatabaseError =>
  Object.assign(new pg.DatabaseError(message, 0, 'error'), { code })
const fromSystem = (code: string): Error =>
  Object.assign(new Error(`${code}: no, open '/x'`), { code, syscall: 'open', path: '/x' })

describe('an error', () => {
  test.each([
    [new LabError('USAGE', 'x', { hint: 'Y.' }), 2, ['error: x', 'hint: Y.']],
    [new LabError('INTERRUPTED', 'interrupted'), 130, ['error: interrupted']],
    [new AssertionError({ message: 'nobody' }), 1, ['the claim does not hold: nobody']],
    [
      new CommanderError(1, 'x', "error: unknown option '--a'\n(Did you mean --b?)"),
      2,
      ["error: unknown option '--a'", 'hint: Is it --b? --help shows what there is.'],
    ],
  ])('%s is told with its exit code', (error, exitCode, lines) => {
    expect(explain(error)).toEqual({ exitCode, lines })
  })

  test.each([
    [fromPostgres('42P07', 'relation "users" already exists'), /PostgreSQL says: relation "users"/],
    [fromPostgres('42501', 'permission denied for schema lab'), /permission denied/],
    [fromPostgres('53100', 'could not extend file'), /could not extend/],
    [fromPostgres('57P01', 'terminating connection due to administrator command'), /terminating connection/],
    [
      Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' }),
      /connection to a server was lost/,
    ],
    [new Error('Connection terminated unexpectedly'), /connection to a server was lost/],
    [fromSystem('EACCES'), /EACCES/],
    [fromSystem('ENOSPC'), /ENOSPC/],
    [fromSystem('EROFS'), /EROFS/],
  ])('%s is what a server or the machine says, and no bug of ours', (error, fact) => {
    const { lines, exitCode } = explain(error)
    expect(exitCode).toBe(1)
    expect(lines[0]).toMatch(/^error: /)
    expect(lines[0]).toMatch(fact)
    expect(lines[1]).toMatch(/^hint: [A-Zpu]/)
    expect(lines).toHaveLength(2)
  })

  test('of ours has its stack', () => {
    const { lines, exitCode } = explain(new TypeError('undefined is not a function'))
    expect(exitCode).toBe(1)
    expect(lines[0]).toBe('bug: undefined is not a function')
    expect(lines[1]).toContain('explain.test.ts')
  })
})
