import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseLsn } from '../../../src/postgres/lsn.ts'
import { endOfWalDump, parseRelationRecords } from '../../../src/postgres/wal-dump.ts'

const COMMIT =
  'rmgr: Transaction len (rec/tot):     34/    34, tx:        745, lsn: 0/0152F3B8, prev 0/0152F380, desc: COMMIT 2026-11-21 12:00:00.000000 UTC'
const INSERT =
  'rmgr: Heap        len (rec/tot):     54/  8142, tx:        746, lsn: 0/0152F3E0, prev 0/0152F3B8, desc: INSERT off: 3, flags: 0x08, blkref #0: rel 1663/5/16384 blk 0 FPW'
const END =
  'pg_waldump: error: error in WAL record at 0/1531390: invalid record length at 0/15313B8: expected at least 24'

/** As pg_waldump prints it: `%6u/%6u`, and the low half of an LSN in eight digits. */
function line(lsn: bigint, total: number): string {
  const hex = (value: bigint, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0')
  const position = `${hex(lsn >> 32n, 1)}/${hex(lsn & 0xffff_ffffn, 8)}`
  const lengths = `${'26'.padStart(6)}/${String(total).padStart(6)}`
  return `rmgr: Heap        len (rec/tot): ${lengths}, tx:          0, lsn: ${position}, prev 0/00000000, desc: LOCK xmax: 7`
}

describe('the end of a WAL dump', () => {
  test('is where its last record ends, on the next multiple of eight', () => {
    expect(endOfWalDump(COMMIT)).toBe(parseLsn('0/152F3E0')) // 34 bytes, and 6 to the next record
    expect(endOfWalDump(`${COMMIT}\n${INSERT}\n`)).toBe(parseLsn('0/15313B0'))
  })

  test('counts the whole length with full-page images, not that of the record alone', () => {
    expect(endOfWalDump(INSERT)).toBe(parseLsn('0/15313B0')) // 0/152F3E0 and 8142, which is 2 short of a multiple of 8
  })

  test('passes over what is no record: the error at the end, block references, blank lines', () => {
    const blockReference = '\tblkref #0: rel 1663/5/16384 fork main blk 0 (FPW); hole: offset: 36, length: 8032'
    expect(endOfWalDump(`${COMMIT}\n${blockReference}\n${END}\n\n\n`)).toBe(endOfWalDump(COMMIT))
  })

  test.each(['', '\n', END, 'pg_waldump: error: could not find file "000000010000000000000009"'])(
    'is unknown where no record was printed: %j',
    text => {
      expect(endOfWalDump(text)).toBeUndefined()
    },
  )

  test('adds nothing to a record that ends on a multiple of eight already', () => {
    expect(endOfWalDump(line(0x100n, 24))).toBe(0x118n)
  })

  test('never lies before the end of the last record, and less than eight bytes after it', () => {
    const record = fc.record({
      lsn: fc.bigInt({ min: 0n, max: 2n ** 61n - 1n }).map(eighth => eighth * 8n),
      total: fc.integer({ min: 24, max: 9_999_999 }),
    })
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), records => {
        const end = endOfWalDump(records.map(({ lsn, total }) => line(lsn, total)).join('\n'))!
        const last = records.at(-1)!
        const past = end - (last.lsn + BigInt(last.total))
        expect(end % 8n).toBe(0n)
        expect(past >= 0n && past < 8n).toBe(true)
      }),
    )
  })
})

describe('what a dump touches', () => {
  test('is each relation with its number of records, that with most first', () => {
    expect(parseRelationRecords('1663/5/16384=7 1664/0/1262=1 1663/5/16390=12 \n')).toEqual([
      { relation: '1663/5/16390', records: 12 },
      { relation: '1663/5/16384', records: 7 },
      { relation: '1664/0/1262', records: 1 },
    ])
  })

  test.each(['', '\n', END])('is nothing where nothing was counted: %j', text => {
    expect(parseRelationRecords(text)).toEqual([])
  })
})
