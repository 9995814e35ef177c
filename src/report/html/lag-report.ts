/**
 * The report on lag: how far each standby was behind during a burst of inserts. Pure.
 */
import type { CurvePoint, LagDocument, StandbyLag } from '../../measure/lag.ts'
import { formatBytes, formatCount, formatMs, formatSeenMs } from '../format.ts'
import { xAxis, yAxis } from './axes.ts'
import { figureOf, type Figure, type KeyEntry } from './figure.ts'
import { markup, type Markup } from './markup.ts'
import { pageOf } from './page.ts'
import { frameOf } from './plot.ts'
import { linear, type Scale } from './scales.ts'
import { steps } from './shapes.ts'
import { figure, table, type Cell } from './table.ts'

/** One HTML page on a lag document. */
export function lagReport(document: LagDocument): string {
  const { standbys, primary, inserts, ratePerSecond, burstMs, insertMs } = document
  const rate = ratePerSecond === null ? 'as fast as one connection goes' : `at ${formatCount(ratePerSecond)} a second`
  const hasCurve = standbys.some(({ curve }) => curve.length > 0)
  return pageOf({
    title: `Lag: how far the standbys are behind ${primary}`,
    setting: `PostgreSQL ${document.postgresVersion}, ${document.runtime === null ? 'servers that are not the lab’s' : `runtime ${document.runtime}`}`,
    summary: `${formatCount(inserts)} inserts on ${primary}, ${rate}, in ${formatMs(burstMs)}. ${standbys.map(sentenceOf).join(' ')}`,
    figures: [
      { name: 'Insert, median', value: formatMs(insertMs.p50), note: `p99 ${formatMs(insertMs.p99)}, n ${insertMs.n}` },
      ...standbys.map(({ node, maxBytes, drainMs, resolutionMs }) => ({
        name: `${node}, at most behind`,
        value: formatBytes(maxBytes),
        note:
          drainMs === null
            ? 'never seen to catch up'
            : `caught up ${formatSeenMs(drainMs, resolutionMs?.p50)} after the last insert`,
      })),
    ],
    sections: [
      {
        title: 'Bytes behind',
        body: hasCurve ? [figureOf(curveFigure(standbys))] : [markup`<p>No standby was looked at.</p>`],
      },
      { title: 'From commit to visible', body: [visibleTable(standbys), resolutionTable(standbys)] },
      { title: 'What the looks cost', body: [samplingTable(document)] },
    ],
    document,
    documentFile: 'lag.json',
  })
}

type Standby = LagDocument['standbys'][number]

const sentenceOf = ({ node, visibleMs, resolutionMs, maxBytes }: Standby): string =>
  visibleMs === null
    ? `On ${node} no commit was seen.`
    : `On ${node} half of the commits were visible within ${formatMs(Math.max(visibleMs.p50, resolutionMs?.p50 ?? 0))}, and at most ${formatBytes(maxBytes)} were behind.`

/** As many as there are ways to draw a line apart. */
const LINES = [
  { ink: 'accent', shape: 'line', dashes: 'solid' },
  { ink: 'text', shape: 'dashes', dashes: 'dashed' },
  { ink: 'muted', shape: 'dots', dashes: 'dotted' },
] as const

const lineOf = (at: number): (typeof LINES)[number] => LINES[at % LINES.length] ?? LINES[0]

function curveFigure(standbys: readonly Standby[]): Figure {
  const beginAt = standbys.reduce((first, { curve }) => Math.min(first, curve[0]?.at ?? Infinity), Infinity)
  const endAt = standbys.reduce((last, { curve }) => Math.max(last, curve.at(-1)?.at ?? -Infinity), -Infinity)
  const frame = frameOf({ top: 16, height: 248, left: 92 })
  const x = linear([0, Math.max(10, Math.ceil((endAt - beginAt) / 10) * 10)], [frame.left, frame.right])
  const y = bytesScale(standbys, [frame.bottom, frame.top])
  return {
    id: 'lag',
    label: 'Bytes that each standby was behind, over time',
    caption:
      'WAL of acknowledged commits that a standby had not replayed, each time it was looked at. Time counts from the first look after the first commit.',
    key: standbys.map(({ node }, at): KeyEntry => ({ text: node, ink: lineOf(at).ink, shape: lineOf(at).shape })),
    numbers: numbersOf(standbys, { beginAt, endAt }),
    frame,
    drawing: [
      yAxis(frame, { name: 'behind', scale: y, format: formatBytes }),
      xAxis(frame, { name: 'time', scale: x, format: formatTime }),
      ...standbys.map(({ curve }, at) =>
        steps(
          thinned(curve, (endAt - beginAt) / MOST_BUCKETS).map(point => ({
            x: x.at(point.at - beginAt),
            y: y.at(point.bytes),
          })),
          lineOf(at),
        ),
      ),
    ],
  }
}

