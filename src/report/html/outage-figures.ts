/**
 * One run around its outage: what the client was told, and how long it waited. Pure.
 */
import { formatMs } from '../format.ts'
import { percentile } from '../../measure/statistics.ts'
import { boxes, decadesAround, markSeries, roomForMarks, xAxis, yAxis, type Box } from './axes.ts'
import type { Figure } from './figure.ts'
import { INKS } from './inks.ts'
import type { Bin, OutageWindow, Point } from './outage-window.ts'
import { figure, loss } from './table.ts'

const PLOT_PX = 230
const BELOW_PX = 56
const LEFT_PX = 84

/** Acknowledgements upwards and errors downwards, by bin. */
export function answersFigure(window: OutageWindow, id: string): Figure {
  const { bins, binMs, marks } = window
  const stack = (of: (bin: Bin) => readonly [number, number]): Box[] =>
    bins.flatMap(bin => {
      const [y0, y1] = of(bin)
      return y0 === y1 ? [] : [{ x0: bin.atMs, x1: bin.atMs + binMs, y0, y1 }]
    })
  const top = roomForMarks(marks)
  const format = (value: number): string => String(Math.abs(value))
  return {
    id,
    startAt: startOf(window),
    label: `Acknowledgements and errors in each ${binMs} ms around the outage`,
    height: top + PLOT_PX + BELOW_PX,
    caption: `What the client was told in each ${binMs} ms: acknowledgements upwards, errors downwards. Time counts from the fault. The shaded bands are the phases of the outage.`,
    key: [
      { text: 'acknowledged', ink: 'accent' },
      ...(bins.some(bin => bin.lost > 0) ? [{ text: 'acknowledged, and lost', ink: 'loss' } as const] : []),
      { text: 'error: indeterminate, failed, or no connection', ink: 'muted' },
    ],
    numbers: numbersOf(window),
    option: {
      grid: { top, left: LEFT_PX, right: 16, bottom: BELOW_PX },
      xAxis: timeAxis(window),
      yAxis: yAxis({ name: `answers per ${binMs} ms`, format, minInterval: 1 }),
      series: [
        markSeries(marks),
        {
          ...boxes(
            stack(({ kept }) => [0, kept]),
            { color: INKS.accent, gapPx: 1 },
          ),
          z: 3,
        },
        {
          ...boxes(
            stack(({ kept, lost }) => [kept, kept + lost]),
            { color: INKS.loss, gapPx: 1 },
          ),
          z: 3,
        },
        {
          ...boxes(
            stack(bin => [-errorsOf(bin), 0]),
            { color: INKS.muted, gapPx: 1 },
          ),
          z: 3,
        },
      ],
    },
  }
}

/** The end of the outage: with it in view, so is what comes before. */
const startOf = ({ marks, fromMs, toMs }: OutageWindow): number =>
  (Math.max(...marks.map(({ at }) => at)) - fromMs) / (toMs - fromMs)

const errorsOf = ({ indeterminate, failed, refused }: Bin): number => indeterminate + failed + refused

const timeAxis = ({ fromMs, toMs }: OutageWindow): object =>
  xAxis({
    name: 'time since the fault',
    format: value => (value === 0 ? '0' : formatTime(value)),
    min: fromMs,
    max: toMs,
  })

/** `-120 ms`, `1.5 s`. */
const formatTime = (ms: number): string => (Math.abs(ms) < 1000 ? `${ms} ms` : `${ms / 1000} s`)

const numbersOf = ({ bins, binMs }: OutageWindow): NonNullable<Figure['numbers']> => ({
  caption: `What the client was told in each ${binMs} ms; time counts from the fault`,
  head: [
    'from',
    'acknowledged',
    'of them lost',
    'indeterminate',
    'failed',
    'no connection',
    'latency p50',
    'latency max',
  ],
  rows: bins.map(bin => [
    figure(formatTime(bin.atMs)),
    figure(String(bin.kept + bin.lost)),
    loss(bin.lost, String(bin.lost)),
    ...[bin.indeterminate, bin.failed, bin.refused].map(count => figure(String(count))),
    ...[50, 100].map(p => figure(bin.latenciesMs.length === 0 ? '–' : formatMs(percentile(bin.latenciesMs, p)))),
  ]),
})

/** More points than this make the file large and the plot no clearer. */
const MOST_POINTS = 2000

/** The latency of each write, at the instant when it was due. */
export function latencyFigure(window: OutageWindow, id: string): Figure {
  const { marks, points } = window
  const shown = thinned(points)
  const thinning =
    shown.length < points.length
      ? ` Of ${points.length} writes ${shown.length} are drawn: the lost, the indeterminate and every ${stepOf(points)}th of the others.`
      : ''
  const top = roomForMarks(marks)
  const of = (kind: Point['kind']): number[][] =>
    shown.filter(point => point.kind === kind).map(({ dueMs, latencyMs }) => [dueMs, latencyMs])
  const scatter = { type: 'scatter', silent: true, z: 3, clip: true }
  return {
    id,
    startAt: startOf(window),
    label: 'Latency of each write around the outage, on a logarithmic scale',
    height: top + PLOT_PX + BELOW_PX,
    caption: `How long each write took, from the instant when it was due. A write that was due early in the outage waited for all of it.${thinning} The numbers are in the table of the plot before and in the table of latencies.`,
    key: [
      { text: 'acknowledged', ink: 'accent', shape: 'dot' },
      ...(of('lost').length > 0 ? [{ text: 'acknowledged, and lost', ink: 'loss', shape: 'triangle' } as const] : []),
      ...(of('indeterminate').length > 0 ? [{ text: 'indeterminate', ink: 'muted', shape: 'diamond' } as const] : []),
    ],
    option: {
      grid: { top, left: LEFT_PX, right: 16, bottom: BELOW_PX },
      xAxis: timeAxis(window),
      yAxis: yAxis({
        name: 'latency, logarithmic',
        format: formatTime,
        type: 'log',
        ...decadesAround(shown.map(({ latencyMs }) => latencyMs)),
      }),
      series: [
        markSeries(marks),
        { ...scatter, symbolSize: 5, itemStyle: { color: INKS.accent }, data: of('kept') },
        { ...scatter, symbol: 'triangle', symbolSize: 7, itemStyle: { color: INKS.loss }, data: of('lost') },
        {
          ...scatter,
          symbol: 'diamond',
          symbolSize: 10,
          itemStyle: { color: INKS.page, borderColor: INKS.muted, borderWidth: 2, opacity: 1 },
          data: of('indeterminate'),
        },
      ],
    },
  }
}

const stepOf = (points: readonly Point[]): number => Math.ceil(points.length / MOST_POINTS)

const thinned = (points: readonly Point[]): readonly Point[] =>
  points.filter(({ kind }, at) => kind !== 'kept' || at % stepOf(points) === 0)
