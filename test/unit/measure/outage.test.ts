import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { measureOutage, measurePhases } from '../../../src/measure/outage.ts'
import type { History, Outcome } from '../../../src/history/history.ts'

const historyOf = (settled: readonly (readonly [at: number, kind: Outcome['kind']])[]): History => ({
  run: 'r',
  writes: settled.map(([settledAt, kind], id) => ({
    id,
    dueAt: 0,
    sentAt: 0,
    settledAt,
    outcome: kind === 'acknowledged' ? { kind } : { kind, code: '57P01' },
  })),
  connectionErrors: [],
  startedAt: 0,
  stoppedAt: 1000,
})

describe('the outage', () => {
  test('is the gap between acknowledgements around the fence; errors do not end it', () => {
    const history = historyOf([
      [10, 'acknowledged'],
      [20, 'acknowledged'],
      [30, 'failed'],
      [60, 'indeterminate'],
      [90, 'acknowledged'],
      [95, 'acknowledged'],
    ])
    expect(measureOutage(history, { fencedAt: 50 })).toEqual({
      lastAcknowledgedAt: 20,
      firstAcknowledgedAt: 90,
      ms: 70,
      resolutionMs: 10 + 5,
    })
  })

  test('is known to within the longest gaps on its two sides, and to nobody knows what without two answers on one', () => {
    const settled = [1, 3, 40, 42, 90, 91, 120].map(at => [at, 'acknowledged'] as const)
    expect(measureOutage(historyOf(settled), { fencedAt: 50 })?.resolutionMs).toBe(37 + 29)
    expect(measureOutage(historyOf(settled.slice(0, 5)), { fencedAt: 50 })?.resolutionMs).toBeNull()
  })

  test('is unknown when nothing was acknowledged on one of its sides', () => {
    expect(measureOutage(historyOf([[10, 'acknowledged']]), { fencedAt: 50 })).toBeUndefined()
    expect(measureOutage(historyOf([[60, 'acknowledged']]), { fencedAt: 50 })).toBeUndefined()
    expect(measureOutage(historyOf([]), { fencedAt: 50 })).toBeUndefined()
  })
})

describe('the phases', () => {
  const at = fc.double({ min: 0, max: 1000, noNaN: true })

  test('add up to the outage and are never negative, wherever the milestones lie', () => {
    fc.assert(
      fc.property(at, at, fc.array(at, { minLength: 3, maxLength: 3 }), (a, b, milestones) => {
        const [detectedAt = 0, fencedAt = 0, promotedAt = 0] = milestones.sort((x, y) => x - y)
        const [lastAcknowledgedAt, firstAcknowledgedAt] = [Math.min(a, b), Math.max(a, b)]
        const ms = firstAcknowledgedAt - lastAcknowledgedAt
        const outage = { lastAcknowledgedAt, firstAcknowledgedAt }
        const phases = measurePhases(outage, { detectedAt, fencedAt, promotedAt })
        const parts = Object.values(phases) as number[]
        expect(parts.reduce((sum, part) => sum + part, 0)).toBeCloseTo(ms, 6)
        expect(Math.min(...parts)).toBeGreaterThanOrEqual(0)
      }),
    )
  })
})
