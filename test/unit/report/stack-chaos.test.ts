import { describe, expect, test } from 'vitest'
import { narrateStackSoak, type StackChaosDocument } from '../../../src/report/stack-chaos.ts'
import { SOAK_TIMERS, stackPlan } from '../../../src/stack/chaos/plan.ts'
import type { StackRound, WayInRound } from '../../../src/stack/chaos/soak.ts'
import { stackWays } from '../../../src/stack/ways.ts'
import { narrated } from '../../support/a-narrator.ts'

const aWay = (way: WayInRound['way'], values: Partial<WayInRound> = {}): WayInRound => ({
  ...{ way, acknowledged: 100, failed: 1, indeterminate: 2, lost: 0, outageMs: 40 },
  ...values,
})

const aRound = (round: Partial<StackRound> = {}): StackRound => ({
  ...{ round: 1, action: 'killed', what: 'killed', plan: stackPlan(1, 1), verdict: 'held', problems: [], remark: null },
  ...{ ms: 1000, outageMs: 40, acknowledged: 400, lost: 0, indeterminate: 8, promotions: 1, timeline: 2 },
  ways: stackWays.map(way => aWay(way)),
  ...round,
})

const told = (verdict: StackChaosDocument['verdict'], ...rounds: readonly StackRound[]): string[] =>
  narrated(narrate =>
    narrateStackSoak(narrate, {
      ...{ version: 1, stack: 'patroni', runtime: 'docker', seed: 1, minutes: null, timers: SOAK_TIMERS },
      ...{ load: { ratePerSecond: 200, connections: 4 }, rounds, verdict },
    }),
  )

describe('a soak with the stack, for people', () => {
  test('sums what each way came to, and tells in how many rounds the claim does not hold', () => {
    const ways = stackWays.map(way => aWay(way, way === 'router' ? { lost: 3, outageMs: 60 } : {}))
    const lines = told('failed', aRound(), aRound({ round: 2, verdict: 'failed', lost: 3, ways }))
    expect(lines.filter(line => /^(hosts|router) /.test(line)).map(line => line.split(/ {2,}/))).toEqual([
      ['hosts', '40.0 ms', '40.0 ms', '40.0 ms', '200', '0', '2', '4'],
      ['router', '50.0 ms', '40.0 ms', '60.0 ms', '200', '3', '2', '4'],
    ])
    expect(lines.slice(-2)).toEqual([
      'rounds 2 · promotions 2 · acknowledged 800 · lost 3 · indeterminate 16',
      'The claim does not hold in 1 round; in 1 round it does.',
    ])
  })

  test('claims something of the rounds that held alone, and nothing when none did', () => {
    const interrupted = aRound({ verdict: 'interrupted' })
    expect(told('held', aRound(), interrupted).slice(-2)).toEqual([
      'In 1 round no two nodes acknowledged, and writes were lost only where a primary was gone that had acknowledged alone.',
      'interrupted 1, which prove nothing: killed',
    ])
    expect(told('unknown').at(-1)).toBe('No round came to its end, so nothing was put to the test.')
  })
})
