import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { describeStackPlan, SOAK_TIMERS, stackActions, stackPlan } from '../../../../src/stack/chaos/plan.ts'

const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const roundsOf = (seed: number, count: number): ReturnType<typeof stackPlan>[] =>
  Array.from({ length: count }, (_, at) => stackPlan(seed, at + 1))

describe('the plan of a round with the stack', () => {
  test('depends on the seed and the round alone', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 10_000 }), (seed, round) => {
        const before = stackPlan(seed, round)
        stackPlan(seed + 1, round + 1)
        expect(stackPlan(seed, round)).toEqual(before)
      }),
    )
  })

  test('is what it was when this was written, on every machine', () => {
    expect(roundsOf(1, 4).map(describeStackPlan)).toMatchInlineSnapshot(`
      [
        "spike, for 8.2 s",
        "hit-switchover, to standby 2, the primary killed after 2.6 s",
        "postmaster",
        "standby-killed, standby 1, for 5.5 s",
      ]
    `)
  })

  test('has every action once in each row of rounds, in another order in the next', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 0, max: 50 }), (seed, row) => {
        const first = row * stackActions.length + 1
        const actions = stackActions.map((_, at) => stackPlan(seed, first + at).action)
        expect([...actions].sort()).toEqual([...stackActions].sort())
      }),
      { numRuns: 50 },
    )
    const actions = roundsOf(7, 2 * stackActions.length).map(({ action }) => action)
    expect(actions.slice(0, stackActions.length)).not.toEqual(actions.slice(stackActions.length))
  })

  test('thaws a primary well before its lock ends, or about when it does; and lets etcd be away for less and for more', () => {
    const all = Array.from({ length: 300 }, (_, seed) => roundsOf(seed, stackActions.length)).flat()
    const { ttl, loop_wait: loopWait, retry_timeout: retryTimeout } = SOAK_TIMERS.patroni
    const span = (field: 'briefMs' | 'edgeMs' | 'etcdMs'): [number, number] => {
      const values = all.map(plan => plan[field] / 1000)
      return [Math.min(...values), Math.max(...values)]
    }
    const [, briefest] = span('briefMs')
    expect(briefest, 'renewed as long before as it can be').toBeLessThan(ttl - loopWait)
    expect(span('edgeMs')).toEqual([expect.closeTo(ttl - 2, 1), expect.closeTo(ttl + 2, 1)])
    const [least, most] = span('etcdMs')
    expect(least).toBeLessThan(loopWait)
    expect(most, 'longer than a primary waits for it').toBeGreaterThan(loopWait + 2 * retryTimeout)
    for (const field of ['standby', 'victim', 'back'] as const)
      expect(new Set(all.map(plan => plan[field])).size, field).toBe({ standby: 2, victim: 3, back: 2 }[field])
  })
})
