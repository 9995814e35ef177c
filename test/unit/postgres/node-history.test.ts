import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseLsn, type Lsn } from '../../../src/postgres/lsn.ts'
import {
  compareHistories,
  hasPast,
  isRewindable,
  lastCommonPoint,
  nodeHistory,
  timelineOf,
  type NodeHistory,
} from '../../../src/postgres/node-history.ts'
import { parseTimelineHistory } from '../../../src/postgres/timeline-history.ts'

/** `2 0/30 ← 1 0/20` as a list: a timeline and where it was left, the last and where it ends. */
const at = (...stretches: readonly (readonly [timeline: number, lsn: string])[]): NodeHistory => {
  const [timeline, end] = stretches.at(-1)!
  const switches = stretches.slice(0, -1).map(([of, lsn]) => ({ timeline: of, forkLsn: parseLsn(lsn) }))
  return nodeHistory({ systemIdentifier: '7', timeline, switches, endLsn: parseLsn(end) })
}

const point = (timeline: number, lsn: string): unknown => ({ timeline, lsn: parseLsn(lsn) })

describe('the last common point of two histories', () => {
  test.each([
    ['of one timeline is the end of the shorter', at([1, '0/30']), at([1, '0/50']), point(1, '0/30')],
    ['is where the newer one left the older', at([1, '0/30']), at([1, '0/20'], [2, '0/50']), point(1, '0/20')],
    ['is the end of one that did not get so far', at([1, '0/10']), at([1, '0/20'], [2, '0/50']), point(1, '0/10')],
    [
      'is on a timeline that both have',
      at([1, '0/9'], [2, '0/40']),
      at([1, '0/9'], [2, '0/20'], [3, '0/50']),
      point(2, '0/20'),
    ],
    [
      'is before two promotions that chose one number',
      at([1, '0/20'], [2, '0/40']),
      at([1, '0/30'], [2, '0/50']),
      point(1, '0/20'),
    ],
    [
      'is not on numbers that were chosen again later',
      at([1, '0/20'], [3, '0/40']),
      at([1, '0/20'], [2, '0/30'], [3, '0/50']),
      point(1, '0/20'),
    ],
  ])('%s', (_, a, b, expected) => {
    expect(lastCommonPoint(a, b)).toEqual(expected)
    expect(lastCommonPoint(b, a)).toEqual(expected)
  })

  test('of two clusters is none', () => {
    const a = at([1, '0/30'])
    expect(lastCommonPoint(a, { ...a, systemIdentifier: '8' })).toBeNull()
    expect(hasPast(a, { ...a, systemIdentifier: '8' })).toBe(true)
  })
})

describe('a node', () => {
  test('that was promoted beside a primary which went on has something past it, and the primary has too', () => {
    const [promoted, primary] = [at([1, '0/20'], [2, '0/40']), at([1, '0/60'])]
    expect([hasPast(promoted, primary), hasPast(primary, promoted)]).toEqual([true, true])
    expect(compareHistories(promoted, primary)).toBeGreaterThan(0)
    expect(isRewindable(promoted, primary)).toBe(true)
  })

  test('that ended where the other timeline begins has nothing past it', () => {
    expect(hasPast(at([1, '0/20']), at([1, '0/20'], [2, '0/40']))).toBe(false)
  })

  test('that has a history file, and nothing of that timeline yet, is at its beginning', () => {
    expect(at([1, '0/20'], [2, '0/10'])).toEqual(at([1, '0/20'], [2, '0/20']))
  })

  test('on a timeline of the same number with another beginning cannot be rewound', () => {
    expect(isRewindable(at([1, '0/20'], [2, '0/40']), at([1, '0/30'], [2, '0/50']))).toBe(false)
  })

  test('on a later timeline is read from the history file of that', () => {
    const switches = parseTimelineHistory('1\t0/401D800\treason\n2\t0/5000000\treason\n')
    const history = nodeHistory({ systemIdentifier: '7', timeline: 3, switches, endLsn: parseLsn('0/5000100') })
    expect(history).toEqual(at([1, '0/401D800'], [2, '0/5000000'], [3, '0/5000100']))
    expect(timelineOf(history)).toBe(3)
  })
})

/** Nodes of one cluster: each goes on from a place in the history of an earlier one, by a promotion or without. */
const family = fc
  .array(
    fc.record({
      parent: fc.nat(),
      back: fc.integer({ min: 0, max: 60 }),
      on: fc.integer({ min: 1, max: 60 }),
      number: fc.integer({ min: 1, max: 3 }),
    }),
    { maxLength: 6 },
  )
  .map(steps => {
    const all: NodeHistory[] = [at([1, '0/64'])]
    for (const { parent, back, on, number } of steps) {
      const from = all[parent % all.length]!
      const cut = from.endLsn > BigInt(back) ? ((from.endLsn - BigInt(back)) as Lsn) : (1n as Lsn)
      const [first, ...later] = from.timelines
      const kept = [first, ...later.filter(({ beginLsn }) => beginLsn < cut)] as const
      const begun = { timeline: kept.at(-1)!.timeline + number, beginLsn: cut }
      all.push({ systemIdentifier: '7', timelines: [...kept, begun], endLsn: (cut + BigInt(on)) as Lsn })
    }
    return all
  })

describe('any three nodes of one cluster', () => {
  const three = family.chain(all => fc.tuple(fc.constantFrom(...all), fc.constantFrom(...all), fc.constantFrom(...all)))

  test('have a common point which is the same from both sides, and past neither end', () => {
    fc.assert(
      fc.property(three, ([a, b]) => {
        const common = lastCommonPoint(a, b)
        expect(common).toEqual(lastCommonPoint(b, a))
        expect(common!.lsn <= a.endLsn && common!.lsn <= b.endLsn).toBe(true)
        for (const { timelines } of [a, b])
          expect(timelines.map(({ timeline }) => timeline)).toContain(common!.timeline)
      }),
    )
  })

  test('have an order: that of two does not depend on who is asked, nor that of three on where one begins', () => {
    fc.assert(
      fc.property(three, ([a, b, c]) => {
        expect(Math.sign(compareHistories(a, b))).toBe(-Math.sign(compareHistories(b, a)) + 0)
        if (compareHistories(a, b) <= 0 && compareHistories(b, c) <= 0)
          expect(compareHistories(a, c)).toBeLessThanOrEqual(0)
      }),
    )
  })

  test('are never less advanced than one that has nothing past them', () => {
    fc.assert(
      fc.property(three, ([a, b]) => {
        expect(hasPast(a, a)).toBe(false)
        if (!hasPast(a, b)) expect(compareHistories(a, b)).toBeLessThanOrEqual(0)
      }),
    )
  })
})
