import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatLsn, parseLsn, type Lsn } from '../../../src/postgres/lsn.ts'
import { parseTimelineHistory } from '../../../src/postgres/timeline-history.ts'
import { catchLabError } from '../../support/catch-lab-error.ts'

describe('a timeline history', () => {
  test('tells where each timeline was left, in the order of the file', () => {
    const text = '1\t0/401D800\tno recovery target specified\n\n2\t0/5000000\tno recovery target specified\n'
    expect(parseTimelineHistory(text)).toEqual([
      { timeline: 1, forkLsn: parseLsn('0/401D800') },
      { timeline: 2, forkLsn: parseLsn('0/5000000') },
    ])
  })

  test('is read without the reason at the end of a line, and without the end of the last line', () => {
    expect(parseTimelineHistory('3\t16/B374D848')).toEqual([{ timeline: 3, forkLsn: parseLsn('16/B374D848') }])
  })

  test('is not misled by a reason that looks like a line of its own', () => {
    const text = '1\t0/401D800\tbefore transaction 2 0/9999999\n'
    expect(parseTimelineHistory(text)).toEqual([{ timeline: 1, forkLsn: parseLsn('0/401D800') }])
  })

  test.each(['', '\n', '# 1\t0/401D800\n', '  # made by hand\n\n', '\t \n'])('of %j has no switches', text => {
    expect(parseTimelineHistory(text)).toEqual([])
  })

  test('passes over comments between the lines, and takes lines with \\r\\n and blanks before them', () => {
    expect(parseTimelineHistory('# kept by hand\r\n  1 0/a\tx\r\n\r\n2\t0/B\r\n')).toEqual([
      { timeline: 1, forkLsn: 10n },
      { timeline: 2, forkLsn: 11n },
    ])
  })

  test('with a position that is too long for an LSN is refused, not cut short', async () => {
    const error = await catchLabError('USAGE', () => parseTimelineHistory('1\t0/123456789\n'))
    expect(error.message).toContain('0/123456789')
  })

  test('is read back as PostgreSQL writes it, whatever the reasons and the blank lines', () => {
    const entry = fc.record({
      timeline: fc.integer({ min: 1, max: 0xffff_ffff }),
      forkLsn: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(value => value as Lsn),
      reason: fc.string().filter(text => !text.includes('\n')),
    })
    fc.assert(
      fc.property(fc.array(entry), fc.constantFrom('\n', '\n\n'), (entries, end) => {
        const line = (of: (typeof entries)[number]): string => `${of.timeline}\t${formatLsn(of.forkLsn)}\t${of.reason}`
        const expected = entries.map(({ timeline, forkLsn }) => ({ timeline, forkLsn }))
        expect(parseTimelineHistory(entries.map(line).join(end))).toEqual(expected)
      }),
    )
  })
})
