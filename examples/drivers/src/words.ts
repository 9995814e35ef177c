/**
 * A cell in words, the same in the terminal, on the page and in the document. Pure.
 */
import type { Cell, Counts, Spread } from './document.ts'
import type { HealedBy } from './measure.ts'

/** `well`, `crashed`, `stuck until the address moves`; with how many of the trials where they differ. */
export function endOf(cell: Cell): string {
  if (cell.n === 0) return `not measured: ${listed(cell.absent)}`
  const crashes = sum(cell.crashed)
  const { stuck = 0, ...others } = cell.states
  const parts: (readonly [string, number])[] = [
    ...(crashes === 0 ? [] : [['crashed', crashes] as const]),
    ...Object.entries(others),
    ...(stuck === 0 ? [] : stuckUntil(cell, stuck)),
  ]
  const [only, ...more] = parts
  if (only !== undefined && more.length === 0) return only[0]
  return parts.map(([what, count]) => `${what} ${count}`).join(', ')
}

const UNTIL: Readonly<Record<HealedBy, string>> = {
  'the address moves': ' until the address moves',
  'the old connections end': ' until the old connections end',
  'it crashes with the old connections': ', then crashed with the old connections',
  nothing: ', and nothing helped',
}

function stuckUntil({ healedBy = {} }: Cell, stuck: number): (readonly [string, number])[] {
  const said = Object.entries(healedBy).map(([what, count]) => [`stuck${UNTIL[what as HealedBy]}`, count] as const)
  return said.length === 0 ? [['stuck', stuck]] : said
}

/** The cell of an overview: the figure of one that is well, or a word. */
export function shortOf(cell: Cell | undefined): string {
  if (cell === undefined) return ''
  if (cell.n === 0) return 'not measured'
  const crashes = sum(cell.crashed)
  const { stuck = 0, partly = 0 } = cell.states
  const many = (count: number): string => (count === cell.n ? '' : ` ${count}/${cell.n}`)
  if (crashes > 0) return `crashes${many(crashes)}`
  if (stuck > 0) return `stuck${many(stuck)}`
  if (partly > 0) return `partly${many(partly)}`
  return cell.firstGoodMs === undefined ? 'no request' : formatMs(cell.firstGoodMs.median)
}

/** `85 ms`, `5.10 s` */
export const formatMs = (ms: number): string => (ms >= 1_000 ? `${(ms / 1_000).toFixed(2)} s` : `${Math.round(ms)} ms`)

/** `85 ms (68 to 103)`; alone where there is one. */
export function firstGoodOf({ firstGoodMs, n }: Cell): string {
  if (firstGoodMs === undefined) return n === 0 ? '' : 'none'
  const { median, min, max } = firstGoodMs
  const of = firstGoodMs.n < n ? `, in ${firstGoodMs.n} of ${n}` : ''
  return firstGoodMs.n === 1
    ? `${formatMs(median)}${of}`
    : `${formatMs(median)} (${formatMs(min)} to ${formatMs(max)}${of})`
}

/** `10`, or `0 to 3` where the trials differ; nothing where it was not counted. */
export const rangeOf = (spread: Spread | undefined): string =>
  spread === undefined ? '' : spread.min === spread.max ? String(spread.min) : `${spread.min} to ${spread.max}`

export const megabytesOf = (spread: Spread | undefined): string =>
  spread === undefined ? '' : `${Math.round(spread.median / 1024 / 1024)} MB`

/** `57P01 3, ECONNRESET 1`, the most frequent first. */
export const listed = (counts: Counts | undefined): string =>
  Object.entries(counts ?? {})
    .toSorted(([, a = 0], [, b = 0]) => b - a)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ')

/** What ended the process, then what its requests were told. */
export function errorsOf({ crashed, errors, absent, n }: Cell): string {
  const parts = [
    ...(crashed === undefined ? [] : [`ended by ${Object.keys(crashed).join(', ')}`]),
    ...(errors === undefined ? [] : [listed(errors)]),
    ...(absent === undefined || n === 0 ? [] : [`not measured: ${listed(absent)}`]),
  ]
  return parts.join('; ')
}

const sum = (counts: Counts | undefined): number =>
  Object.values(counts ?? {}).reduce<number>((all, count = 0) => all + count, 0)
