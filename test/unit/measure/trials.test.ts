import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Phases } from '../../../src/measure/outage.ts'
import type { FailoverRecord } from '../../../src/measure/record.ts'
import { spreadOf } from '../../../src/measure/statistics.ts'
import { summariseTrials } from '../../../src/measure/trials.ts'
import { anyRecord, aRecord, writes } from '../../support/a-record.ts'

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0)
const unknown = { outageMs: null, phases: null }

describe('the sum of several failovers', () => {
  test('has the spread of each figure, and the writes of all', () => {
    const trials = [300, 100, 200].map((outageMs, lost) =>
      aRecord({ outageMs, writes: writes({ attempted: 10, acknowledged: 9, failed: 1, lost }) }),
    )
    const summary = summariseTrials(trials, 3)
    expect(summary).toMatchObject({ n: 3, requested: 3, outageMs: { n: 3, min: 100, median: 200, max: 300 } })
    expect(summary.lost).toEqual({ n: 3, min: 0, median: 1, max: 2 })
    expect(summary.writes).toEqual(writes({ attempted: 30, acknowledged: 27, failed: 3, lost: 3 }))
  })

  test('tells how many were asked for when it was interrupted', () => {
    expect(summariseTrials([aRecord()], 20)).toMatchObject({ n: 1, requested: 20 })
  })

  test('leaves an unknown outage out of the spread, rather than counting it as 0', () => {
    const summary = summariseTrials([aRecord({ outageMs: 100 }), aRecord(unknown)], 2)
    expect(summary.n).toBe(2)
    expect(summary.outageMs).toEqual({ n: 1, min: 100, median: 100, max: 100 })
    expect(summary.phases?.fenceMs).toEqual({ n: 1, min: 20, median: 20, max: 20 })
  })

  test('has no outage when no trial has one, and still the losses', () => {
    expect(summariseTrials([aRecord(unknown), aRecord(unknown)], 2)).toMatchObject({
      ...unknown,
      lost: { n: 2, max: 0 },
    })
  })

  test('of none is an error', () => {
    expect(() => summariseTrials([], 5)).toThrow(RangeError)
  })

  test('adds up, for any trials, and keeps them', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { minLength: 1, maxLength: 20 }), trials => {
        const summary = summariseTrials(trials, trials.length)
        for (const name of Object.keys(summary.writes) as (keyof FailoverRecord['writes'])[])
          expect(summary.writes[name]).toBe(sum(trials.map(trial => trial.writes[name])))
        expect(sum(Object.values(summary.verdicts))).toBe(trials.length)
        for (const verdict of ['durable', 'lost-writes', 'inconsistent', 'unknown'] as const)
          expect(summary.verdicts[verdict]).toBe(trials.filter(trial => trial.verdict === verdict).length)
        const phases = trials.flatMap(trial => (trial.phases === null ? [] : [trial.phases]))
        expect(summary.phases === null).toBe(phases.length === 0)
        for (const [name, spread] of Object.entries(summary.phases ?? {}))
          expect(spread).toEqual(spreadOf(phases.map(parts => parts[name as keyof Phases])))
        expect(summary.outageMs?.n ?? 0).toBe(phases.length)
        expect(summary.trials).toEqual(trials)
      }),
    )
  })
})
