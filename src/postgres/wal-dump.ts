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

/** A relation as WAL records name it, `tablespace/database/filenode`, and how many of them do. */
export interface RelationRecords {
  readonly relation: string
  readonly records: number
}

/**
 * What replica-entrypoint/salvage.sh counted in a dump, `1663/16384/16390=12 1663/16384/16393=7`: the relations, that with
 * most records first. It counts there, because a dump can be far longer than what anybody would hand on.
 */
export const parseRelationRecords = (text: string): RelationRecords[] =>
  [...text.matchAll(/(\d+\/\d+\/\d+)=(\d+)/g)]
    .map(([, relation = '', records]) => ({ relation, records: Number(records) }))
    .sort((a, b) => b.records - a.records || a.relation.localeCompare(b.relation))
