import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { History, Outcome, Write } from '../../../src/history/history.ts'
import { judgeLoad, type LoadEvidence } from '../../../src/measure/load.ts'
import { longestOutage } from '../../../src/measure/outage.ts'

const ACKNOWLEDGED: Outcome = { kind: 'acknowledged' }
const write = (id: number, settledAt: number, outcome: Outcome = ACKNOWLEDGED): Write => ({
  ...{ id, dueAt: settledAt - 1, sentAt: settledAt - 1, settledAt, outcome },
})
const historyOf = (writes: readonly Write[], stoppedAt = 100): History => ({
  ...{ run: 'r', writes, connectionErrors: [], startedAt: 0, stoppedAt },
})
const at = (...instants: number[]): History => historyOf(instants.map((instant, id) => write(id, instant)))
const judge = (evidence: Partial<LoadEvidence> & { history: History }) =>
  judgeLoad({ survivors: new Map(), faults: [], failovers: [], idOf: id => `id ${id}`, ...evidence })

describe('the longest outage since an instant', () => {
  test('is the longest gap that ends after it', () => {
    expect(longestOutage(at(1, 9, 30, 35, 70, 90), 10), 'from 35 to 70').toBe(35)
    expect(longestOutage(at(1, 9, 30, 31), 10), 'nothing since 31').toBeNull()
    expect(longestOutage(at(40, 99), 10), 'nothing before it').toBeNull()
    expect(longestOutage(historyOf([]), 10)).toBeNull()
  })

  test('is never longer than the run, nor shorter than the gap around the instant', () => {
    const instants = fc.uniqueArray(fc.integer({ min: 1, max: 1_000 }), { minLength: 2, maxLength: 50 })
    fc.assert(
      fc.property(instants, fc.integer({ min: 1, max: 1_000 }), (times, since) => {
        const sorted = times.toSorted((a, b) => a - b)
        const longest = longestOutage(
          historyOf(
            sorted.map((t, id) => write(id, t)),
            sorted.at(-1),
          ),
          since,
        )
        const [before, after] = [sorted.findLast(t => t <= since), sorted.find(t => t > since)]
        if (before === undefined) return longest === null
        if (after === undefined) return longest === 0
        return longest !== null && longest >= after - before && longest <= sorted.at(-1)! - sorted[0]!
      }),
    )
  })
})

describe('a load', () => {
  const history = historyOf([
    ...[write(0, 1), write(1, 2)],
    ...[write(2, 3, { kind: 'indeterminate', code: 'HTTP 503' }), write(3, 50, { kind: 'failed', code: '25006' })],
    ...[write(4, 60), write(5, 99)],
  ])
  const failover = { detectedAt: 10, fencedAt: 20, promotedAt: 40 }

  test('is judged with the names that the application gave', () => {
    const survivors = new Map([[0, 1], [2, 1], [4, 1], [5, 1]]) // prettier-ignore
    const outcome = judge({ history, survivors, faults: [5], failovers: [failover] })
    expect(outcome).toMatchObject({
      verdict: 'lost-writes',
      lostIds: ['id 1'],
      recoveredIds: ['id 2'],
      unexpectedIds: [],
    })
    expect(outcome.writes).toMatchObject({ attempted: 6, acknowledged: 4, failed: 1, indeterminate: 1, lost: 1 })
    expect(outcome.errors).toEqual({ 'HTTP 503': 1, '25006': 1 })
    expect(outcome).toMatchObject({
      outageMs: 58,
      phases: { detectMs: 8, fenceMs: 10, promoteMs: 20, firstWriteMs: 20 },
    })
    expect(judge({ history, survivors: new Map([[3, 1], [0, 2]]), faults: [5] })).toMatchObject({ verdict: 'inconsistent', unexpectedIds: ['id 3'], duplicateIds: ['id 0'] }) // prettier-ignore
  })

  test('of a time without a fault has put nothing to the test', () => {
    expect(judge({ history: at(1, 2), survivors: new Map([[0, 1], [1, 1]]) })).toMatchObject({ verdict: 'unknown', why: 'no fault happened', outageMs: null }) // prettier-ignore
    expect(judge({ history: at(1, 2), survivors: undefined, faults: [1] }).verdict).toBe('unknown')
  })

  test('that was followed by two failovers has the longer of two outages, and none where one of them does not end', () => {
    const two = at(1, 2, 30, 31, 32, 90, 91)
    const failovers = [failover, { detectedAt: 40, fencedAt: 50, promotedAt: 60 }]
    expect(judge({ history: two, faults: [5, 35], failovers })).toMatchObject({ outageMs: 58, resolutionMs: 29 })
    const never = { detectedAt: 95, fencedAt: 96, promotedAt: 97 }
    expect(judge({ history: two, faults: [5], failovers: [failover, never] })).toMatchObject({ outageMs: null })
  })
})
