import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  errorsByCode,
  hungConnections,
  latenciesOf,
  type History,
  type Outcome,
  type Write,
} from '../../../src/history/history.ts'

const acknowledged: Outcome = { kind: 'acknowledged' }
const failed = (code: string): Outcome => ({ kind: 'failed', code })
const indeterminate = (code: string): Outcome => ({ kind: 'indeterminate', code })

const historyOf = (writes: readonly Omit<Write, 'id' | 'sentAt'>[], ...codes: readonly string[]): History => ({
  run: 'r',
  writes: writes.map((write, id) => ({ id, sentAt: write.dueAt, ...write })),
  connectionErrors: codes.map((code, at) => ({ at, code })),
  startedAt: 0,
  stoppedAt: 1000,
})
const outcomes = (...all: readonly Outcome[]): Omit<Write, 'id' | 'sentAt'>[] =>
  all.map((outcome, at) => ({ dueAt: at, settledAt: at, outcome }))

test('connections that hung are those without an answer, with a write on them or before', () => {
  const writes = outcomes(acknowledged, indeterminate('ETIMEDOUT'), indeterminate('ECONNRESET'), failed('57P03'))
  expect(hungConnections(historyOf(writes, 'ECONNREFUSED', 'ETIMEDOUT', 'ETIMEDOUT'))).toBe(3)
  expect(hungConnections(historyOf(outcomes(acknowledged)))).toBe(0)
})

describe('the errors of a history', () => {
  test('are counted by code, of writes and of attempts to connect alike', () => {
    const writes = outcomes(acknowledged, failed('57P03'), indeterminate('ECONNRESET'), failed('57P03'))
    expect(errorsByCode(historyOf(writes, 'ECONNREFUSED', 'ECONNRESET', '57P03'))).toEqual({
      '57P03': 3,
      ECONNRESET: 2,
      ECONNREFUSED: 1,
    })
  })

  test('are none where everything was acknowledged', () => {
    expect(errorsByCode(historyOf(outcomes(acknowledged, acknowledged)))).toEqual({})
  })

  test('agree with a naive count', () => {
    const code = fc.constantFrom('57P01', '57P03', '08006', 'ECONNRESET', 'ECONNREFUSED')
    const outcome = fc.oneof(fc.constant(acknowledged), code.map(failed), code.map(indeterminate))
    fc.assert(
      fc.property(fc.array(outcome), fc.array(code), (all, codes) => {
        const met = [...all.flatMap(one => (one.kind === 'acknowledged' ? [] : [one.code])), ...codes]
        const naive = Object.fromEntries([...new Set(met)].map(one => [one, met.filter(other => other === one).length]))
        const counts = errorsByCode(historyOf(outcomes(...all), ...codes))
        expect(counts).toEqual(naive)
      }),
    )
  })
})

describe('the latencies of a history', () => {
  const history = historyOf([
    { dueAt: 0, settledAt: 5, outcome: acknowledged },
    { dueAt: 10, settledAt: 12, outcome: failed('25006') },
    { dueAt: 20, settledAt: 90, outcome: acknowledged },
    { dueAt: 30, settledAt: 95, outcome: indeterminate('57P01') },
    { dueAt: 40, settledAt: 41, outcome: acknowledged },
  ])

  test('are those of acknowledged writes, from when each was due', () => {
    expect(latenciesOf(history)).toEqual([5, 70, 1])
  })

  test('within a span are those that were settled in it, its edges included, whenever they were due', () => {
    expect(latenciesOf(history, { from: 20, to: 90 })).toEqual([70, 1])
    expect(latenciesOf(history, { from: 42 })).toEqual([70])
    expect(latenciesOf(history, { to: 89 })).toEqual([5, 1])
    expect(latenciesOf(history, { from: 100 })).toEqual([])
  })

  test('count from the due time, also of a write that was sent late', () => {
    const late = { ...history, writes: [{ id: 0, dueAt: 10, sentAt: 80, settledAt: 90, outcome: acknowledged }] }
    expect(latenciesOf(late)).toEqual([80])
  })

  test('of two spans beside each other are never more than those of both together', () => {
    const write = fc
      .record({ dueAt: fc.nat(100), takes: fc.nat(100), outcome: fc.constantFrom(acknowledged, failed('25006')) })
      .map(({ dueAt, takes, outcome }) => ({ dueAt, settledAt: dueAt + takes, outcome }))
    fc.assert(
      fc.property(fc.array(write), fc.nat(200), (writes, cut) => {
        const one = historyOf(writes)
        const count = (from: number, to: number): number => latenciesOf(one, { from, to }).length
        const naive = writes.filter(({ outcome, settledAt }) => outcome === acknowledged && settledAt <= cut)
        expect(latenciesOf(one, { to: cut })).toEqual(naive.map(({ dueAt, settledAt }) => settledAt - dueAt))
        expect(count(0, cut) + count(cut + 1, 200)).toBeLessThanOrEqual(count(0, 200))
      }),
    )
  })
})
