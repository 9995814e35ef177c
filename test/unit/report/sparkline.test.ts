import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { binned, peaks, sparkline } from '../../../src/report/sparkline.ts'

const BLOCKS = '▁▂▃▄▅▆▇█'
const figures = fc.array(fc.oneof(fc.nat(20), fc.nat()), { maxLength: 200 })

describe('a sparkline', () => {
  test('has a block for each value, against the largest, and a dot for nothing', () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7, 8])).toBe('·▁▂▃▄▅▆▇█')
    expect(sparkline([0, 1000, 1])).toBe('·█▁')
  })

  test('of nothing is nothing, and of zeros is dots', () => {
    expect(sparkline([])).toBe('')
    expect(sparkline([0, 0, 0])).toBe('···')
  })

  test('is as long as its values, with dots exactly for zeros and a full block for the tallest', () => {
    fc.assert(
      fc.property(figures, values => {
        const drawn = Array.from(sparkline(values))
        const most = Math.max(0, ...values)
        expect(drawn).toHaveLength(values.length)
        for (const [at, value] of values.entries()) {
          expect(drawn[at] === '·').toBe(value === 0)
          if (value > 0 && value === most) expect(drawn[at]).toBe('█')
        }
      }),
    )
  })

  test('has a block as high as the share of the largest value, rounded up to an eighth', () => {
    fc.assert(
      fc.property(figures, values => {
        const most = Math.max(0, ...values)
        const eighths = Array.from(sparkline(values), block => BLOCKS.indexOf(block) + 1)
        for (const [at, value] of values.entries()) {
          expect(value * 8).toBeLessThanOrEqual(most * eighths[at]!)
          if (value > 0) expect(value * 8).toBeGreaterThan(most * (eighths[at]! - 1))
        }
      }),
    )
  })

  test('is never lower for a larger value', () => {
    fc.assert(
      fc.property(figures, values => {
        const drawn = Array.from(sparkline([...values].sort((a, b) => a - b)), block => BLOCKS.indexOf(block))
        expect(drawn).toEqual([...drawn].sort((a, b) => a - b))
      }),
    )
  })
})

describe('bins', () => {
  test('hold the instants from their beginning up to, but not at, their end', () => {
    expect(binned([0, 9.9, 10, 25, 29.9, 30, -1], { from: 0, to: 30, binMs: 10 })).toEqual([2, 1, 2])
  })

  test('cut the last one short where the range ends in it', () => {
    expect(binned([20, 24, 25, 29], { from: 0, to: 25, binMs: 10 })).toEqual([0, 0, 2])
  })

  test.each([
    [5, 5],
    [9, 5],
  ])('of the empty range from %d to %d are none', (from, to) => {
    expect(binned([5, 6], { from, to, binMs: 10 })).toEqual([])
  })

  test('agree with a naive count, and add up to the number of instants in the range', () => {
    const tick = fc.integer({ min: -400, max: 400 }).map(quarter => quarter / 4)
    fc.assert(
      fc.property(fc.array(tick), tick, fc.nat(100), fc.integer({ min: 1, max: 20 }), (instants, from, span, binMs) => {
        const to = from + span
        const bins = binned(instants, { from, to, binMs })
        const between = (low: number, high: number): number => instants.filter(at => at >= low && at < high).length
        expect(bins).toHaveLength(Math.ceil(span / binMs))
        expect(bins).toEqual(bins.map((_, bin) => between(from + bin * binMs, Math.min(to, from + (bin + 1) * binMs))))
        expect(bins.reduce((sum, count) => sum + count, 0)).toBe(between(from, to))
      }),
    )
  })
})

describe('peaks', () => {
  test('are the largest of each part', () => {
    expect(peaks([1, 5, 2, 0, 9, 3], 3)).toEqual([5, 2, 9])
    expect(peaks([7, 1, 1, 1, 8], 2)).toEqual([7, 8])
  })

  test('leave what fits as it is', () => {
    expect(peaks([3, 1, 2], 3)).toEqual([3, 1, 2])
    expect(peaks([], 60)).toEqual([])
  })

  test('lose no peak, invent none, and keep their order', () => {
    fc.assert(
      fc.property(figures, fc.integer({ min: 1, max: 70 }), (values, width) => {
        const kept = peaks(values, width)
        expect(kept).toHaveLength(Math.min(values.length, width))
        expect(Math.max(0, ...kept)).toBe(Math.max(0, ...values))
        let from = 0
        for (const peak of kept) {
          const found = values.indexOf(peak, from)
          expect(found, `${peak} in its place`).toBeGreaterThanOrEqual(from)
          from = found + 1
        }
      }),
    )
  })

  test('give every value to a part: one tall value is seen wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.integer({ min: 1, max: 70 }),
        fc.nat(),
        (length, width, seed) => {
          const values = new Array<number>(length).fill(0)
          values[seed % length] = 1
          expect(peaks(values, width).filter(peak => peak === 1)).toHaveLength(1)
        },
      ),
    )
  })
})
