import { describe, expect, test } from 'vitest'
import type { Lsn } from '../../../src/postgres/lsn.ts'
import { firstLineage, promoted } from '../../../src/router/lineage.ts'
import type { StandbyLook } from '../../../src/router/look.ts'
import { lagOf, unfitness, withMark, type Mark } from '../../../src/router/standbys.ts'

const lsn = (value: number): Lsn => BigInt(value) as Lsn

const standby = (replayed: number, over: Partial<StandbyLook> = {}): StandbyLook => ({
  ...{ role: 'standby', system: '7', started: '1', versionNumber: 170_000, askedAt: 1_000, seenAt: 1_001 },
  ...{ replayLsn: lsn(replayed), timeline: 1 },
  ...over,
})

const marks: readonly Mark[] = [
  { lsn: lsn(10), at: 100 },
  { lsn: lsn(20), at: 200 },
  { lsn: lsn(30), at: 900 },
]

const primary = { system: '7', lineage: firstLineage, marks }

describe('lagOf', () => {
  test('counts from when the primary was first seen past what is replayed', () => {
    expect(lagOf(standby(15), marks)).toEqual({ bytes: 15, ms: 800 })
    expect(lagOf(standby(25), marks)).toEqual({ bytes: 5, ms: 100 })
  })

  test('is nothing for a standby that has all, however long nobody wrote', () => {
    expect(lagOf(standby(30, { askedAt: 1e9 }), marks)).toEqual({ bytes: 0, ms: 0 })
  })

  test('grows for one that is cut off while the primary is written to', () => {
    expect(lagOf(standby(15, { askedAt: 60_200 }), marks).ms).toBe(60_000)
  })
})

describe('withMark', () => {
  test('adds where the primary is, unless it has not moved', () => {
    expect(withMark(marks, { lsn: lsn(30), at: 950 })).toBe(marks)
    expect(withMark(marks, { lsn: lsn(31), at: 950 })).toHaveLength(4)
  })

  test('begins anew where the primary is behind what was seen', () => {
    expect(withMark(marks, { lsn: lsn(5), at: 950 })).toEqual([{ lsn: lsn(5), at: 950 }])
  })
})

describe('unfitness', () => {
  test.each([
    ['fit', standby(30), {}, undefined],
    ['too many bytes', standby(15), { maxLagBytes: 14 }, 'it is 15 bytes behind'],
    ['just as many as it may', standby(15), { maxLagBytes: 15 }, undefined],
    ['too long', standby(15), { maxLagMs: 799 }, 'it has been behind for 800 ms'],
    ['ten seconds, where nothing is said', standby(15, { askedAt: 10_201 }), {}, 'it has been behind for 10001 ms'],
    ['another cluster', standby(30, { system: '8' }), {}, 'it is of another cluster'],
  ])('%s', (_name, look, limits, expected) => {
    expect(unfitness(look, primary, limits)).toBe(expected)
  })

  test('has what the primary has not', () => {
    const after = { ...primary, lineage: promoted(firstLineage, { timeline: 2, forkLsn: lsn(25) }) }
    expect(unfitness(standby(30), after, {})).toMatch('not in the history of the primary')
    expect(unfitness(standby(25), after, {})).toBeUndefined()
  })
})
