/**
 * The page of a comparison: how long nobody could write, by way and by event, and what the timers say of it. Pure.
 */
import type { CompareDocument } from '../../compare/compare.ts'
import type { CompareCell } from '../../compare/document.ts'
import { wayMeanings } from '../../compare/plan.ts'
import { stackEventMeanings, stackEvents, type StackEvent } from '../../stack/events.ts'
import { CELL_HEAD, cellRow, timersText } from '../compare.ts'
import { formatCount, formatMs } from '../format.ts'
import { xAxis } from './axes.ts'
import { machineRows } from './failover-sections.ts'
import { figureOf, type Figure } from './figure.ts'
import { paint } from './inks.ts'
import { markup, type Markup } from './markup.ts'
import { pageOf } from './page.ts'
import { frameOf, type Frame } from './plot.ts'
import { linear, type Scale } from './scales.ts'
import { bar, dot, px, told, triangle } from './shapes.ts'
import { figure, table } from './table.ts'

export function compareReport(document: CompareDocument): string {
  const { cells, trials, load } = document
  const lost = trials.reduce((sum, { writes }) => sum + writes.lost, 0)
  const predicted = cells.filter(({ predicted }) => predicted !== null)
  const [inside, of] = [sumOf(predicted, cell => cell.inside), sumOf(predicted, cell => cell.n)]
  return pageOf({
    title: 'Ways to the primary, compared',
    setting: `PostgreSQL ${document.postgresVersion}, runtime ${document.runtime}`,
    summary: `${counted(trials.length)} in ${cells.length} cells. Each way has a client of its own, with ${load.ratePerSecond} writes a second over ${load.connections} connections; the clients of one trial saw the same event.`,
    figures: [
      { name: 'Inside what the timers say', value: `${inside} of ${of}`, note: 'trials' },
      {
        name: 'Acknowledged writes lost',
        value: formatCount(lost),
        note: `of ${formatCount(trials.reduce((sum, { writes }) => sum + writes.acknowledged, 0))}`,
        isLoss: lost > 0,
      },
    ],
    sections: [
      ...stackEvents.flatMap(event => {
        const those = cells.filter(cell => cell.event === event)
        return those.length === 0 ? [] : [{ title: titleOf(event), body: eventBody(event, those) }]
      }),
      { title: 'Setting', body: [settingTable(document)] },
    ],
    document,
    documentFile: 'compare.json',
  })
}

const counted = (count: number): string => `${formatCount(count)} trials`
const sumOf = (cells: readonly CompareCell[], of: (cell: CompareCell) => number): number =>
  cells.reduce((sum, cell) => sum + of(cell), 0)
const titleOf = (event: StackEvent): string =>
  `${event.slice(0, 1).toUpperCase()}${event.slice(1)}: ${stackEventMeanings[event]}`

const eventBody = (event: StackEvent, cells: readonly CompareCell[]): Markup[] => [
  figureOf(timesFigure(event, cells)),
  table({
    caption:
      'Each cell: medians of the outage and of its phases; what was lost, unknown and refused in all of its trials',
    head: CELL_HEAD,
    rows: cells.map(cell => cellRow(cell).map((text, at) => (at < 2 ? text : figure(text)))),
  }),
]

const ROW_PX = 26

/** A row a cell: from the shortest to the longest, the median on it, and behind it what the timers say. */
function timesFigure(event: StackEvent, cells: readonly CompareCell[]): Figure {
  const frame = frameOf({ top: 12, height: cells.length * ROW_PX, left: 170, right: 40 })
  const ends = cells.flatMap(cell => [cell.silenceMs?.max ?? 0, cell.predicted?.maxMs ?? 0])
  const scale = linear([0, Math.max(1_000, ...ends)], [frame.left, frame.right])
  return {
    id: `times-${event}`,
    label: `How long nobody could write, ${event}`,
    caption:
      'From the shortest to the longest time in which nobody could write, with the median; the pale bar is what the timers say. The table has the numbers.',
    key: [
      { text: 'median', ink: 'accent', shape: 'dot' },
      { text: 'median of a cell that lost acknowledged writes', ink: 'loss', shape: 'triangle' },
    ],
    frame,
    drawing: [
      xAxis(frame, { name: 'nobody could write', scale, format: value => `${value / 1000} s` }),
      ...cells.map((cell, row) => cellMarks(cell, { frame, x: scale.at, y: frame.top + (row + 0.5) * ROW_PX })),
    ],
  }
}

function cellMarks(
  cell: CompareCell,
  { frame, x, y }: { readonly frame: Frame; readonly x: Scale['at']; readonly y: number },
): Markup {
  const name = `${cell.way}${cell.setting === 'none' ? '' : `, ${cell.setting}`}`
  const time = cell.silenceMs
  const { minMs = 0, maxMs = null } = cell.predicted ?? {}
  const text =
    time === null ? 'goes on' : `${formatMs(time.min)} to ${formatMs(time.max)}, median ${formatMs(time.median)}`
  const point = { x: x(time?.median ?? 0), y, size: 11 }
  return told(`${name}: ${text}, n ${cell.n}`, [
    ...(maxMs === null ? [] : [bar({ left: x(minMs), right: x(maxMs), top: y - 8, bottom: y + 8 }, 'line')]),
    markup`<text x="${frame.left - 8}" y="${y + 4.5}" text-anchor="end">${name}</text>`,
    ...(time === null
      ? []
      : [
          markup`<path d="M${px(x(time.min))} ${y}H${px(x(time.max))}" fill="none" stroke="${paint('accent')}" stroke-width="2"/>`,
          cell.writes.lost > 0 ? triangle(point, 'loss') : dot(point, 'accent'),
        ]),
  ])
}

const settingTable = ({ timers, deadlines, load, machine, cells }: CompareDocument): Markup =>
  table({
    caption: 'Where and how it was measured',
    head: ['what', 'value'],
    rows: [
      ...[...new Set(cells.map(({ way }) => way))].map(way => [`way ${way}`, wayMeanings[way]]),
      ...Object.entries(timers).map(([name, of]) => [`timers, ${name} (s)`, timersText(of)]),
      ['load of each client', `${load.ratePerSecond} writes a second, ${load.connections} connections`],
      ['deadline of a write', formatMs(deadlines.writeTimeoutMs)],
      ['deadline of an attempt to connect', formatMs(deadlines.connectTimeoutMs)],
      ...machineRows(machine),
    ],
  })
