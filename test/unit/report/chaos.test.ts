import { describe, expect, test } from 'vitest'
import { plan } from '../../../src/experiments/chaos/plan.ts'
import type { ChaosRound } from '../../../src/experiments/chaos/soak.ts'
import { narrateSoak, roundNarrator } from '../../../src/report/chaos.ts'
import { narrated } from '../../support/a-narrator.ts'

const aRound = (round: Partial<ChaosRound> = {}): ChaosRound => ({
  ...{ round: 1, action: 'crash', what: 'crash', plan: plan(1, 1), verdict: 'held', problems: [], remark: null },
  ...{ ms: 1000, outageMs: 40, acknowledged: 100, lost: 0, timeline: 2 },
  ...round,
})

const told = (...rounds: readonly ChaosRound[]): string[] =>
  narrated(narrate =>
    narrateSoak(narrate, {
      ...{ version: 1, runtime: 'local', seed: 1, minutes: null, sync: 'off', rounds },
      load: { ratePerSecond: 200, connections: 4 },
      verdict: rounds.some(({ verdict }) => verdict === 'held') ? 'held' : 'unknown',
    }),
  )

describe('a soak, for people', () => {
  test('claims something of the rounds that held alone, and names those that prove nothing', () => {
    const lines = told(
      aRound(),
      aRound({ round: 2, action: 'hit-switchover', verdict: 'not-struck', remark: 'too late' }),
      aRound({ round: 3, verdict: 'interrupted', lost: 264 }),
    )
    expect(lines.slice(-3)).toEqual([
      'In 1 round no two nodes acknowledged, and every lost write is in the record of the failover that lost it.',
      'not-struck 1, which prove nothing: hit-switchover',
      'interrupted 1, which prove nothing: crash',
    ])
  })

  test('claims nothing when no round held', () => {
    expect(told(aRound({ verdict: 'interrupted' })).slice(-2)).toEqual([
      'No round came to its end, so nothing was put to the test.',
      'interrupted 1, which prove nothing: crash',
    ])
  })

  test('tells of a blow that never fell why', () => {
    const round = aRound({
      action: 'hit-switchover',
      verdict: 'not-struck',
      remark: 'the switchover took less than 240 ms',
    })
    const lines = narrated(narrate => roundNarrator(narrate)(round))
    expect(lines[0]).toMatch(/^1 +not-struck +outage/)
    expect(lines[1]).toBe('the switchover took less than 240 ms')
  })
})
