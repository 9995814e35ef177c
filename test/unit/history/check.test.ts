import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkHistory } from '../../../src/history/check.ts'
import type { History, Outcome } from '../../../src/history/history.ts'

const acknowledged: Outcome = { kind: 'acknowledged' }
const failed: Outcome = { kind: 'failed', code: '25006' }
const indeterminate: Outcome = { kind: 'indeterminate', code: 'ECONNRESET' }

const historyOf = (outcomes: readonly Outcome[]): History => ({
  run: 'r',
  writes: outcomes.map((outcome, id) => ({ id, dueAt: id, sentAt: id, settledAt: id + 1, outcome })),
  connectionErrors: [],
  startedAt: 0,
  stoppedAt: outcomes.length,
})
const survivors = (...ids: readonly number[]): Map<number, number> =>
  ids.reduce((found, id) => found.set(id, (found.get(id) ?? 0) + 1), new Map<number, number>())
const faultHappened = { faultHappened: true }

describe('the checker', () => {
  test('finds what was acknowledged and is gone, by id', () => {
    const findings = checkHistory(historyOf([acknowledged, acknowledged, failed]), survivors(1), faultHappened)
    expect(findings).toMatchObject({ acknowledged: 2, failed: 1, lostIds: [0], verdict: 'lost-writes' })
    expect(findings.why).toBe('1 of 2 acknowledged writes are gone')
  })

  test('an indeterminate write is recovered when it is there, and no loss when it is not', () => {
    const findings = checkHistory(
      historyOf([acknowledged, indeterminate, indeterminate]),
      survivors(0, 2),
      faultHappened,
    )
    expect(findings).toMatchObject({ lostIds: [], recoveredIds: [2], unexpectedIds: [], verdict: 'durable' })
  })

  test('a write that certainly failed, or was never sent, is unexpected when it is there', () => {
    expect(checkHistory(historyOf([acknowledged, failed]), survivors(0, 1, 7), faultHappened).unexpectedIds).toEqual([
      1, 7,
    ])
  })

  test('an id that is there twice is a duplicate', () => {
    expect(checkHistory(historyOf([acknowledged]), survivors(0, 0), faultHappened).duplicateIds).toEqual([0])
  })

  test.each([
    ['1 there that certainly failed or were never attempted', [acknowledged, failed], survivors(0, 1)],
    ['1 there more than once', [acknowledged, failed], survivors(0, 0)],
    [
      '2 there that certainly failed or were never attempted, 1 there more than once',
      [acknowledged, failed],
      survivors(0, 1, 7, 7),
    ],
    ['1 there more than once, 1 of 2 acknowledged gone', [acknowledged, acknowledged], survivors(0, 0)],
    ['1 there that certainly failed or were never attempted', [failed], survivors(0)],
  ])('is inconsistent, whatever else it is: %s', (facts, outcomes, found) => {
    const { verdict, why } = checkHistory(historyOf(outcomes), found, faultHappened)
    expect({ verdict, why }).toEqual({
      verdict: 'inconsistent',
      why: `writes that contradict their history: ${facts}`,
    })
  })

  test.each([
    ['the survivors could not be read', [acknowledged], undefined, true],
    ['no write was acknowledged', [indeterminate, failed], survivors(), true],
    ['no fault happened', [acknowledged], survivors(0), false],
  ] as const)('is not durable for want of evidence: %s', (why, outcomes, found, happened) => {
    const findings = checkHistory(historyOf(outcomes), found, { faultHappened: happened })
    expect(findings.verdict).toBe('unknown')
    expect(findings.why).toContain(why)
  })

  test('agrees with a naive oracle on any history and any survivors', () => {
    const outcome = fc.constantFrom(acknowledged, failed, indeterminate)
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 40 }), fc.array(fc.nat(50)), (outcomes, ids) => {
        const findings = checkHistory(historyOf(outcomes), survivors(...ids), faultHappened)
        const is =
          (kind: Outcome['kind']) =>
          (id: number): boolean =>
            outcomes[id]?.kind === kind
        const all = outcomes.map((_, id) => id)
        const distinct = [...new Set(ids)].sort((a, b) => a - b)
        expect(findings.lostIds).toEqual(all.filter(is('acknowledged')).filter(id => !ids.includes(id)))
        expect(findings.recoveredIds).toEqual(all.filter(is('indeterminate')).filter(id => ids.includes(id)))
        expect(findings.unexpectedIds).toEqual(distinct.filter(id => id >= outcomes.length || is('failed')(id)))
        expect(findings.duplicateIds).toEqual(distinct.filter(id => ids.indexOf(id) !== ids.lastIndexOf(id)))
        expect(findings.acknowledged + findings.failed + findings.indeterminate).toBe(outcomes.length)
        const lost = findings.lostIds.length > 0
        const isStrange = findings.unexpectedIds.length + findings.duplicateIds.length > 0
        const whole = findings.acknowledged === 0 ? 'unknown' : lost ? 'lost-writes' : 'durable'
        expect(findings.verdict).toBe(isStrange ? 'inconsistent' : whole)
      }),
    )
  })
})
