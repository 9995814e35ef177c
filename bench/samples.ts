/**
 * Measurements against their floors, summed up.
 */
import { type Spread } from '../src/index.ts'
import { spreadOf } from '../src/measure/statistics.ts'

/** One measurement, and its floor from the same run. */
export interface Sample {
  readonly name: string
  readonly floorMs: number
  readonly oursMs: number
}

/** One measurement against its floor. The figures are medians; `spread` has the rest. */
export interface Row {
  readonly name: string
  readonly floorMs: number
  readonly oursMs: number
  /** Median of the ratios run by run, so that the machine's drift cancels out. */
  readonly ratio: number
  readonly n: number
  readonly spread: { readonly floorMs: Spread; readonly oursMs: Spread; readonly ratio: Spread }
}

/** A row for each name, in the order in which they first came. */
export const summarise = (samples: readonly Sample[]): Row[] =>
  [...new Set(samples.map(({ name }) => name))].map(name =>
    rowOf(
      name,
      samples.filter(sample => sample.name === name),
    ),
  )

function rowOf(name: string, samples: readonly Sample[]): Row {
  const floorMs = spreadOf(samples.map(sample => sample.floorMs))
  const oursMs = spreadOf(samples.map(sample => sample.oursMs))
  const ratio = spreadOf(samples.map(sample => sample.oursMs / sample.floorMs))
  const spread = { floorMs, oursMs, ratio }
  return { name, floorMs: floorMs.median, oursMs: oursMs.median, ratio: ratio.median, n: samples.length, spread }
}
