import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { marked, withoutControls, withoutEscapes } from '../../../src/report/plain-text.ts'

describe('text of others', () => {
  test.each([
    ['\u001b]0;title\u0007x', ']0;titlex'],
    ['\u001b[2Jx\u001b[1;1H', '[2Jx[1;1H'],
    ['\u009b2Jx', '2Jx'],
    ['a\rb\bc\u0000', 'abc'],
    ['a\tb\nc é 日本', 'a\tb\nc é 日本'],
  ])('%j loses what a terminal would obey', (text, plain) => {
    expect(withoutControls(text)).toBe(plain)
    expect(withoutEscapes(text)).toBe(plain)
  })

  test('keeps the colours of the lab itself, and of nobody else', () => {
    expect(withoutControls('\u001b[31mlost\u001b[39m')).toBe('\u001b[31mlost\u001b[39m')
    expect(withoutEscapes('\u001b[31mlost\u001b[39m')).toBe('lost')
  })
})

describe('a log among others', () => {
  test('is marked at each line, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-c\n]{0,6}$/)), chunks => {
        let written = ''
        const write = marked('n | ', text => (written += text))
        for (const chunk of chunks) write(chunk)
        const lines = chunks.join('').split('\n').slice(0, -1)
        expect(written).toBe(lines.map(line => `n | ${line}\n`).join(''))
      }),
    )
  })
})
