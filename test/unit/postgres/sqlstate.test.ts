import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CONNECTION_LOST, ruleFor } from '../../../src/postgres/sqlstate.ts'

describe('what an error says about a write that was sent', () => {
  test.each(['25006', '23505', '40001', '40P01', '42P01', '53100', '57014', '57P03', 'ECONNREFUSED'])(
    '%s: it certainly did not happen',
    code => {
      expect(ruleFor(code).certainty).toBe('failed')
    },
  )

  test.each(['40003', '57P01', '57P02', '08006', 'XX000', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', CONNECTION_LOST])(
    '%s: it may have happened',
    code => {
      expect(ruleFor(code).certainty).toBe('indeterminate')
    },
  )

  test('what is not known to be definite is indeterminate, and every answer has a reason', () => {
    expect(ruleFor(undefined).certainty).toBe('indeterminate')
    for (const name of ['constructor', 'toString', '__proto__', '22\n\n\n']) {
      expect(ruleFor(name).certainty).toBe('indeterminate')
    }
    const definite = /^(0A|22|23|25|28|3D|3F|40|42|53|54|55)[0-9A-Z]{3}$|^57014$|^57P03$|^ECONNREFUSED$/
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9A-Z]{5}$/)), code => {
        const rule = ruleFor(code)
        expect(rule.why).not.toBe('')
        if (!definite.test(code)) expect(rule.certainty).toBe('indeterminate')
      }),
    )
  })
})
