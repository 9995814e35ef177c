import { describe, expect, test } from 'vitest'
import {
  compare,
  measure,
  withoutAstray,
  type Attempt,
  type End,
  type Instants,
} from '../../../examples/drivers/src/measure.ts'

/** Struck at 1 s, promoted at 2 s, observed until 14 s. */
const INSTANTS: Instants = { struckAt: 1_000, promotedAt: 2_000, observedUntil: 14_000, endedAt: 14_000 }
const LIVES: End = { kind: 'lives' }

const good = (begunAt: number, settledAt: number): Attempt => ({ id: String(begunAt), begunAt, settledAt })
const failed = (begunAt: number, error: string): Attempt => ({ ...good(begunAt, begunAt + 1), error })
const hangs = (begunAt: number): Attempt => ({ id: String(begunAt), begunAt })

describe('what one subject did', () => {
  test('its first good request is the first that was acknowledged after the promotion, whenever it began', () => {
    const attempts = [
      good(500, 510),
      good(1_100, 1_200),
      failed(2_000, '25006'),
      good(1_900, 2_085),
      good(13_000, 13_001),
    ]
    expect(measure(attempts, LIVES, INSTANTS)).toMatchObject({
      firstGoodMs: 85,
      state: 'well',
      healedBy: null,
      acknowledged: 3,
      errors: { '25006': 1 },
    })
  })

  test('none is good before the promotion', () => {
    expect(measure([good(1_100, 1_900)], LIVES, INSTANTS).firstGoodMs).toBeNull()
  })

  test('it is partly well where some of the last requests failed', () => {
    const attempts = [good(13_000, 13_001), failed(13_100, 'ECONNREFUSED')]
    expect(measure(attempts, LIVES, INSTANTS).state).toBe('partly')
  })

  test('what was good long ago leaves it stuck', () => {
    expect(measure([good(3_000, 3_001)], LIVES, INSTANTS)).toMatchObject({ state: 'stuck', healedBy: 'nothing' })
  })

  test('a request that is under way for more than three seconds hangs, a younger one does not', () => {
    expect(measure([hangs(1_100), hangs(13_500), good(1_200, 15_000)], LIVES, INSTANTS).hanging).toBe(2)
  })

  test('a stuck one is healed by what came before ten in a row that were good', () => {
    const instants = { ...INSTANTS, movedAt: 14_100, closedAt: 18_000, endedAt: 22_000 }
    const from = (at: number, n = 10) => Array.from({ length: n }, (_, i) => good(at + 10 * i, at + 10 * i + 5))
    expect(measure(from(14_150), LIVES, instants).healedBy).toBe('the address moves')
    expect(measure(from(18_150), LIVES, instants).healedBy).toBe('the old connections end')
    expect(measure(from(22_150), LIVES, instants).healedBy).toBe('nothing')
    expect(measure(from(14_150, 9), LIVES, instants).healedBy, 'luck').toBe('nothing')
    expect(measure([...from(14_150), failed(14_900, '25006')], LIVES, instants).healedBy).toBe('nothing')
  })

  test('a process that ends while it is observed has crashed, one that ends with the help was stuck', () => {
    const end = (at: number): End => ({ kind: 'crashed', by: '57P01', exitCode: 1, at })
    const instants = { ...INSTANTS, closedAt: 14_100, endedAt: 18_000 }
    expect(measure([], end(1_010), instants)).toMatchObject({ end: { kind: 'crashed', by: '57P01' }, healedBy: null })
    expect(measure([hangs(1_100)], end(14_110), instants)).toMatchObject({
      end: { kind: 'lives' },
      state: 'stuck',
      healedBy: 'it crashes with the old connections',
      hanging: 1,
    })
  })
})

test('what was acknowledged after the promotion, and is not in the new primary, is astray', () => {
  const attempts = [
    { ...good(1_500, 1_600), id: '1' },
    { ...good(2_500, 2_510), id: '2' },
    { ...good(2_600, 2_610), id: '3' },
  ]
  expect(compare(attempts, ['3', '4', '4', '4'], INSTANTS)).toEqual({ astray: 1, duplicates: 1 })
})

test('an answer of the old primary is not good, and one that came after the observation was none yet', () => {
  const attempts = [
    { ...good(1_500, 1_600), id: '1' },
    { ...good(2_500, 2_510), id: '2' },
    { ...good(2_600, 2_610), id: '3' },
    { ...good(2_700, 14_500), id: '4' },
    failed(3_000, '25006'),
  ]
  const left = withoutAstray(attempts, ['3'], INSTANTS)
  expect(left.map(({ id }) => id)).toEqual(['1', '3', '4', '3000'])
  expect(measure(left, LIVES, INSTANTS)).toMatchObject({ firstGoodMs: 610, hanging: 1, acknowledged: 2 })
})
