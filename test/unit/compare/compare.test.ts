/**
 * What is compared, what the timers say of it, and what is made of a trial: all without a server.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareCell, compareTrial, phaseNames, type CompareTrial } from '../../../src/compare/document.ts'
import { cellsOf, compareWays, roundsOf } from '../../../src/compare/plan.ts'
import { predict } from '../../../src/compare/prediction.ts'
import type { History } from '../../../src/history/history.ts'
import type { Measured } from '../../../src/measure/measured.ts'
import { stackEvents } from '../../../src/stack/events.ts'
import { parseLockChanges } from '../../../src/stack/lock-watch.ts'
import { STACK_TIMERS, stackSettings } from '../../../src/stack/settings.ts'

describe('what is compared', () => {
  test('is all of it without a word, the lab first, and the patient client where something freezes', () => {
    const rounds = roundsOf([])
    expect(rounds.map(({ event, setting }) => `${setting} ${event}`)).toEqual([
      ...['none killed', 'none postmaster', 'none stop', 'none freeze', 'none isolated', 'none switchover'],
      ...stackSettings.flatMap(setting => stackEvents.map(event => `${setting} ${event}`)),
    ])
    expect(rounds.filter(({ ways }) => ways.includes('patient')).map(({ event }) => event)).toEqual([
      'freeze',
      'freeze',
    ])
  })

  test('is limited by the words of each kind', () => {
    expect(cellsOf(roundsOf(['router', 'lab', 'stop', 'tuned']))).toEqual([
      { way: 'lab', event: 'stop', setting: 'none' },
      { way: 'router', event: 'stop', setting: 'tuned' },
    ])
    expect(roundsOf(['lab', 'etcd'])).toEqual([])
  })
})

describe('what the timers say', () => {
  const options = { lastsMs: 40_000, afterTakeoverMs: 5_000 }

  test('of a node that is killed is the formula of Patroni', () => {
    const { minMs, maxMs, formula } = predict('killed', { ...options, timers: STACK_TIMERS.default, way: 'pgbouncer' })
    expect(minMs).toBe(20_000)
    expect(formula).toBe(
      'ttl 30 s + loop_wait 10 s + promotion 3 s + fall × inter 9 s + rise × inter 6 s + server_login_retry 15 s + client 1 s',
    )
    expect(maxMs).toBe(74_000)
  })

  test('has no ttl in it where the lock is given back', () => {
    const { minMs, formula } = predict('stop', { ...options, timers: STACK_TIMERS.default, way: 'hosts' })
    expect(minMs).toBe(0)
    expect(formula).not.toContain('ttl')
  })

  const managed = compareWays.filter(way => way !== 'lab')
  test.each(stackEvents)('of %s is a range, longer by what stands in the way, and shorter when tuned', event => {
    const of = (setting: (typeof stackSettings)[number], way: (typeof managed)[number]): number[] => {
      const { minMs, maxMs } = predict(event, { ...options, timers: STACK_TIMERS[setting], way })
      return [minMs, maxMs ?? Infinity]
    }
    for (const setting of stackSettings)
      for (const way of managed) expect(of(setting, way)[0]).toBeLessThan(of(setting, way)[1] ?? 0)
    if (event === 'spike') return
    const longest = (way: (typeof managed)[number]): number => of('default', way)[1] ?? 0
    expect(longest('hosts')).toBeLessThan(longest('haproxy'))
    expect(longest('haproxy')).toBeLessThan(longest('pgbouncer'))
    expect(of('tuned', 'pgbouncer')[1]).toBeLessThan(longest('pgbouncer'))
  })
})

const OLD = '10.0.0.1:5432 1 1000'
const NEW = '10.0.0.2:5432 2 2000'

/** Acknowledgements at these instants, by these servers. */
const historyOf = (acknowledged: readonly (readonly [number, string])[]): History => ({
  run: 'run',
  writes: acknowledged.map(([at, server], id) => ({
    ...{ id, server, dueAt: at, sentAt: at - 1, settledAt: at, outcome: { kind: 'acknowledged' as const } },
  })),
  connectionErrors: [],
  startedAt: 0,
  stoppedAt: Math.max(...acknowledged.map(([at]) => at)) + 1,
})

const measuredOf = (history: History, { promotedAt, ledAt }: { promotedAt: number; ledAt: number }): Measured => ({
  history,
  milestones: { faultAt: 100, detectedAt: 100, fencedAt: 101, promotedAt, ledAt },
  record: {
    ...({ change: 'failover', outageMs: 1, survivorsRead: true, errors: {}, hungConnections: 0 } as Measured['record']),
    writes: { attempted: 0, acknowledged: 0, failed: 0, indeterminate: 0, lost: 0 } as Measured['record']['writes'],
    servers: {
      before: { address: '10.0.0.1:5432', timeline: 1, startedAt: 1000 },
      after: { address: '10.0.0.2:5432', timeline: 2, startedAt: 2000 },
    },
  },
})