/** Labelled at a power of two and its multiples, so that the labels are whole kB: 4 to 8 steps. */
function bytesScale(standbys: readonly Standby[], pixels: readonly [number, number]): Scale {
  const most = Math.max(8, ...standbys.map(({ maxBytes }) => maxBytes))
  const step = 2 ** Math.ceil(Math.log2(most / 8))
  const count = Math.ceil(most / step)
  return { ...linear([0, count * step], pixels), ticks: Array.from({ length: count + 1 }, (_, at) => at * step) }
}

const formatTime = (ms: number): string => (ms < 1000 ? `${ms} ms` : `${ms / 1000} s`)

/** About one to two pixels. */
const MOST_BUCKETS = 480

/** Of each `bucketMs` the first, the lowest, the highest and the last look: at this width the line is the same. */
function thinned(curve: readonly CurvePoint[], bucketMs: number): readonly CurvePoint[] {
  if (curve.length <= 4 * MOST_BUCKETS) return curve
  const beginAt = curve[0]?.at ?? 0
  const buckets = new Map<number, CurvePoint[]>()
  for (const point of curve) {
    const number = Math.floor((point.at - beginAt) / bucketMs)
    const bucket = buckets.get(number)
    if (bucket === undefined) buckets.set(number, [point])
    else bucket.push(point)
  }
  return [...buckets.values()].flatMap(bucket => {
    const byBytes = bucket.toSorted((a, b) => a.bytes - b.bytes)
    const kept = new Set([bucket[0], byBytes[0], byBytes.at(-1), bucket.at(-1)])
    return bucket.filter(point => kept.has(point))
  })
}

const TABLE_ROWS = 40

function numbersOf(
  standbys: readonly Standby[],
  { beginAt, endAt }: { readonly beginAt: number; readonly endAt: number },
): NonNullable<Figure['numbers']> {
  const stepMs = (endAt - beginAt) / TABLE_ROWS || 1
  const most = (curve: readonly CurvePoint[], row: number): string => {
    const inRow = curve.filter(({ at }) => Math.min(Math.floor((at - beginAt) / stepMs), TABLE_ROWS - 1) === row)
    return inRow.length === 0 ? '–' : formatBytes(inRow.reduce((high, { bytes }) => Math.max(high, bytes), 0))
  }
  return {
    caption: `At most behind in each ${formatMs(stepMs)}`,
    head: ['from', ...standbys.map(({ node }) => node)],
    rows: Array.from({ length: TABLE_ROWS }, (_, row) => [
      figure(formatMs(row * stepMs)),
      ...standbys.map(({ curve }) => figure(most(curve, row))),
    ]),
  }
}

const visibleTable = (standbys: readonly Standby[]): Markup =>
  table({
    caption: 'From the acknowledgement of a commit until the standby was seen to have replayed it',
    head: [
      'standby',
      'n',
      'p50',
      'p95',
      'max',
      'never seen',
      'behind at the last insert',
      'at most behind',
      'caught up after',
    ],
    rows: standbys.map(standby => [
      standby.node,
      ...visibleCells(standby),
      figure(formatCount(standby.neverSeen)),
      figure(standby.bytesAtEnd === null ? 'unknown' : formatBytes(standby.bytesAtEnd)),
      figure(formatBytes(standby.maxBytes)),
      figure(standby.drainMs === null ? 'not seen' : formatSeenMs(standby.drainMs, standby.resolutionMs?.p50)),
    ]),
  })

const visibleCells = ({ visibleMs, resolutionMs }: StandbyLag): Cell[] =>
  visibleMs === null
    ? [figure('0'), figure('–'), figure('–'), figure('–')]
    : [
        figure(formatCount(visibleMs.n)),
        ...[visibleMs.p50, visibleMs.p95, visibleMs.max].map(ms => figure(formatSeenMs(ms, resolutionMs?.p50))),
      ]

const resolutionTable = (standbys: readonly Standby[]): Markup =>
  table({
    caption: 'Resolution: the time between two looks. The figures above cannot resolve less',
    head: ['standby', 'p50', 'p95', 'max'],
    rows: standbys.map(({ node, resolutionMs }) => [
      node,
      ...(resolutionMs === null
        ? [figure('–'), figure('–'), figure('–')]
        : [resolutionMs.p50, resolutionMs.p95, resolutionMs.max].map(ms => figure(formatMs(ms)))),
    ]),
  })

const samplingTable = ({ sampling }: LagDocument): Markup =>
  table({
    caption: 'The same inserts with looks at the standbys and without',
    head: ['what', 'value'],
    rows: [
      ['pause between two looks', figure(sampling.everyMs === 0 ? 'none' : formatMs(sampling.everyMs))],
      ['inserts a second, without looks', figure(formatCount(Math.round(sampling.insertsPerSecond.without)))],
      ['inserts a second, with looks', figure(formatCount(Math.round(sampling.insertsPerSecond.with)))],
      ['with / without', figure(sampling.ratio.toFixed(2))],
      ['runs without looks', figure(String(sampling.n))],
    ],
  })
