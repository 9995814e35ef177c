/**
 * What pg_waldump prints. Pure.
 * https://www.postgresql.org/docs/current/pgwaldump.html
 */
import { parseLsn, type Lsn } from './lsn.ts'

const RECORD = /len \(rec\/tot\): +(\d+)\/ *(\d+), .*lsn: ([0-9A-F]+\/[0-9A-F]+), prev /

/** Records begin on multiples of this: MAXALIGN on every platform with 64-bit longs. */
const ALIGNMENT = 8n

/**
 * The end of the last record that it printed, or undefined if it printed none. Page headers inside a record are not in its
 * length: a record that crosses a page ends up to 40 bytes later than told here.
 */
export function endOfWalDump(text: string): Lsn | undefined {
  const last = text
    .trimEnd()
    .split('\n')
    .findLast(line => RECORD.test(line))
  const [, , total, lsn] = RECORD.exec(last ?? '') ?? []
  if (total === undefined || lsn === undefined) return undefined
  const end = parseLsn(lsn) + BigInt(total)
  return (((end + ALIGNMENT - 1n) / ALIGNMENT) * ALIGNMENT) as Lsn
}
