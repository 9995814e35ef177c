import fc from 'fast-check'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { refusalOf } from '../../../src/cluster/cluster.ts'
import { LabError } from '../../../src/errors.ts'
import { CONNECTION_LOST, ruleFor, serverErrorOf } from '../../../src/postgres/sqlstate.ts'

const ROLLED_BACK = ['25006', '23505', '26000', '40001', '40P01', '42P01', '44000', '53100', '53200', '57014', 'P0001']

describe('what an error says about a write that was sent', () => {
  test.each(ROLLED_BACK)('%s: an ERROR has rolled it back, and the end of the session says nothing', code => {
    expect(ruleFor(code, 'ERROR').certainty).toBe('failed')
    for (const severity of ['FATAL', 'PANIC', 'FEHLER', undefined])
      expect(ruleFor(code, severity).certainty).toBe('indeterminate')
  })

  test.each(['28P01', '28000', '3D000', '53300', '57P03', 'ECONNREFUSED'])('%s: it was never sent', code => {
    for (const severity of ['ERROR', 'FATAL', undefined]) expect(ruleFor(code, severity).certainty).toBe('failed')
  })

  test.each([
    ...['00000', '01000', '02000', '03000', '08006', '08007', '40003', '57P01', '57P02', '57P04', '57P05', '58030'],
    ...['F0000', 'HV000', 'XX000', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', CONNECTION_LOST],
  ])('%s: it may have happened, at any severity', code => {
    for (const severity of ['ERROR', 'FATAL', 'PANIC', undefined])
      expect(ruleFor(code, severity).certainty).toBe('indeterminate')
  })

  const sqlstate = fc.oneof(fc.stringMatching(/^[0-9A-Z]{5}$/), fc.constantFrom(...ROLLED_BACK, '28P01', '57P03'))
  const anyCode = fc.oneof(fc.string(), sqlstate)

  test('what is not known to be definite is indeterminate, and every answer has a reason', () => {
    expect(ruleFor(undefined, 'ERROR').certainty).toBe('indeterminate')
    for (const name of ['constructor', 'toString', '__proto__', '22\n\n\n'])
      expect(ruleFor(name, 'ERROR').certainty).toBe('indeterminate')
    const definite =
      /^(09|0A|0B|0F|0L|0P|0Z|10|2[0-8BDF]|34|38|39|3[BDF]|4[024]|53|54|55|72|P0)[0-9A-Z]{3}$|^57014$|^57P03$|^ECONNREFUSED$/
    fc.assert(
      fc.property(anyCode, code => {
        const rule = ruleFor(code, 'ERROR')
        expect(rule.why).not.toBe('')
        if (!definite.test(code) || code === '40003') expect(rule.certainty).toBe('indeterminate')
      }),
    )
  })

  test('whatever ends a session is definite only where the session had not begun, for any code', () => {
    const refusedSession = /^(28|3D)[0-9A-Z]{3}$|^53300$|^57P03$|^ECONNREFUSED$/
    fc.assert(
      fc.property(anyCode, fc.constantFrom('FATAL', 'PANIC', '', undefined), (code, severity) => {
        expect(ruleFor(code, severity).certainty === 'failed').toBe(refusedSession.test(code))
      }),
    )
  })

  test('a higher severity never makes it more certain, for any code', () => {
    fc.assert(
      fc.property(anyCode, fc.constantFrom('FATAL', 'PANIC'), (code, severity) => {
        if (ruleFor(code, severity).certainty === 'failed') expect(ruleFor(code, 'ERROR').certainty).toBe('failed')
      }),
    )
  })
})

describe("a server's error", () => {
  const said = (code: string, severity: string): Error =>
    Object.assign(new pg.DatabaseError('no', 2, 'error'), { code, severity })
  const byNode = (code: string): Error => Object.assign(new Error('read'), { code })

  test('is told from what node and the lab say of a connection', () => {
    expect(serverErrorOf(said('53100', 'PANIC'))).toEqual({ code: '53100', severity: 'PANIC', message: 'no' })
    for (const other of [byNode('ECONNRESET'), byNode('EPIPE'), new LabError('UNREACHABLE', 'x'), 'text', undefined])
      expect(serverErrorOf(other)).toBeUndefined()
  })

  test('is a refusal only when the server has answered and goes on: a connection that broke is none', () => {
    expect(refusalOf(said('25006', 'ERROR'))).toEqual({ code: '25006', message: 'no' })
    for (const other of [byNode('ECONNRESET'), byNode('EPIPE'), byNode('ETIMEDOUT'), said('57P01', 'FATAL')])
      expect(() => refusalOf(other)).toThrow(other)
  })
})
