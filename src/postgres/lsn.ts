/**
 * Log sequence numbers: positions in the write-ahead log, as 64-bit byte offsets.
 * Format: https://www.postgresql.org/docs/current/datatype-pg-lsn.html
 */
import { LabError } from '../errors.ts'

declare const lsnBrand: unique symbol

/** A byte position in the write-ahead log. Meaningless without its timeline after a failover. */
export type Lsn = bigint & { readonly [lsnBrand]: true }

const LSN_PATTERN = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i

/**
 * Reads PostgreSQL's text form, two hexadecimal halves: `0/3000148`. @throws LabError USAGE if it is not one.
 * @example
 * ```ts
 * parseLsn('16/B374D848') < parseLsn('17/0') // true
 * ```
 */
export function parseLsn(text: string): Lsn {
  const halves = LSN_PATTERN.exec(text)
  if (halves === null) throw new LabError('USAGE', `"${text}" is not an LSN`, { hint: 'It looks like 0/3000148.' })
  return ((BigInt(`0x${halves[1]}`) << 32n) | BigInt(`0x${halves[2]}`)) as Lsn
}

/**
 * PostgreSQL's text form, upper case, without leading zeros: `0/3000148`.
 * @example
 * ```ts
 * formatLsn(parseLsn('0/3000060')) // '0/3000060'
 * ```
 */
export const formatLsn = (lsn: Lsn): string =>
  `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`

/**
 * How many bytes `behind` is short of `ahead`; 0 if it is not behind. As pg_wal_lsn_diff, but never negative.
 * @example
 * ```ts
 * bytesBehind(parseLsn('0/3000100'), parseLsn('0/3000000')) // 256
 * ```
 */
export const bytesBehind = (ahead: Lsn, behind: Lsn): number => (ahead > behind ? Number(ahead - behind) : 0)

/**
 * The timeline in the name of a WAL file: its first eight hexadecimal digits.
 * A primary's own timeline is read so, from pg_walfile_name(pg_current_wal_lsn()), because after a promotion
 * pg_control_checkpoint() goes on telling the old timeline until the next checkpoint.
 * https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADMIN-BACKUP
 */
export function timelineOfWalFile(name: string): number {
  if (!/^[0-9A-F]{24}$/i.test(name))
    throw new LabError('USAGE', `"${name}" is not the name of a WAL file`, { hint: 'It has 24 hexadecimal digits.' })
  return Number.parseInt(name.slice(0, 8), 16)
}

/** initdb's default, which the compose file does not change. */
const WAL_SEGMENT_SIZE = BigInt(16 * 1024 * 1024)

/** Where the WAL segment with that position begins. */
export const segmentStart = (lsn: Lsn): Lsn => ((lsn / WAL_SEGMENT_SIZE) * WAL_SEGMENT_SIZE) as Lsn

/** Where the segment in a WAL file begins: the last two thirds of its name are the two halves of its number. */
export function walFileStart(name: string): Lsn {
  timelineOfWalFile(name) // refuses what is no such name
  const high = BigInt(`0x${name.slice(8, 16)}`)
  const low = BigInt(`0x${name.slice(16)}`)
  return ((high << 32n) + low * WAL_SEGMENT_SIZE) as Lsn
}

/** The name of the WAL file with that position. */
export function walFileName({ timeline, lsn }: { readonly timeline: number; readonly lsn: Lsn }): string {
  const digits = (value: bigint): string => value.toString(16).toUpperCase().padStart(8, '0')
  return [BigInt(timeline), lsn >> 32n, (lsn & 0xffff_ffffn) / WAL_SEGMENT_SIZE].map(digits).join('')
}
