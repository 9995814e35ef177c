import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { interpolate, type Variables } from '../../../../src/topology/compose/interpolation.ts'
import { catchLabError } from '../../../support/catch-lab-error.ts'

const SET: Variables = { NAME: 'value', EMPTY: '' }

describe('interpolate', () => {
  // Each as `docker compose config` reads it; the table of https://docs.docker.com/reference/compose-file/interpolation/
  test.each([
    ['plain text', 'plain text'],
    ['${UNSET:-{}}', '{}'],
    ['${NAME:-{}}', 'value'],
    ['$NAME', 'value'],
    ['${NAME}', 'value'],
    ['a${NAME}b$NAME.c', 'avaluebvalue.c'],
    ['$EMPTY', ''],
    ['${NAME:-default}', 'value'],
    ['${EMPTY:-default}', 'default'],
    ['${UNSET:-default}', 'default'],
    ['${NAME-default}', 'value'],
    ['${EMPTY-default}', ''],
    ['${UNSET-default}', 'default'],
    ['${UNSET:-}', ''],
    ['${NAME:?it is needed}', 'value'],
    ['${EMPTY?it is needed}', ''],
    ['${NAME:+other}', 'other'],
    ['${EMPTY:+other}', ''],
    ['${EMPTY+other}', 'other'],
    ['${UNSET:+other}', ''],
    ['${UNSET+other}', ''],
    ['${UNSET:-a:-b}', 'a:-b'],
    ['${UNSET:-two\nlines}', 'two\nlines'],
    ['127.0.0.1:${UNSET:-5432}:5432', '127.0.0.1:5432:5432'],
    ['$$', '$'],
    ['$$NAME', '$NAME'],
    ['$${NAME}', '${NAME}'],
    ['$$$NAME', '$value'],
    ['pa$$$$word', 'pa$$word'],
    ['<$UNSET${UNSET}>', '<>'],
    ['$', '$'],
    ['a $ b', 'a $ b'],
    ['$1', '$1'],
  ])('makes %j %j', (text, expected) => {
    expect(interpolate(text, SET)).toBe(expected)
  })

  test('puts defaults into defaults', () => {
    expect(interpolate('${UNSET:-${NAME}}', SET)).toBe('value')
    expect(interpolate('${UNSET:-${ALSO:-${NAME:-x}}}', {})).toBe('x')
    expect(interpolate('${UNSET:-a${NAME}b${ALSO:-c}d}!', SET)).toBe('avaluebcd!')
    expect(interpolate('${NAME:+${EMPTY:-${NAME}}}', SET)).toBe('value')
    expect(interpolate('${UNSET:-cost: $$5}', {})).toBe('cost: $5')
  })

  test('does not read the branch that is not taken', () => {
    expect(interpolate('${NAME:-${MISSING}}', SET)).toBe('value')
    expect(interpolate('${UNSET:+${MISSING}}', SET)).toBe('')
  })

  test('reads a default that nests to any depth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 50 }), fc.stringMatching(/^[^${}]*$/), (depth, innermost) => {
        const text = Array.from({ length: depth }).reduce<string>((inner, _, at) => `\${V${at}:-${inner}}`, innermost)
        expect(interpolate(text, {})).toBe(innermost)
      }),
    )
  })

  test('puts in a value as it is, whatever is in it: quotes, spaces, dollars, braces, backslashes', () => {
    for (const value of [`it's`, 'two words', '$NAME', '${NAME}', '$$', 'a\\b', '"}', '}', '$&$1']) {
      expect(interpolate('<${V}|$V|${V:-x}|${V:?x}>', { V: value })).toBe(`<${value}|${value}|${value}|${value}>`)
    }
    fc.assert(fc.property(fc.string({ unit: 'binary' }), value => interpolate('<${V}>', { V: value }) === `<${value}>`))
  })

  test('gives back any text whose dollar signs are doubled', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', ':', '-', 'N', ' ', "'", '\\') }), text => {
        expect(interpolate(text.replaceAll('$', '$$$$'), SET)).toBe(text)
      }),
    )
  })

  test('does not take a doubled dollar sign before a brace for an inner variable', () => {
    expect(interpolate('${UNSET:-$${}', {})).toBe('${')
  })

  test('knows no variables but those it is given', () => {
    expect(interpolate('${constructor:-default}${toString:-default}', {})).toBe('defaultdefault')
    expect(interpolate('$valueOf', {})).toBe('')
  })

  test('says what the file says about a variable that it requires', async () => {
    const error = await catchLabError('UNKNOWN_VARIABLE', () => interpolate('${EMPTY:?choose a password}', SET))
    expect(error.message).toContain('EMPTY')
    expect(error.message).toContain('choose a password')
    await catchLabError('UNKNOWN_VARIABLE', () => interpolate('${UNSET?}', SET))
  })

  test.each(['${', '${NAME', '${}', '${1NAME}', '${NAME!x}', '${NAME:}', '${NA ME}', '${UNSET:-${NAME}'])(
    'refuses %j',
    async text => {
      const error = await catchLabError('COMPOSE_FILE_INVALID', () => interpolate(text, SET))
      expect(error.hint).toContain('$$')
    },
  )

  test('throws nothing but LabError, whatever it reads', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', ':', '-', '+', '?', 'N', 'x', ' ') }), text => {
        try {
          expect(typeof interpolate(text, { N: 'value' })).toBe('string')
        } catch (error) {
          expect(error).toMatchObject({ name: 'LabError', hint: expect.any(String) })
        }
      }),
      { numRuns: 1000 },
    )
  })
})
