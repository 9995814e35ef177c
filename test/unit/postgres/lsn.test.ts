import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  bytesBehind,
  formatLsn,
  parseLsn,
  segmentStart,
  timelineOfWalFile,
  walFileName,
  walFileStart,
  type Lsn,
} from '../../../src/postgres/lsn.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'

const half = fc.integer({ min: 0, max: 0xffff_ffff })
const lsn = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }).map(value => value as Lsn)
const hex = (value: number): string => value.toString(16).toUpperCase()

describe('parseLsn', () => {
  test('reads the two halves as the high and low 32 bits', () => {
    expect(parseLsn('0/3000148')).toBe(0x3000148n)
    expect(parseLsn('1/0')).toBe(4_294_967_296n)
    expect(parseLsn('16/B374D848')).toBe(97_500_059_720n)
    expect(parseLsn('FFFFFFFF/FFFFFFFF')).toBe(2n ** 64n - 1n)
  })

  test('agrees with high times 2^32 plus low, for every pair of halves', () => {
    fc.assert(
      fc.property(half, half, (high, low) => {
        expect(parseLsn(`${hex(high)}/${hex(low)}`)).toBe(BigInt(high) * 4_294_967_296n + BigInt(low))
      }),
    )
  })

  test('takes lower case and leading zeros, as pg_lsn does', () => {
    expect(parseLsn('0a/0000b0c1')).toBe(parseLsn('A/B0C1'))
  })

  test.each([
    '',
    '/',
    '0',
    '0/',
    '/0',
    '0/3000148 ',
    ' 0/3000148',
    '0/3000148\n',
    '0/G',
    '123456789/0',
    '0/123456789',
    '-1/0',
    '0x1/0',
    '0/1/2',
  ])('refuses %j', async text => {
    const error = await catchLabError('USAGE', () => parseLsn(text))
    expect(error.message).toContain(text)
    expect(error.hint).toContain('0/3000148')
  })

  test('takes no text at all but two halves of one to eight hexadecimal digits', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        fc.pre(!/^[0-9a-fA-F]{1,8}\/[0-9a-fA-F]{1,8}$/.test(text))
        expect(() => parseLsn(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
      }),
    )
  })
})

describe('formatLsn', () => {
  test('writes what PostgreSQL writes: upper case, no leading zeros', () => {
    expect(formatLsn(0n as Lsn)).toBe('0/0')
    expect(formatLsn(0x16_0000_00abn as Lsn)).toBe('16/AB')
    expect(formatLsn((2n ** 64n - 1n) as Lsn)).toBe('FFFFFFFF/FFFFFFFF')
  })

  test('is read back as the same position', () => {
    fc.assert(fc.property(lsn, value => parseLsn(formatLsn(value)) === value))
  })

  test('writes back the canonical text that was read', () => {
    fc.assert(
      fc.property(
        half,
        half,
        (high, low) => formatLsn(parseLsn(`${hex(high)}/${hex(low)}`)) === `${hex(high)}/${hex(low)}`,
      ),
    )
  })
})

describe('bytesBehind', () => {
  test('is the distance, also across a boundary of the halves', () => {
    expect(bytesBehind(parseLsn('1/10'), parseLsn('0/FFFFFFF0'))).toBe(32)
  })

  test('is the difference where there is one, and 0 for whoever is level or ahead', () => {
    const near = fc.tuple(lsn, fc.integer({ min: 0, max: 2 ** 40 }))
    fc.assert(
      fc.property(near, ([behind, distance]) => {
        const ahead = (behind + BigInt(distance)) as Lsn
        expect(bytesBehind(ahead, behind)).toBe(distance)
        expect(bytesBehind(behind, ahead)).toBe(0)
      }),
    )
  })
})

describe('timelineOfWalFile', () => {
  test('is the first eight digits, in hexadecimal', () => {
    expect(timelineOfWalFile('000000010000000000000003')).toBe(1)
    expect(timelineOfWalFile('0000000A000000160000004D')).toBe(10)
  })

  test('finds every timeline again in the name of its file', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 0xffff_ffff }),
        half,
        fc.integer({ min: 0, max: 255 }),
        (timeline, log, segment) => {
          const name = [timeline, log, segment].map(part => hex(part).padStart(8, '0')).join('')
          expect(timelineOfWalFile(name)).toBe(timeline)
        },
      ),
    )
  })

  test.each(['', '00000001', '00000002.history', '000000010000000000000003.partial', 'G00000010000000000000003'])(
    'refuses %j',
    async name => {
      await catchLabError('USAGE', () => timelineOfWalFile(name))
    },
  )
})

describe('where a WAL file begins', () => {
  test.each([
    ['000000010000000000000001', '0/1000000'],
    ['0000000A00000002000000FF', '2/FF000000'],
  ])('%s begins at %s', (name, lsn) => {
    expect(formatLsn(walFileStart(name))).toBe(lsn)
    expect(segmentStart(parseLsn(lsn))).toBe(walFileStart(name))
  })
})

describe('the WAL file of a position', () => {
  test('is named by the timeline and the segment', () => {
    expect(walFileName({ timeline: 2, lsn: parseLsn('0/402A998') })).toBe('000000020000000000000004')
    expect(walFileName({ timeline: 17, lsn: parseLsn('1A/FF000000') })).toBe('000000110000001A000000FF')
  })

  test('begins where the segment begins, for every position', () => {
    fc.assert(
      fc.property(lsn, position => {
        const name = walFileName({ timeline: 3, lsn: position })
        expect(walFileStart(name)).toBe(segmentStart(position))
        expect(timelineOfWalFile(name)).toBe(3)
      }),
    )
  })
})
