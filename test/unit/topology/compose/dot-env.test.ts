import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseDotEnv } from '../../../../src/topology/compose/dot-env.ts'

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

  test.each([
    ['A=1\nB="s3cret', 'line 2: the quote " of B is not closed'],
    ["A=1\n\nB='it''s3cret'", 'line 3: it is no NAME=value'],
    ['A=1\nB=${s3cret\n', 'line 2: the value of B has a variable in it'],
    ['MY KEY=s3cret', 'line 1: the name has a space in it'],
    ['=s3cret', 'line 1: it is no NAME=value'],
  ])('%j is refused by its line and name, without its value', (text, fact) => {
    expect(() => parseDotEnv(text, {})).toThrow(fact)
    expect(() => parseDotEnv(text, {})).not.toThrow('s3cret')
  })

  test('takes any value between single quotes as it is, but for the quote itself', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[^'\\\r\n]*$/), value => {
        expect(parseDotEnv(`P='${value}'`, {})['P']).toBe(value)
      }),
    )
  })
})
