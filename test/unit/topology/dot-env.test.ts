import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseDotEnv } from '../../../src/topology/dot-env.ts'

describe('.env, as Compose reads it', () => {
  test.each([
    ['P=plain', 'plain'],
    ['export P = spaced # a comment', 'spaced'],
    ['P=a#b', 'a#b'],
    ["P='it\\'s $raw #1'", "it's $raw #1"],
    ['P="a\\\\b\\"c"', 'a\\b"c'],
    ['P="two\\nlines"', 'two\nlines'],
    ['P=', ''],
    ['# P=commented', undefined],
    ['A=1\nP=${A}2', '12'],
    ['P=${HOME}', '/home/me'],
  ])('%j', (text, expected) => {
    expect(parseDotEnv(text, { HOME: '/home/me' })['P']).toBe(expected)
  })

  test('takes any value between single quotes as it is, but for the quote itself', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[^'\\\r\n]*$/), value => {
        expect(parseDotEnv(`P='${value}'`, {})['P']).toBe(value)
      }),
    )
  })
})
