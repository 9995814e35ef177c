/**
 * The report on durability: what each setting of synchronous commit costs, and what it keeps. Pure.
 */
import type { DurabilityCell, DurabilityDocument } from '../../measure/durability.ts'
import { synchronousCommits, synchronousStandbys } from '../../postgres/synchronous.ts'
import { formatCount, formatMs } from '../format.ts'
import { xAxis } from './axes.ts'
import { machineRows } from './failover-sections.ts'
import { figureOf, type Figure } from './figure.ts'
import { paint } from './inks.ts'
import { markup, type Markup } from './markup.ts'
import { pageOf } from './page.ts'
import { frameOf, type Frame } from './plot.ts'
import { decadesAround, type Scale } from './scales.ts'
import { dot, px, ring, told, type Point } from './shapes.ts'
import { figure, loss, table, type Table } from './table.ts'

/** One HTML page on a durability document. */
export function durabilityReport(document: DurabilityDocument): string {
  const { cells, cutMs, load } = document
  const ordered = synchronousCommits.flatMap(row =>
    synchronousStandbys.flatMap(column => cellAt(cells, row, column) ?? []),
  )
  const [lossy, broken] = [
    ordered.filter(({ lost }) => lost > 0),
    ordered.filter(cell => cell.promised && cell.lost > 0),
  ]
  const commits = ordered.toSorted((a, b) => a.commitMs.p50 - b.commitMs.p50)
  const [fastest, slowest] = [commits[0], commits.at(-1)]
  return pageOf({
    title: 'Durability: what synchronous commit costs, and what it keeps',
    setting: `PostgreSQL ${document.postgresVersion}, runtime ${document.runtime}`,
    summary: `The primary crashed under ${formatCount(load.ratePerSecond)} writes a second on ${load.connections} connections, after its standbys had been cut from WAL for ${formatMs(cutMs)}. ${lossy.length} of ${ordered.length} settings lost acknowledged writes. ${promiseSentence(ordered, broken)}`,
    figures: [
      {
        name: 'Settings that lost writes',
        value: `${lossy.length} of ${ordered.length}`,
        note: lossy.length > 3 ? 'the tables say which' : lossy.map(nameOf).join(', '),
        isLoss: lossy.length > 0,
      },
      ...(fastest === undefined || slowest === undefined
        ? []
        : [
            { name: 'Fastest commit, p50', value: formatMs(fastest.commitMs.p50), note: nameOf(fastest) },
            { name: 'Slowest commit, p50', value: formatMs(slowest.commitMs.p50), note: nameOf(slowest) },
          ]),
    ],
    sections: [
      {
        title: 'Latency and loss by setting',
        body: [...(ordered.length === 0 ? [] : [figureOf(latencyFigure(ordered))]), gridTable(cells)],
      },
      { title: 'Every setting', body: [table(numbersOf(ordered))] },
      { title: 'Setting', body: [settingTable(document)] },
    ],
    document,
    documentFile: 'durability.json',
  })
}

const cellAt = (cells: readonly DurabilityCell[], row: string, column: string): DurabilityCell | undefined =>
  cells.find(({ synchronousCommit, standbys }) => synchronousCommit === row && standbys === column)

const nameOf = ({ synchronousCommit, standbys }: DurabilityCell): string => `${synchronousCommit} · ${standbys}`

function promiseSentence(cells: readonly DurabilityCell[], broken: readonly DurabilityCell[]): string {
  const promised = cells.filter(cell => cell.promised).length
  if (broken.length > 0) return `A setting that promises to keep them lost some: ${broken.map(nameOf).join('; ')}.`
  return promised === 0 ? 'None promised to keep them.' : `None of the ${promised} that promise to keep them lost any.`
}

const ROW_PX = 28

