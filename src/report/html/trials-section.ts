/**
 * All trials: their distribution, and a row for each. Pure.
 */
import type { Spread } from '../../measure/statistics.ts'
import type { TrialsDocument } from '../../measure/trials.ts'
import { formatCount, formatMs } from '../format.ts'
import { figureOf } from './figure.ts'
import type { Markup } from './markup.ts'
import type { Section } from './page.ts'
import { figure, loss, table, type Cell } from './table.ts'
import { PHASES, phasesFigure, spreadFigure } from './trial-figures.ts'

/** The section on all trials. */
export function trialsSection(document: TrialsDocument): Section {
  const spread = spreadFigure(document)
  return {
    title: 'Trials',
    body: [
      ...(spread === undefined ? [] : [figureOf(spread), figureOf(phasesFigure(document.trials))]),
      spreadTable(document),
      trialsTable(document),
    ],
  }
}

function spreadTable({ outageMs, phases, lost }: TrialsDocument): Markup {
  const timed = [
    ...(outageMs === null ? [] : [['outage', outageMs] as const]),
    ...(phases === null ? [] : PHASES.map(({ name, text }) => [text, phases[name]] as const)),
  ]
  return table({
    caption: 'The trials summed up',
    head: ['figure', 'n', 'min', 'median', 'max'],
    rows: [
      ...timed.map(([name, spread]) => [name, ...spreadCells(spread, formatMs)]),
      ['lost writes', ...spreadCells(lost, formatCount)],
    ],
  })
}

const spreadCells = ({ n, min, median, max }: Spread, format: (value: number) => string): Cell[] => [
  figure(String(n)),
  ...[min, median, max].map(value => figure(format(value))),
]

const trialsTable = ({ trials }: TrialsDocument): Markup =>
  table({
    caption: 'Every trial',
    head: ['trial', 'failover', 'outage', ...PHASES.map(({ text }) => text), 'acknowledged', 'lost', 'verdict'],
    rows: trials.map(({ phases, outageMs, writes, ...trial }, at) => [
      String(at + 1),
      `${trial.oldPrimary} to ${trial.newPrimary}`,
      figure(outageMs === null ? 'unknown' : formatMs(outageMs)),
      ...PHASES.map(({ name }) => figure(phases === null ? '–' : formatMs(phases[name]))),
      figure(formatCount(writes.acknowledged)),
      loss(writes.lost, formatCount(writes.lost)),
      trial.verdict,
    ]),
  })
