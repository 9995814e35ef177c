import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { percentile, spreadOf, summaryOf } from '../../../src/measure/statistics.ts'

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

describe('a summary', () => {
  test('sorts numbers as numbers, and leaves what it was given in its order', () => {
    const values = [10, 9, 100, 1]
    expect(summaryOf(values)).toMatchObject({ n: 4, min: 1, p50: 9.5, max: 100 })
    expect(values).toEqual([10, 9, 100, 1])
  })

  test('of one value is that value', () => {
    expect(summaryOf([7])).toEqual({ n: 1, min: 7, p50: 7, p95: 7, p99: 7, max: 7 })
  })

  test('of nothing is an error', () => {
    expect(() => summaryOf([])).toThrow(RangeError)
  })

  test('agrees with a naive sort: where a rank is whole, a percentile is the value of that rank', () => {
    // Of 1 + 100 k values, every whole percentile falls on one.
    const values = fc
      .integer({ min: 0, max: 3 })
      .chain(k => fc.array(fc.integer({ min: -1e6, max: 1e6 }), { minLength: 1 + 100 * k, maxLength: 1 + 100 * k }))
    fc.assert(
      fc.property(values, fc.nat(100), (some, p) => {
        const sorted = [...some].sort((a, b) => a - b)
        const naive = (rank: number): number => sorted[(rank * (some.length - 1)) / 100]!
        expect(percentile(some, p)).toBeCloseTo(naive(p), 6) // 0.28 times 100 is 28.000000000000004
        const { n, ...figures } = summaryOf(some)
        expect(n).toBe(some.length)
        for (const [at, figure] of Object.values(figures).entries())
          expect(figure).toBeCloseTo(naive([0, 50, 95, 99, 100][at]!), 6)
        expect(spreadOf(some)).toEqual({ n, min: figures.min, median: figures.p50, max: figures.max })
      }),
    )
  })

  test('agrees with a naive sort between two ranks, in proportion', () => {
    const values = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 60 })
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 100, noNaN: true }), (some, p) => {
        const sorted = [...some].sort((a, b) => a - b)
        const rank = (p * (some.length - 1)) / 100
        const [below, above] = [sorted[Math.floor(rank)]!, sorted[Math.ceil(rank)]!]
        const share = rank - Math.floor(rank)
        expect(percentile(some, p)).toBeCloseTo(below * (1 - share) + above * share, 4)
      }),
    )
  })
})