const CELL = { way: 'haproxy', event: 'killed', setting: 'tuned', trial: 1 } as const

describe('a trial', () => {
  test('has phases that add up to the time in which nothing was acknowledged, whatever was seen when', () => {
    const instant = fc.integer({ min: 50, max: 3_000 })
    fc.assert(
      fc.property(instant, instant, instant, instant, (freeAt, takenAt, promotedAt, ledAt) => {
        const measured = measuredOf(
          historyOf([
            ...[1, 50, 99].map((at): [number, string] => [at, OLD]),
            ...[2_000, 2_010].map((at): [number, string] => [at, NEW]),
          ]),
          { promotedAt, ledAt },
        )
        const { phases, silenceMs } = compareTrial(CELL, measured, {
          decided: { freeAt, takenAt },
          predicted: undefined,
        })
        const parts = phaseNames.map(name => phases?.[name] ?? NaN)
        expect(Math.min(...parts)).toBeGreaterThanOrEqual(0)
        expect(parts.reduce((sum, ms) => sum + ms, 0)).toBeCloseTo(1_901)
        expect(silenceMs).toBe(1_901)
      }),
    )
  })

  test('cuts at the lock, the promotion and the address', () => {
    const measured = measuredOf(
      historyOf([
        [99, OLD],
        [2_000, NEW],
      ]),
      { promotedAt: 1_200, ledAt: 1_700 },
    )
    const { phases } = compareTrial(CELL, measured, { decided: { freeAt: 900, takenAt: 1_000 }, predicted: undefined })
    expect(phases).toEqual({ detectMs: 801, electMs: 100, promoteMs: 200, routeMs: 500, clientMs: 300 })
  })

  test('counts what a primary that woke up has acknowledged, and then does not cut the time', () => {
    const woken = historyOf([
      [99, OLD],
      [1_500, NEW],
      [1_600, OLD],
      [1_610, OLD],
      [1_700, NEW],
    ])
    const { byOldPrimary, silenceMs } = compareTrial(CELL, measuredOf(woken, { promotedAt: 1_200, ledAt: Infinity }), {
      ...{ decided: { freeAt: 900, takenAt: 1_000 }, predicted: undefined },
    })
    expect(byOldPrimary).toBe(2)
    expect(silenceMs).toBe(1_401)
  })

  test.each([
    ['too long', 1_000, false],
    ['as long as it may be', 1_901, true],
  ])('is inside what is predicted or not: %s', (_, maxMs, expected) => {
    const measured = measuredOf(
      historyOf([
        [99, OLD],
        [2_000, NEW],
      ]),
      { promotedAt: 1_200, ledAt: 1_700 },
    )
    const predicted = { minMs: 0, maxMs, change: ['failover'], formula: '' } as const
    expect(compareTrial(CELL, measured, { decided: undefined, predicted }).isInside).toBe(expected)
    const restart = { ...predicted, change: ['restart'] } as const
    expect(compareTrial(CELL, measured, { decided: undefined, predicted: restart }).isInside).toBe(false)
  })
})

test('a cell sums up its own trials alone, and nothing is no cell', () => {
  const base = compareTrial(
    CELL,
    measuredOf(
      historyOf([
        [99, OLD],
        [2_000, NEW],
      ]),
      { promotedAt: 1_200, ledAt: 1_700 },
    ),
    {
      ...{ decided: { freeAt: 900, takenAt: 1_000 }, predicted: undefined },
    },
  )
  const trials: CompareTrial[] = [
    { ...base, isInside: true, errors: { ECONNRESET: 2 } },
    {
      ...base,
      trial: 2,
      silenceMs: null,
      isInside: false,
      survivorsRead: false,
      errors: { ECONNRESET: 1, '57P01': 1 },
    },
    { ...base, way: 'hosts' },
  ]
  expect(compareCell(CELL, trials, undefined)).toMatchObject({
    ...{
      n: 2,
      inside: 1,
      goesOn: 1,
      unread: 1,
      lost: { n: 1 },
      silenceMs: { n: 1, median: 1_901 },
      errors: { ECONNRESET: 3, '57P01': 1 },
    },
  })
  expect(compareCell({ ...CELL, event: 'stop' }, trials, undefined)).toBeUndefined()
})

describe("the leader's lock, as etcd tells of it", () => {
  const value = Buffer.from('replica1').toString('base64')

  test('is taken by a PUT, and free by a DELETE', () => {
    expect(parseLockChanges(JSON.stringify({ Header: {}, Events: [{ type: 1, kv: {} }, { kv: { value } }] }))).toEqual([
      undefined,
      'replica1',
    ])
  })

  test('says nothing in a line that is no answer', () => {
    expect(parseLockChanges('ready')).toEqual([])
    expect(parseLockChanges('{"Header":{},"Created":true}')).toEqual([])
  })
})
