import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { curveOf, lagAt, measureLag, visibleAfter, type Commit, type Position } from '../../../src/measure/lag.ts'
import type { Lsn } from '../../../src/postgres/lsn.ts'

const lsn = (value: number): Lsn => BigInt(value) as Lsn
const look = (at: number, position: number): Position => ({ askedAt: at - 1, at, lsn: lsn(position) })
const commit = (acknowledgedAt: number, end: number): Commit => ({
  dueAt: acknowledgedAt - 2,
  acknowledgedAt,
  lsn: lsn(end),
})

/** Two series that never fall: instants, and positions beside them. */
const series = fc
  .array(fc.tuple(fc.nat(10), fc.nat(5)), { maxLength: 25 })
  .map(steps => steps.map((_, last) => steps.slice(0, last + 1).reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0])))
const positions = series.map(all => all.map(([at, position]) => look(at, position)))
const commits = series.map(all => all.map(([at, end]) => commit(at, end)))
const instant = fc.nat(260)

describe('the lag at an instant', () => {
  const primary = [look(10, 100), look(20, 200), look(30, 300)]

  test('counts from when the primary was first seen past the position of the standby', () => {
    expect(lagAt(35, { primary, standby: [look(5, 90), look(25, 150)] })).toEqual({
      bytes: 150,
      ms: 15,
      sampleAgeMs: 10,
    })
  })

  test('is nothing for a standby that is level or ahead', () => {
    expect(lagAt(35, { primary, standby: [look(34, 300)] })).toEqual({ bytes: 0, ms: 0, sampleAgeMs: 5 })
    expect(lagAt(35, { primary, standby: [look(34, 999)] })).toEqual({ bytes: 0, ms: 0, sampleAgeMs: 5 })
  })

  test('is unknown before both have been looked at', () => {
    expect(lagAt(35, { primary, standby: [] })).toBeUndefined()
    expect(lagAt(35, { primary: [], standby: [look(1, 1)] })).toBeUndefined()
    expect(lagAt(9, { primary, standby: [look(5, 90)] })).toBeUndefined()
  })

  test('heeds no look after the instant', () => {
    const until = (all: readonly Position[], end: number): Position[] => all.filter(({ at }) => at <= end)
    fc.assert(
      fc.property(positions, positions, instant, (first, second, end) => {
        const cut = { primary: until(first, end), standby: until(second, end) }
        expect(lagAt(end, { primary: first, standby: second })).toEqual(lagAt(end, cut))
      }),
    )
  })

  test('agrees with a naive oracle', () => {
    fc.assert(
      fc.property(positions, positions, instant, (first, second, end) => {
        const seen = [first, second].map(all => all.filter(({ at }) => at <= end))
        const [ahead, behind] = seen.map(all => all[all.length - 1])
        const lag = lagAt(end, { primary: first, standby: second })
        expect(lag === undefined).toBe(ahead === undefined || behind === undefined)
        if (ahead === undefined || behind === undefined) return
        const past = first.filter(position => position.lsn > behind.lsn && position.at <= end).map(({ at }) => at)
        expect(lag).toEqual({
          bytes: Math.max(0, Number(ahead.lsn) - Number(behind.lsn)),
          ms: past.length === 0 ? 0 : end - Math.min(...past),
          sampleAgeMs: Math.max(end - ahead.at, end - behind.at),
        })
      }),
    )
  })
})

describe('the time until a commit is visible', () => {
  test('is that until the first look which saw it, 0 when that came before the acknowledgement', () => {
    expect(visibleAfter([commit(10, 100), commit(20, 200)], [look(5, 100), look(23, 150), look(27, 220)])).toEqual([
      0, 7,
    ])
  })

  test('is unknown for what no look saw', () => {
    expect(visibleAfter([commit(10, 100), commit(20, 200)], [look(15, 100), look(99, 199)])).toEqual([5, undefined])
    expect(visibleAfter([commit(10, 100)], [])).toEqual([undefined])
    expect(visibleAfter([], [look(1, 1)])).toEqual([])
  })

  test('agrees with an oracle that looks at every position for every commit', () => {
    fc.assert(
      fc.property(commits, positions, (all, looks) => {
        const naive = all.map(one => {
          const seen = looks.filter(({ lsn: replayed }) => replayed >= one.lsn).map(({ at }) => at)
          return seen.length === 0 ? undefined : Math.max(0, Math.min(...seen) - one.acknowledgedAt)
        })
        expect(visibleAfter(all, looks)).toEqual(naive)
      }),
    )
  })

  test('is never too early, and at most one look too late, for a standby whose truth is known', () => {
    const waits = fc.array(fc.tuple(fc.nat(8), fc.nat(4), fc.nat(4)), { maxLength: 25 })
    fc.assert(
      fc.property(commits, series, waits, (all, replay, schedule) => {
        const replayedBy = (at: number): number => replay.filter(([when]) => when <= at).at(-1)?.[1] ?? 0
        let now = 0
        const looks = schedule.map(([pause, there, back]): Position => {
          const askedAt = now + pause
          now = askedAt + there + back
          return { askedAt, at: now, lsn: lsn(replayedBy(askedAt + there)) }
        })
        for (const [at, ms] of visibleAfter(all, looks).entries()) {
          const { acknowledgedAt, lsn: end } = all[at]!
          const happenedAt = end === 0n ? 0 : replay.find(([, position]) => BigInt(position) >= end)?.[0]
          const sure = looks.find(({ askedAt }) => happenedAt !== undefined && askedAt >= happenedAt)
          if (ms !== undefined) expect(acknowledgedAt + ms).toBeGreaterThanOrEqual(happenedAt ?? Infinity)
          if (sure !== undefined) expect(ms).toBeLessThanOrEqual(Math.max(0, sure.at - acknowledgedAt))
        }
      }),
    )
  })
})

