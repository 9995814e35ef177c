/**
 * Scales: from the units of an axis to pixels, and where the axis is labelled. Pure.
 */
import { scaleLinear, scaleLog } from 'd3-scale'

export interface Scale {
  /** The pixel of a value. */
  readonly at: (value: number) => number
  /** Round values, in the units of the axis. */
  readonly ticks: readonly number[]
}

/** From one pixel to another. */
export type Pixels = readonly [number, number]

/** Exactly from `min` to `max`. */
export function linear([min, max]: readonly [number, number], pixels: Pixels, { ticks = 8 } = {}): Scale {
  const scale = scaleLinear([min, max], pixels)
  return { at: scale, ticks: scale.ticks(ticks) }
}

/** From the round value below `min` to the one above `max`. */
export function linearAround([min, max]: readonly [number, number], pixels: Pixels): Scale {
  const scale = scaleLinear([min, max], pixels).nice(5)
  return { at: scale, ticks: scale.ticks(5) }
}

/** Logarithmic, over the powers of ten around all of `values`. What is not positive stands at the lowest. */
export function decadesAround(values: readonly number[], pixels: Pixels): Scale {
  const positive = values.filter(value => value > 0)
  const lowest = positive.reduce((low, value) => Math.min(low, value), Infinity)
  const highest = positive.reduce((high, value) => Math.max(high, value), 0)
  const ends = positive.length === 0 ? [1, 10] : [lowest, highest > lowest ? highest : lowest * 10]
  const scale = scaleLog(ends, pixels).nice().clamp(true)
  return { at: scale, ticks: scale.ticks().filter(tick => Number.isInteger(Math.log10(tick))) }
}
