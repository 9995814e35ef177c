import { describe, expect, test } from 'vitest'
import type { Verdict } from '../../../src/history/check.ts'
import type { LoadOutcome } from '../../../src/measure/load.ts'
import { hasDuplicatedNothing, hasLost, hasLostNothing, hasRecoveredWithin } from '../../../src/testing/expectations.ts'

const WHY: Readonly<Record<Verdict, string>> = {
  durable: 'all 10 acknowledged writes are there',
  'lost-writes': '3 of 10 acknowledged writes are gone',
  inconsistent: 'writes that contradict their history: 2 there more than once',
  unknown: 'the survivors could not be read',
}
function anOutcome(verdict: Verdict, more: Partial<LoadOutcome> = {}): LoadOutcome {
  const lostIds = verdict === 'lost-writes' ? ['a', 'b', 'c'] : []
  return {
    ...{ verdict, why: WHY[verdict], lostIds, recoveredIds: [], unexpectedIds: [], duplicateIds: [] },
    writes: {
      ...{ attempted: 12, acknowledged: 10, failed: 1, indeterminate: 1, recovered: 0, unexpected: 0 },
      ...{ lost: lostIds.length, duplicates: verdict === 'inconsistent' ? 2 : 0 },
    },
    ...{ outageMs: 120, resolutionMs: 10, phases: null, latencyMs: null, errors: { '57P01': 1, ECONNRESET: 1 } },
    history: { run: 'r', writes: [], connectionErrors: [], startedAt: 0, stoppedAt: 1 },
    ...more,
  }
}

describe('what is expected', () => {
  test.each(['durable', 'lost-writes', 'inconsistent', 'unknown'] as const)(
    'holds only where it is known: %s',
    verdict => {
      const outcome = anOutcome(verdict)
      expect(hasLostNothing(outcome).pass).toBe(verdict === 'durable')
      expect(hasLost(outcome, 3).pass).toBe(verdict === 'lost-writes')
      expect(hasLost(outcome, 0).pass).toBe(verdict === 'durable' || verdict === 'inconsistent')
      expect(hasLost(outcome, () => true).pass).toBe(verdict !== 'unknown')
      expect(hasDuplicatedNothing(outcome).pass).toBe(verdict === 'durable' || verdict === 'lost-writes')
    },
  )

  test('of an outage holds only for one that has ended', () => {
    expect(hasRecoveredWithin(anOutcome('durable'), 120).pass).toBe(true)
    expect(hasRecoveredWithin(anOutcome('durable'), 119).pass).toBe(false)
    expect(hasRecoveredWithin(anOutcome('durable', { outageMs: null }), Infinity).pass).toBe(false)
  })
})

test('what is not so is told with the record, as the command prints it', () => {
  expect(
    hasLostNothing(anOutcome('lost-writes'))
      .message()
      .split('\n')
      .map(line => line.trim()),
  ).toEqual([
    '3 of 10 acknowledged writes are gone',
    '',
    'outage         120 ms, from the last acknowledged write to the next; to within 10.0 ms',
    'writes         attempted 12 · acknowledged 10 · failed 1 · indeterminate 1',
    'after it       lost 3 · recovered 0 · unexpected 0 · duplicates 0',
    'verdict        lost-writes: 3 of 10 acknowledged writes are gone',
    'lost           a, b, c',
    'errors         57P01 1 · ECONNRESET 1',
  ])
  expect(hasLost(anOutcome('unknown'), 0).message()).toMatch(/^it is not known how many are lost: the survivors/)
  expect(hasRecoveredWithin(anOutcome('durable'), 50).message()).toMatch(
    /^nothing was acknowledged for 120 ms, and the limit is 50.0 ms/,
  )
})
