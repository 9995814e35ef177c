/**
 * Figures of several measurements. Pure.
 */

/** A measurement repeated `n` times. */
export interface Spread {
  readonly n: number
  readonly min: number
  readonly median: number
  readonly max: number
}

/** Many values of one kind, such as latencies. */
export interface Summary {
  readonly n: number
  readonly min: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

/** @throws RangeError when there are no values: a spread of nothing is no figure. */
export function spreadOf(values: readonly number[]): Spread {
  const { n, min, p50, max } = summaryOf(values)
  return { n, min, median: p50, max }
}

/** @throws RangeError when there are no values */
export function summaryOf(values: readonly number[]): Summary {
  const sorted = ascending(values)
  const [min, p50, p95, p99, max] = [0, 50, 95, 99, 100].map(p => quantile(sorted, p)) as [
    ...[number, number, number, number, number],
  ]
  return { n: sorted.length, min, p50, p95, p99, max }
}

/**
 * The value below which `p` percent of the values lie, linear between the two nearest.
 * Definition 7 of Hyndman and Fan, Sample Quantiles in Statistical Packages (1996); PostgreSQL's percentile_cont is the same.
 * @throws RangeError when there are no values
 */
export const percentile = (values: readonly number[], p: number): number => quantile(ascending(values), p)

/** A typed array sorts numbers as numbers, several times faster. */
const ascending = (values: readonly number[]): Float64Array => Float64Array.from(values).sort()

function quantile(sorted: Float64Array, p: number): number {
  if (sorted.length === 0) throw new RangeError('no values')
  const rank = (p / 100) * (sorted.length - 1)
  const below = sorted[Math.floor(rank)] ?? NaN
  const above = sorted[Math.ceil(rank)] ?? NaN
  return below + (above - below) * (rank - Math.floor(rank))
}
