import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Lsn } from '../../../src/postgres/lsn.ts'
import {
  beginOf,
  find,
  firstLineage,
  isPartOf,
  promoted,
  type Lineage,
  type Place,
  type Position,
} from '../../../src/router/lineage.ts'

const lsn = (value: number): Lsn => BigInt(value) as Lsn

const place = (lineage: Lineage, at: number, started = '1'): Place => ({
  ...{ system: '7', started, lineage, lsn: lsn(at) },
})

const position = (over: Partial<Position> = {}): Position => ({
  ...{ system: '7', started: '9', timeline: 1, begin: lsn(0), from: lsn(90), lsn: lsn(100), isFlushed: true },
  ...over,
})

const second = promoted(firstLineage, { timeline: 2, forkLsn: lsn(95) })

describe('find', () => {
  test('there, or not yet, on one timeline', () => {
    expect(find(position(), place(firstLineage, 100))).toBe('there')
    expect(find(position(), place(firstLineage, 99))).toBe('not yet')
  })

  test('there before a fork, lost past it, and unknown where the fork lies between what is known of the write', () => {
    const after = (forkLsn: number) => place(promoted(firstLineage, { timeline: 2, forkLsn: lsn(forkLsn) }), 500)
    expect(find(position(), after(100))).toBe('there')
    expect(find(position(), after(90))).toBe('lost')
    expect(find(position(), after(95))).toBe('unknown')
  })

  test('two promotions chose one number: where it began tells them apart', () => {
    const written = position({ timeline: 2, begin: lsn(80), from: lsn(100), lsn: lsn(110) })
    expect(find(written, place(second, 500))).toBe('lost')
    expect(find({ ...written, begin: lsn(95) }, place(second, 500))).toBe('there')
  })

  test('a timeline with a higher number is in nobody’s past', () => {
    expect(find(position({ timeline: 3 }), place(second, 500))).toBe('lost')
  })

  test('says unknown where the history is not known', () => {
    const unseen = promoted({ timeline: 4, ended: [], isComplete: false }, { timeline: 5, forkLsn: lsn(95) })
    expect(find(position(), place(unseen, 500))).toBe('unknown')
    expect(find(position({ timeline: 5, begin: undefined }), place(unseen, 500))).toBe('unknown')
    expect(beginOf(unseen)).toBe(95n)
  })

  test('the run of the server that took the write has it, whatever else is known', () => {
    const bare = position({ lsn: undefined, begin: undefined, isFlushed: false })
    expect(find(bare, place(firstLineage, 5, '9'))).toBe('there')
    expect(find(bare, place(firstLineage, 500))).toBe('unknown')
  })

  test('a write that was not on disk may be gone after a crash, on one and the same timeline', () => {
    expect(find(position({ isFlushed: false }), place(firstLineage, 500))).toBe('unknown')
  })

  test('another cluster is another cluster', () => {
    expect(find(position({ system: '8' }), place(firstLineage, 500))).toBe('foreign')
  })
})

describe('isPartOf', () => {
  test('a standby past the fork has what the primary has not', () => {
    expect(isPartOf({ timeline: 1, lsn: lsn(95) }, second)).toBe(true)
    expect(isPartOf({ timeline: 1, lsn: lsn(96) }, second)).toBe(false)
    expect(isPartOf({ timeline: 3, lsn: lsn(10) }, second)).toBe(false)
  })
})

/** A server's history as it happened: each timeline is a thing of its own, whatever its number. */
interface Era {
  readonly number: number
  readonly begin: number
  readonly parent: Era | undefined
}

const ROOT: Era = { number: 1, begin: 0, parent: undefined }

/** Promotions, each of some server that is known by then, further on than where its timeline began. */
const eras = fc
  .array(fc.record({ of: fc.nat(), after: fc.integer({ min: 1, max: 30 }), skip: fc.integer({ min: 1, max: 2 }) }), {
    maxLength: 6,
  })
  .map(promotions => {
    const all: Era[] = [ROOT]
    for (const { of, after, skip } of promotions) {
      const parent = all[of % all.length]!
      const era = { number: parent.number + skip, begin: parent.begin + after, parent }
      // Promoted at the very same byte, to the same number: nothing that a server says tells these apart.
      if (!all.some(({ number, begin }) => number === era.number && begin === era.begin)) all.push(era)
    }
    return all
  })

const pathTo = (era: Era | undefined): Era[] => (era === undefined ? [] : [...pathTo(era.parent), era])

const lineageOf = (era: Era): Lineage => {
  const path = pathTo(era)
  const ended = path.slice(0, -1).map(({ number }, at) => ({ timeline: number, forkLsn: lsn(path[at + 1]!.begin) }))
  return { timeline: era.number, ended, isComplete: true }
}

test('find is right whatever was promoted, and says unknown only where the fork lies within what is known of the write', () => {
  const scene = fc.record({
    all: eras,
    written: fc.nat(),
    asked: fc.nat(),
    commit: fc.integer({ min: 1, max: 40 }),
    before: fc.integer({ min: 0, max: 5 }),
    behind: fc.integer({ min: 0, max: 5 }),
    reach: fc.integer({ min: 0, max: 200 }),
  })
  fc.assert(
    fc.property(scene, ({ all, written, asked, commit, before, behind, reach }) => {
      const home = all[written % all.length]!
      const server = all[asked % all.length]!
      const end = home.begin + commit
      const from = Math.max(home.begin, end - 1 - before)
      const write = position({
        ...{ timeline: home.number, begin: lsn(home.begin), from: lsn(from), lsn: lsn(end + behind) },
      })
      const path = pathTo(server)
      const at = path.indexOf(home)
      const left = path[at + 1]?.begin ?? Infinity
      const isInHistory = at !== -1 && end <= left
      const found = find(write, place(lineageOf(server), server.begin + reach))
      if (found === 'there' || found === 'not yet') expect(isInHistory).toBe(true)
      if (found === 'lost') expect(isInHistory).toBe(false)
      if (found === 'unknown') expect(from < left && left < end + behind).toBe(true)
      if (found === 'there') expect(server.begin + reach).toBeGreaterThanOrEqual(end)
    }),
    { numRuns: 2_000 },
  )
})