/** A row a setting: p50 and p99 of the commit latency, and what was lost. */
function latencyFigure(cells: readonly DurabilityCell[]): Figure {
  const frame = frameOf({ top: 16, height: cells.length * ROW_PX, left: 210, right: 190 })
  const latencies = cells.flatMap(({ commitMs }) => [commitMs.p50, commitMs.p99])
  const scale = decadesAround(latencies, [frame.left, frame.right])
  return {
    id: 'commit-latency',
    label: 'Commit latency, p50 and p99, and lost writes of each setting',
    caption:
      'Commit latency of each setting before the standbys were cut off, on a logarithmic scale, and at the right what the crash took. The tables have the numbers.',
    key: [
      { text: 'p50', ink: 'accent', shape: 'dot' },
      { text: 'p99', ink: 'accent', shape: 'ring' },
    ],
    frame,
    drawing: [
      xAxis(frame, { name: 'commit latency, logarithmic', scale, format: value => `${value} ms` }),
      markup`<path d="M${frame.left} ${frame.top}V${frame.bottom}" fill="none" stroke="${paint('line')}"/>\n`,
      ...cells.map((cell, row) => latencyRow(cell, { frame, x: scale.at, y: frame.top + (row + 0.5) * ROW_PX })),
    ],
  }
}

function latencyRow(
  cell: DurabilityCell,
  { frame, x, y }: { readonly frame: Frame; readonly x: Scale['at']; readonly y: number },
): Markup {
  const { p50, p99 } = cell.commitMs
  const point = (ms: number): Point => ({ x: x(ms), y, size: 11 })
  return told(`${nameOf(cell)}: p50 ${formatMs(p50)}, p99 ${formatMs(p99)}, ${lostText(cell)}`, [
    markup`<text x="${frame.left - 8}" y="${y + 4.5}" text-anchor="end">${nameOf(cell)}</text>`,
    markup`<path d="M${px(x(p50))} ${y}H${px(x(p99))}" fill="none" stroke="${paint('accent')}" stroke-width="2"/>`,
    dot(point(p50), 'accent'),
    ring(point(p99), 'accent'),
    markup`<text x="${frame.right + 8}" y="${y + 4.5}" fill="${paint(cell.lost > 0 ? 'loss' : 'muted')}">${lostText(cell)}</text>`,
  ])
}

const lostText = ({ lost, acknowledged }: DurabilityCell): string =>
  lost === 0 ? 'lost 0' : `lost ${formatCount(lost)} of ${formatCount(acknowledged)}`

const gridTable = (cells: readonly DurabilityCell[]): Markup =>
  table({
    caption: 'By synchronous_commit (rows) and by which standbys a commit waits for (columns)',
    head: ['synchronous_commit', ...synchronousStandbys],
    rows: synchronousCommits.map(row => [
      markup`<code>${row}</code>`,
      ...synchronousStandbys.map(column => {
        const cell = cellAt(cells, row, column)
        return cell === undefined ? 'not measured' : cellMarkup(cell)
      }),
    ]),
  })

const cellMarkup = (
  cell: DurabilityCell,
): Markup => markup`<span>p50 ${formatMs(cell.commitMs.p50)}, p99 ${formatMs(cell.commitMs.p99)}</span>
<span${cell.lost > 0 ? markup` class="loss"` : undefined}>lost ${formatCount(cell.lost)} of ${formatCount(cell.acknowledged)}</span>
<span>outage ${cell.outageMs === null ? 'unknown' : formatMs(cell.outageMs)}, n ${cell.n}</span>`

const numbersOf = (cells: readonly DurabilityCell[]): Table => ({
  caption: 'Commit latency, loss and outage of each setting; the outage is the median of its trials',
  head: ['setting', 'promised', 'p50', 'p99', 'acknowledged', 'lost', 'outage', 'n'],
  rows: cells.map(cell => [
    nameOf(cell),
    cell.promised ? 'to survive' : 'nothing',
    figure(formatMs(cell.commitMs.p50)),
    figure(formatMs(cell.commitMs.p99)),
    figure(formatCount(cell.acknowledged)),
    loss(cell.lost, formatCount(cell.lost)),
    figure(cell.outageMs === null ? 'unknown' : formatMs(cell.outageMs)),
    figure(String(cell.n)),
  ]),
})

const settingTable = ({ load, cutMs, machine }: DurabilityDocument): Markup =>
  table({
    caption: 'Where and how it was measured',
    head: ['what', 'value'],
    rows: [
      ['load', `${formatCount(load.ratePerSecond)} writes a second, ${load.connections} connections`],
      ['standbys cut from WAL before the crash', formatMs(cutMs)],
      ...machineRows(machine),
    ],
  })
