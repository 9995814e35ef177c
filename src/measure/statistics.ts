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

/** @throws RangeError when there are no values: a spread of nothing is no figure. */
export function spreadOf(values: readonly number[]): Spread {
  return { n: values.length, min: percentile(values, 0), median: percentile(values, 50), max: percentile(values, 100) }
}

/**
 * The value below which `p` percent of the values lie, linear between the two nearest.
 * Definition 7 of Hyndman and Fan, Sample Quantiles in Statistical Packages (1996); PostgreSQL's percentile_cont is the same.
 */
export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  if (sorted.length === 0) throw new RangeError('no values')
  const rank = (p / 100) * (sorted.length - 1)
  const below = sorted[Math.floor(rank)] ?? NaN
  const above = sorted[Math.ceil(rank)] ?? NaN
  return below + (above - below) * (rank - Math.floor(rank))
}
