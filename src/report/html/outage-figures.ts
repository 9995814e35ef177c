/**
 * One run around its outage: what the client was told, and how long it waited. Pure.
 */
import { formatMs } from '../format.ts'
import { percentile } from '../../measure/statistics.ts'
import { xAxis, yAxis } from './axes.ts'
import type { Figure } from './figure.ts'
import type { Markup } from './markup.ts'
import { marksOver, roomForMarks } from './marks.ts'
import type { Bin, OutageWindow, Point } from './outage-window.ts'
import { frameOf, type Frame } from './plot.ts'
import { decadesAround, linear, linearAround, type Scale } from './scales.ts'
import { bar, diamond, dot, hollow, told, triangle } from './shapes.ts'
import { figure, loss } from './table.ts'

const PLOT_PX = 230

/** Acknowledgements upwards and errors downwards, by bin. */
export function answersFigure(window: OutageWindow, id: string): Figure {
  const { bins, binMs, marks } = window
  const frame = frameOf({ top: roomForMarks(marks), height: PLOT_PX })
  const x = timeScale(window, frame)
  const most = Math.max(1, ...bins.map(({ kept, lost }) => kept + lost))
  const y = linearAround([Math.min(0, ...bins.map(bin => -errorsOf(bin))), most], [frame.bottom, frame.top])
  const whole = { ...y, ticks: y.ticks.filter(Number.isInteger) }
  return {
    id,
    label: `Acknowledgements and errors in each ${binMs} ms around the outage`,
    caption: `What the client was told in each ${binMs} ms: acknowledgements upwards, errors downwards. Time counts from the fault. The shaded bands are the phases of the outage.`,
    key: [
      { text: 'acknowledged', ink: 'accent' },
      ...(bins.some(bin => bin.lost > 0)
        ? [{ text: 'acknowledged, and lost', ink: 'loss', shape: 'hollow' } as const]
        : []),
      { text: 'error: indeterminate, failed, or no connection', ink: 'muted' },
    ],
    numbers: numbersOf(window),
    frame,
    drawing: [
      marksOver(frame, x.at, marks),
      yAxis(frame, { name: `answers per ${binMs} ms`, scale: whole, format: value => String(Math.abs(value)) }),
      xAxis(frame, { name: 'time since the fault', scale: x, format: formatTime }),
      ...bins.map(bin => binBars(bin, { left: x.at(bin.atMs), right: x.at(bin.atMs + binMs) - 1, y: y.at })),
    ],
  }
}

function binBars(bin: Bin, { left, right, y }: BinPlace): Markup {
  const { atMs, kept, lost } = bin
  const errors = errorsOf(bin)
  const text = `${formatTime(atMs)}: ${kept + lost} acknowledged${lost > 0 ? `, ${lost} of them lost` : ''}, errors ${errors}`
  return told(text, [
    ...(kept > 0 ? [bar({ left, right, top: y(kept), bottom: y(0) }, 'accent')] : []),
    ...(lost > 0 ? [hollow({ left, right, top: y(kept + lost), bottom: y(kept) }, 'loss')] : []),
    ...(errors > 0 ? [bar({ left, right, top: y(0), bottom: y(-errors) }, 'muted')] : []),
  ])
}

interface BinPlace {
  readonly left: number
  readonly right: number
  readonly y: Scale['at']
}

const errorsOf = ({ indeterminate, failed, refused }: Bin): number => indeterminate + failed + refused

const timeScale = ({ fromMs, toMs }: OutageWindow, { left, right }: Frame): Scale =>
  linear([fromMs, toMs], [left, right])

/** `-120 ms`, `0`, `1.5 s`. */
const formatTime = (ms: number): string => (ms === 0 ? '0' : Math.abs(ms) < 1000 ? `${ms} ms` : `${ms / 1000} s`)

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
  const frame = frameOf({ top: roomForMarks(marks), height: PLOT_PX })
  const x = timeScale(window, frame)
  const y = decadesAround(
    shown.map(({ latencyMs }) => latencyMs),
    [frame.bottom, frame.top],
  )
  const has = (kind: Point['kind']): boolean => shown.some(point => point.kind === kind)
  return {
    id,
    label: 'Latency of each write around the outage, on a logarithmic scale',
    caption: `How long each write took, from the instant when it was due. A write that was due early in the outage waited for all of it.${thinning} The numbers are in the table of the plot before and in the table of latencies.`,
    key: [
      { text: 'acknowledged', ink: 'accent', shape: 'dot' },
      ...(has('lost') ? [{ text: 'acknowledged, and lost', ink: 'loss', shape: 'triangle' } as const] : []),
      ...(has('indeterminate') ? [{ text: 'indeterminate', ink: 'muted', shape: 'diamond' } as const] : []),
    ],
    frame,
    drawing: [
      marksOver(frame, x.at, marks),
      yAxis(frame, { name: 'latency, logarithmic', scale: y, format: formatTime }),
      xAxis(frame, { name: 'time since the fault', scale: x, format: formatTime }),
      ...KINDS.flatMap(kind => shown.filter(point => point.kind === kind)).map(point =>
        told(`due at ${formatTime(Math.round(point.dueMs))}, ${WORDS[point.kind]} after ${formatMs(point.latencyMs)}`, [
          SHAPES[point.kind](x.at(point.dueMs), y.at(point.latencyMs)),
        ]),
      ),
    ],
  }
}

const WORDS = { kept: 'acknowledged', lost: 'acknowledged and lost,', indeterminate: 'indeterminate' } as const

const SHAPES: Readonly<Record<Point['kind'], (x: number, y: number) => Markup>> = {
  kept: (x, y) => dot({ x, y, size: 5 }, 'accent'),
  lost: (x, y) => triangle({ x, y, size: 8 }, 'loss'),
  indeterminate: (x, y) => diamond({ x, y, size: 10 }, 'muted'),
}

/** What is rarer covers what is not. */
const KINDS = ['kept', 'lost', 'indeterminate'] as const

const stepOf = (points: readonly Point[]): number => Math.ceil(points.length / MOST_POINTS)

const thinned = (points: readonly Point[]): readonly Point[] =>
  points.filter(({ kind }, at) => kind !== 'kept' || at % stepOf(points) === 0)
