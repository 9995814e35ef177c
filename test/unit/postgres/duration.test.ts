import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDuration, parseDuration } from '../../../src/postgres/duration.ts'

test.each([
  ['30s', 30_000],
  ['30', 30],
  ['1.5 h', 5_400_000],
  ['5min', 300_000],
  ['1d', 86_400_000],
  ['1500us', 2],
  ['0', 0],
])('%s is %i ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(['', 's', '30 parsecs', '-1s', '1e3', '30 S', '25d'])('%j is none', text => {
  expect(parseDuration(text)).toBeUndefined()
})

test.each([
  [0, '0'],
  [90_000, '90s'],
  [300_000, '5min'],
  [1500, '1500ms'],
  [86_400_000, '1d'],
])('%i ms are written as SHOW does: %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})

test('what is written is read as the same', () => {
  fc.assert(
    fc.property(fc.nat(2_147_483_647), ms => {
      expect(parseDuration(formatDuration(ms))).toBe(ms)
    }),
  )
})
