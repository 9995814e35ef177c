import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Lsn } from '../../../src/postgres/lsn.ts'
import type { Position } from '../../../src/router/lineage.ts'
import { formatToken, parseToken } from '../../../src/router/token.ts'

const lsn = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(value => value as Lsn)
const unsigned = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String)

const position: fc.Arbitrary<Position> = fc.record({
  system: unsigned,
  started: fc.bigInt({ min: 0n, max: 2n ** 60n }).map(String),
  timeline: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
  begin: fc.option(lsn, { nil: undefined }),
  from: lsn,
  lsn: fc.option(lsn, { nil: undefined }),
  isFlushed: fc.boolean(),
})

test('a token says what it was made of', () => {
  fc.assert(
    fc.property(position, given => {
      expect(parseToken(formatToken(given))).toEqual(given)
    }),
  )
})

test('fits into a header, a cookie and a URL', () => {
  fc.assert(
    fc.property(position, given => {
      expect(formatToken(given)).toMatch(/^[A-Za-z0-9.-]{1,120}$/)
    }),
  )
})

test.each([
  '',
  'v1',
  'v2.1.1.1.0.0.0.f',
  'v1.7.1.1.-.-.5.f',
  'v1.7.1.1.0.0.5.f\n',
  'v1.7.1.1.0.0.zzzzzzzzzzzzzz.f',
  '0/3000148',
])('refuses %j', text => {
  expect(() => parseToken(text)).toThrow(expect.objectContaining({ code: 'FOREIGN_TOKEN' }))
})

test('never throws anything else, whatever comes in a cookie', () => {
  fc.assert(
    fc.property(fc.string(), text => {
      try {
        parseToken(text)
      } catch (error) {
        expect(error).toMatchObject({ code: 'FOREIGN_TOKEN' })
      }
    }),
  )
})
