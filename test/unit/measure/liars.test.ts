import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AGREEMENT, judge, judgeLooks, type Look } from '../../../src/measure/liars.ts'

describe('a claim about lag', () => {
  test.each([
    ['is true within a factor of two', 1000, 1900, 100, 'true'],
    ['is true at exactly half', 500, 1000, 100, 'true'],
    ['is true at exactly twice', 2000, 1000, 100, 'true'],
    ['is too low below half', 499, 1000, 100, 'low'],
    ['is too low at nothing where there is much', 0, 5000, 100, 'low'],
    ['is too high above twice', 2001, 1000, 100, 'high'],
    ['is too high where there is nothing', 101, 0, 100, 'high'],
    ['is true as near as the tolerance, whatever the factor', 100, 0, 100, 'true'],
    ['is true as near as the tolerance, also from below', 10, 110, 100, 'true'],
    ['is silent where it says nothing of much', null, 101, 100, 'silent'],
    ['is true where it says nothing of nothing', null, 100, 100, 'true'],
  ] as const)('%s: says %s, truth %s', (_, says, truth, tolerance, judgement) => {
    expect(judge({ says, truth }, tolerance)).toBe(judgement)
  })

  const amount = fc.nat(100_000)

  test('that is the truth is true, whatever the tolerance', () => {
    fc.assert(fc.property(amount, amount, (truth, tolerance) => judge({ says: truth, truth }, tolerance) === 'true'))
  })

  test('is low only below the truth, high only above it, silent only without a word', () => {
    fc.assert(
      fc.property(fc.option(amount), amount, amount, (says, truth, tolerance) => {
        const judgement = judge({ says, truth }, tolerance)
        expect(judgement === 'silent').toBe(says === null && truth > tolerance)
        if (says === null) return
        const isFar = Math.abs(says - truth) > tolerance
        expect(judgement === 'low').toBe(isFar && says * 2 < truth)
        expect(judgement === 'high').toBe(isFar && says > truth * 2)
      }),
    )
  })

  test('that is true stays true with more tolerance', () => {
    fc.assert(
      fc.property(fc.option(amount), amount, amount, amount, (says, truth, tolerance, more) => {
        fc.pre(judge({ says, truth }, tolerance) === 'true')
        expect(judge({ says, truth }, tolerance + more)).toBe('true')
      }),
    )
  })
})

describe('a verdict on many looks', () => {
  const exactly = (says: number | null, truth: number): Look => ({ says, truth: { least: truth, most: truth } })
  const many = (n: number, look: Look): Look[] => Array.from({ length: n }, () => look)

  test.each([
    ['what all say', many(10, exactly(1, 500)), { judgement: 'low', n: 10, agreeing: 10, says: 1, truth: 500 }],
    ['what nine of ten say', [...many(9, exactly(1, 500)), exactly(500, 500)], { judgement: 'low', agreeing: 9 }],
    [
      'unclear when they do not agree',
      [...many(8, exactly(1, 500)), ...many(2, exactly(500, 500))],
      { judgement: 'unclear', agreeing: 8 },
    ],
    ['unclear when they are too few', many(9, exactly(1, 500)), { judgement: 'unclear', n: 9 }],
    ['unclear without any', [], { judgement: 'unclear', n: 0, agreeing: 0, says: null }],
    [
      'unclear while the truth moved too much',
      many(20, { says: 200, truth: { least: 0, most: 500 } }),
      { judgement: 'unclear', agreeing: 0 },
    ],
    ['silent where nothing is said of much', many(10, exactly(null, 500)), { judgement: 'silent', says: null }],
  ])('is %s', (_, looks, expected) => {
    expect(judgeLooks(looks, 10)).toMatchObject(expected)
  })

  const look = fc
    .record({ says: fc.option(fc.nat(1000)), least: fc.nat(1000), more: fc.nat(100) })
    .map(({ says, least, more }): Look => ({ says, truth: { least, most: least + more } }))

  test('never depends on the order of the looks, and needs nearly all of them', () => {
    fc.assert(
      fc.property(fc.array(look, { maxLength: 40 }), fc.nat(200), (looks, tolerance) => {
        const verdict = judgeLooks(looks, tolerance)
        expect(judgeLooks([...looks].reverse(), tolerance)).toEqual(verdict)
        expect(verdict).toMatchObject({ n: looks.length, tolerance })
        if (verdict.judgement !== 'unclear')
          expect(verdict.agreeing).toBeGreaterThanOrEqual(Math.max(AGREEMENT.looks, looks.length) * AGREEMENT.share)
      }),
    )
  })
})
