/**
 * Read your writes, for people.
 */
import type { ReadWay, ReadYourWritesDocument } from '../measure/read-your-writes.ts'
import { formatCount, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'

/** Where the read goes, in words. */
const MEANINGS: Readonly<Record<ReadWay, string>> = {
  'any-standby': 'a standby, at once',
  'fixed-delay': 'a standby, later',
  'sticky-primary': 'the primary',
  token: 'a standby that has the write',
  'remote-apply': 'a standby; the commit waited for all',
}

/** Prints what was measured of each way. */
export function narrateReadYourWrites(narrate: Narrator, { ways }: ReadYourWritesDocument): void {
  narrate.table(
    ['way', 'the read goes to', 'stale', 'on primary', 'write p50', 'p99', 'write and read p50', 'p99'],
    ways.map(({ way, requests, stale, onPrimary, writeMs, bothMs }) => [
      ...[way, MEANINGS[way], `${formatCount(stale)} of ${formatCount(requests)}`, percent(onPrimary / requests)],
      ...[writeMs.p50, writeMs.p99, bothMs.p50, bothMs.p99].map(formatMs),
    ]),
  )
}

const percent = (share: number): string => `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)}%`
