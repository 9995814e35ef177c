import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chaosActions, describePlan, plan } from '../../../../src/experiments/chaos/plan.ts'
import { SOAKS } from '../../../support/soaks.ts'

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const roundsOf = (seed: number, count: number): ReturnType<typeof plan>[] =>
  Array.from({ length: count }, (_, at) => plan(seed, at + 1))

describe('the plan of a round', () => {
  test('depends on the seed and the round alone', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 10_000 }), (seed, round) => {
        const before = plan(seed, round)
        plan(seed + 1, round + 1)
        expect(plan(seed, round)).toEqual(before)
      }),
    )
  })

  test('is what it was when this was written, on every machine', () => {
    expect(roundsOf(1, 4).map(describePlan)).toMatchInlineSnapshot(`
      [
        "paused-replay, standby 2, for 1485 ms",
        "stop, beside: delayed-standby (1751 ms)",
        "cut, both standbys, for 608 ms",
        "standby-crash, standby 2, for 1758 ms",
      ]
    `)
  })

  test('of the soaks in the suite has every action there is', () => {
    const struck = Object.values(SOAKS).flatMap(({ seed, rounds }) =>
      roundsOf(seed, rounds).map(({ action }) => action),
    )
    expect([...new Set(struck)].sort()).toEqual([...chaosActions].sort())
  })

  test('has every action once in each row of rounds', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 0, max: 50 }), (seed, row) => {
        const first = row * chaosActions.length + 1
        const actions = chaosActions.map((_, at) => plan(seed, first + at).action)
        expect([...actions].sort()).toEqual([...chaosActions].sort())
      }),
      { numRuns: 50 },
    )
  })

  test('differs from seed to seed, and from row to row', () => {
    const lines = new Set(Array.from({ length: 200 }, (_, seed) => describePlan(plan(seed, 1))))
    expect(lines.size).toBeGreaterThan(100)
    const actions = roundsOf(7, 2 * chaosActions.length).map(({ action }) => action)
    expect(actions.slice(0, chaosActions.length)).not.toEqual(actions.slice(chaosActions.length))
  })

  test('draws every choice there is, and each about as often as it should', () => {
    const all = Array.from({ length: 300 }, (_, seed) => roundsOf(seed, chaosActions.length)).flat()
    const shares = (field: 'standby' | 'obstacle' | 'victim' | 'blow' | 'direction' | 'towards'): number[] => {
      const values = [...new Set(all.map(one => one[field]))]
      return values.map(value => (all.filter(one => one[field] === value).length / all.length) * values.length)
    }
    for (const field of ['standby', 'obstacle', 'victim', 'blow', 'direction', 'towards'] as const) {
      expect(shares(field).length, field).toBeGreaterThan(1)
      for (const share of shares(field)) expect(share, field).toBeCloseTo(1, 0.5)
    }
    expect(new Set(all.map(({ beside }) => beside)).size).toBe(7)
    const durations = all.map(({ durationMs }) => durationMs)
    expect([Math.min(...durations), Math.max(...durations)]).toEqual([
      expect.closeTo(100, -1),
      expect.closeTo(2500, -1),
    ])
  })

  test('lets no standby be cut while the primary is asked to stop: what is lost then is no fault of the lab', () => {
    const stops = Array.from({ length: 300 }, (_, seed) => roundsOf(seed, chaosActions.length))
      .flat()
      .filter(({ action }) => action === 'stop')
    expect(stops.map(({ beside }) => beside)).not.toContain('cut-standbys')
    expect(stops.map(({ beside }) => beside)).not.toContain('frozen-standby')
  })
})
