import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { percentile, spreadOf } from '../../../src/measure/statistics.ts'

describe('percentiles', () => {
  test('are linear between the two nearest values, as percentile_cont', () => {
    expect(percentile([4, 1, 3, 2], 50)).toBe(2.5)
    expect(percentile([10, 20, 30], 25)).toBe(15)
    expect(percentile([7], 99)).toBe(7)
  })

  test('of nothing are an error, not a figure', () => {
    expect(() => percentile([], 50)).toThrow(RangeError)
    expect(() => spreadOf([])).toThrow(RangeError)
  })

  test('lie between the least and the greatest, rise with p, and heed no order', () => {
    const values = fc.array(fc.integer({ min: -1e6, max: 1e6 }), { minLength: 1 })
    fc.assert(
      fc.property(values, fc.nat(100), fc.nat(100), (some, p, q) => {
        const [low, high] = [percentile(some, Math.min(p, q)), percentile(some, Math.max(p, q))]
        expect(low).toBeLessThanOrEqual(high + 1e-6)
        expect(percentile([...some].reverse(), p)).toBe(percentile(some, p))
        expect(spreadOf(some)).toMatchObject({ n: some.length, min: Math.min(...some), max: Math.max(...some) })
      }),
    )
  })
})
