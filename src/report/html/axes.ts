/**
 * The axes of the plots, and the rectangles and marks that are drawn on them. Pure.
 */
import type { CustomSeriesOption } from 'echarts/charts'
import { FONT_SIZE } from './plot.ts'
import { INKS } from './inks.ts'

export interface AxisOptions {
  /** Quantity and unit. */
  readonly name: string
  readonly format: (value: number) => string
  readonly min?: number
  readonly max?: number
  readonly interval?: number
  readonly minInterval?: number
  /** @default 'value' */
  readonly type?: 'value' | 'log'
  /** Pixels between the axis and its name. @default 32, and 58 beside it */
  readonly nameGap?: number
}

const label = { color: INKS.muted, fontSize: FONT_SIZE }
const line = { lineStyle: { color: INKS.line } }

/** Along the bottom. */
export const xAxis = ({ name, format, nameGap = 32, ...range }: AxisOptions): object => ({
  type: 'value',
  ...range,
  name,
  nameGap,
  nameLocation: 'middle',
  nameTextStyle: label,
  axisLabel: { ...label, formatter: format, hideOverlap: true },
  axisLine: { show: true, onZero: false, ...line },
  axisTick: { show: true, ...line },
  splitLine: { show: false },
})

/** Up the left side; its name stands beside it, and so is out of the way of marks. */
export const yAxis = ({ name, format, nameGap = 58, ...range }: AxisOptions): object => ({
  type: 'value',
  ...range,
  name,
  nameGap,
  nameLocation: 'middle',
  nameRotate: 90,
  nameTextStyle: label,
  axisLabel: { ...label, formatter: format },
  axisLine: { show: false, onZero: false },
  axisTick: { show: false },
  splitLine: { show: true, ...line },
})

/** The powers of ten around all of `values`: the ends of a logarithmic axis. */
export function decadesAround(values: readonly number[]): { readonly min: number; readonly max: number } {
  const positive = values.filter(value => value > 0)
  const lowest = positive.reduce((low, value) => Math.min(low, value), Infinity)
  const highest = positive.reduce((high, value) => Math.max(high, value), 0)
  if (positive.length === 0) return { min: 1, max: 10 }
  const min = 10 ** Math.floor(Math.log10(lowest))
  return { min, max: Math.max(10 ** Math.ceil(Math.log10(highest)), min * 10) }
}

/** A rectangle in the units of the axes. */
export interface Box {
  readonly x0: number
  readonly x1: number
  readonly y0: number
  readonly y1: number
}

/** Filled rectangles. `gapPx` is left free at the right of each. */
export const boxes = (data: readonly Box[], { color, gapPx = 0 }: BoxStyle): CustomSeriesOption => ({
  type: 'custom',
  silent: true,
  data: data.map(({ x0, x1, y0, y1 }) => [x0, x1, y0, y1]),
  encode: { x: [0, 1], y: [2, 3] },
  renderItem: (_, api) => {
    const [left = 0, top = 0] = api.coord([api.value(0), api.value(3)])
    const [right = 0, bottom = 0] = api.coord([api.value(1), api.value(2)])
    const width = Math.max(1, right - left - gapPx)
    return { type: 'rect', shape: { x: left, y: top, width, height: bottom - top }, style: { fill: color } }
  },
})

export interface BoxStyle {
  readonly color: string
  readonly gapPx?: number
}

/** A vertical line with a label over the plot; with `until`, the band from `at` to there. In the units of the x axis. */
export interface Mark {
  readonly at: number
  readonly until?: number
  readonly text: string
}

const ROW_PX = 18
/** Free room in pixels that marks need over the plot, below its upper edge. */
export const roomForMarks = (marks: readonly Mark[]): number => 8 + marks.length * ROW_PX

/**
 * Marks, each label on a row of its own, the leftmost on top: a label stands to the right of its line, and the lines right
 * of it begin below it, so that however short the bands are, nothing covers a label.
 */
export function markSeries(marks: readonly Mark[]): CustomSeriesOption {
  const ordered = marks.toSorted((a, b) => a.at - b.at)
  let bands = 0
  const fills = ordered.map(({ until }) => (until === undefined ? undefined : BANDS[bands++ % BANDS.length]))
  return {
    type: 'custom',
    silent: true,
    clip: false,
    z: 1,
    data: ordered.map(({ at, until }) => [at, until ?? at]),
    encode: { x: [0, 1], y: [] },
    renderItem: (params, api) => {
      const { y: top, height } = params.coordSys as unknown as { readonly y: number; readonly height: number }
      const y = ROW_PX * params.dataIndex
      const [left = 0] = api.coord([api.value(0), 0])
      const [right = 0] = api.coord([api.value(1), 0])
      const fill = fills[params.dataIndex]
      return {
        type: 'group',
        children: [
          ...(fill === undefined
            ? []
            : [{ type: 'rect' as const, shape: { x: left, y: top, width: right - left, height }, style: { fill } }]),
          {
            type: 'line',
            shape: { x1: left, x2: left, y1: y + 4, y2: top + height },
            style: { stroke: INKS.muted, lineWidth: 1 },
          },
          {
            type: 'text',
            style: {
              x: left + 5,
              y: y + 2,
              text: ordered[params.dataIndex]?.text ?? '',
              fill: INKS.text,
              fontSize: FONT_SIZE,
            },
          },
        ],
      }
    },
  }
}

const BANDS = [INKS.bandA, INKS.bandB]
