import { describe, expect, test } from 'vitest'
import { lastWords } from '../../../src/postgres/last-words.ts'

const END = [
  'LOG:  startup process (PID 9) exited with exit code 1',
  'LOG:  shutting down',
  'LOG:  database system is shut down',
]

describe('the last words of a server', () => {
  test('are its last three lines where it gives no reason', () => {
    expect(lastWords(['LOG:  starting', ...END, ''].join('\n'))).toBe(END.join('\n'))
    expect(lastWords('')).toBe('')
  })

  test('begin with the reason and what belongs to it, however much was said since', () => {
    const reason = [
      '1 FATAL:  recovery aborted because of insufficient parameter settings',
      '1 DETAIL:  max_connections = 50',
      '1 HINT:  You can',
    ]
    const log = ['1 FATAL:  an older one', 'LOG:  starting', ...reason, 'LOG:  x', ...END]
    expect(lastWords(log.join('\n'))).toBe([...reason, ...END].join('\n'))
    expect(lastWords(['LOG:  starting', ...reason].join('\n')), 'it is all there').toBe(reason.join('\n'))
    expect(lastWords(['PANIC:  could not write', '\tmore of it', ...END].join('\n'))).toBe(
      ['PANIC:  could not write', '\tmore of it', ...END].join('\n'),
    )
  })

  test('begin with the first of two reasons: that a transaction cannot be ended is no reason', () => {
    const reasons = [
      'FATAL:  could not resize shared memory segment: No space left',
      'PANIC:  cannot abort transaction',
    ]
    expect(lastWords(['running ...', ...reasons, ...END].join('\n'))).toBe([...reasons, ...END].join('\n'))
  })

  test('are of this life: what ended an earlier one is no reason', () => {
    const earlier = ['FATAL:  recovery aborted because of insufficient parameter settings', 'LOG:  x', ...END]
    const now = ['LOG:  starting PostgreSQL 17.2 on x', 'LOG:  y', ...END]
    expect(lastWords([...earlier, ...now].join('\n'))).toBe(END.join('\n'))
  })

  test('say nothing of clients that were turned away', () => {
    for (const line of [
      'FATAL:  the database system is starting up',
      'FATAL:  terminating connection due to administrator command',
      'FATAL:  password authentication failed for user "x"',
      'FATAL:  sorry, too many clients already',
    ])
      expect(lastWords([line, 'LOG:  x', ...END].join('\n'))).toBe(END.join('\n'))
  })
})
