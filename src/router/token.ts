/**
 * Read your writes: what a write returns, and a read takes. A text that fits into a header, a cookie or a URL.
 *
 * An LSN alone would not do. PostgreSQL says of its own WAIT FOR that it knows no timelines: so a token says which cluster,
 * which run of which server, which timeline and where that began.
 */
import type { Lsn } from '../postgres/lsn.ts'
import { RouterError } from './errors.ts'
import type { Position } from './lineage.ts'

declare const tokenBrand: unique symbol

/** Opaque: keep it, send it, give it back. It holds no secret, and is no credential. */
export type ReadToken = string & { readonly [tokenBrand]: true }

/** `v1.system.started.timeline.begin.from.lsn.flushed`: in base 36 but for the system identifier, `-` for what is not known. */
export function formatToken({ system, started, timeline, begin, from, lsn, isFlushed }: Position): ReadToken {
  const position = (value: Lsn | undefined): string => value?.toString(36) ?? '-'
  const fields = [
    system,
    BigInt(started).toString(36),
    timeline.toString(36),
    position(begin),
    position(from),
    position(lsn),
  ]
  return ['v1', ...fields, isFlushed ? 'f' : 'i'].join('.') as ReadToken
}

const TOKEN =
  /^v1\.(\d{1,20})\.([0-9a-z]{1,13})\.([0-9a-z]{1,7})\.(-|[0-9a-z]{1,13})\.([0-9a-z]{1,13})\.(-|[0-9a-z]{1,13})\.([fi])$/

/** @throws RouterError FOREIGN_TOKEN for a text that is none */
export function parseToken(text: string): Position {
  const fields = TOKEN.exec(text)?.slice(1)
  if (fields === undefined)
    throw new RouterError('FOREIGN_TOKEN', `${JSON.stringify(text.slice(0, 100))} is no token of the router`, {
      hint: 'Give it what write() or transaction() returned as token.',
    })
  const [system = '', started = '', timeline = '', begin = '', from = '', lsn = '', flushed] = fields
  return {
    system,
    started: numberIn(started).toString(),
    timeline: Number(numberIn(timeline)),
    begin: begin === '-' ? undefined : (numberIn(begin) as Lsn),
    from: numberIn(from) as Lsn,
    lsn: lsn === '-' ? undefined : (numberIn(lsn) as Lsn),
    isFlushed: flushed === 'f',
  }
}

/** Number.parseInt would round what is above 2^53. */
const numberIn = (text: string): bigint =>
  Array.from(text).reduce((value, digit) => value * 36n + BigInt(Number.parseInt(digit, 36)), 0n)