describe('the curve of bytes behind', () => {
  test('begins with the first acknowledged commit, and each look has a point', () => {
    const looks = [look(5, 0), look(10, 40), look(15, 90), look(30, 200)]
    expect(curveOf([commit(10, 100), commit(20, 200)], looks)).toEqual([
      { at: 10, bytes: 60 },
      { at: 15, bytes: 10 },
      { at: 30, bytes: 0 },
    ])
  })

  test('agrees with an oracle that looks at every commit for every position', () => {
    fc.assert(
      fc.property(commits, positions, (all, looks) => {
        const naive = looks.flatMap(({ at, lsn: replayed }) => {
          const last = all.filter(({ acknowledgedAt }) => acknowledgedAt <= at).at(-1)
          return last === undefined ? [] : [{ at, bytes: Math.max(0, Number(last.lsn) - Number(replayed)) }]
        })
        expect(curveOf(all, looks)).toEqual(naive)
      }),
    )
  })
})

describe('the lag of a standby during a run of commits', () => {
  const run = [commit(10, 100), commit(20, 200), commit(30, 300)]

  test('of nothing has no figures, rather than zeros that look like some', () => {
    const nothing = { visibleMs: null, drainMs: null, resolutionMs: null, neverSeen: 0, bytesAtEnd: null }
    expect(measureLag([], [])).toMatchObject({ ...nothing, replayedAtEnd: null, maxBytes: 0, curve: [] })
    expect(measureLag([], [look(1, 10), look(3, 20)])).toMatchObject({ ...nothing, resolutionMs: { n: 1, max: 2 } })
  })

  test('of a standby that follows is small, and drained with the look that saw the last commit', () => {
    const lag = measureLag(run, [look(5, 0), look(14, 100), look(24, 200), look(36, 300)])
    expect(lag).toMatchObject({ neverSeen: 0, replayedAtEnd: 3, bytesAtEnd: 0, drainMs: 6 })
    expect(lag.visibleMs).toMatchObject({ n: 3, min: 4, p50: 4, max: 6 })
    expect(lag.resolutionMs).toMatchObject({ n: 3, min: 9, max: 12 })
  })

  test('of a standby that never catches up is unknown for what it has not, and never drained', () => {
    const lag = measureLag(run, [look(15, 100), look(25, 100), look(90, 150)])
    expect(lag).toMatchObject({ neverSeen: 2, replayedAtEnd: 1, bytesAtEnd: 150, maxBytes: 150, drainMs: null })
    expect(lag.visibleMs).toMatchObject({ n: 1, max: 5 })
  })

  test('of a standby that was not looked at after the last acknowledgement says nothing of how it was then', () => {
    const lag = measureLag([commit(10, 5_000_000)], [look(9, 4_000_000)])
    expect(lag).toMatchObject({ replayedAtEnd: null, bytesAtEnd: null, maxBytes: 0 })
  })

  test('of a standby that is ahead of the acknowledgements is 0', () => {
    const lag = measureLag(run, [look(9, 100), look(19, 200), look(29, 300), look(40, 400)])
    expect(lag).toMatchObject({ neverSeen: 0, replayedAtEnd: 3, bytesAtEnd: 0, maxBytes: 0, drainMs: 0 })
    expect(lag.visibleMs).toMatchObject({ n: 3, min: 0, max: 0 })
  })

  test('accounts for every commit, and agrees with its own curve', () => {
    fc.assert(
      fc.property(commits, positions, (all, looks) => {
        const lag = measureLag(all, looks)
        expect(lag.neverSeen + (lag.visibleMs?.n ?? 0)).toBe(all.length)
        expect(lag.replayedAtEnd ?? 0).toBeLessThanOrEqual(all.length - lag.neverSeen)
        expect(lag.bytesAtEnd ?? 0).toBeLessThanOrEqual(lag.maxBytes)
        expect(lag.maxBytes).toBe(Math.max(0, ...lag.curve.map(({ bytes }) => bytes)))
        expect(lag.drainMs).toBe(visibleAfter(all, looks).at(-1) ?? null)
        if (lag.neverSeen > 0) expect(lag.drainMs).toBeNull()
      }),
    )
  })
})
