/**
 * All trials: their distribution, and a row for each. Pure.
 */
import type { Spread } from '../../measure/statistics.ts'
import { formatCount, formatMs } from '../format.ts'
import { phasePartsOf, phasesOf, phaseSpreadsOf, type AnyTrials } from '../phases.ts'
import { figureOf } from './figure.ts'
import type { Markup } from './markup.ts'
import type { Section } from './page.ts'
import { figure, loss, table, type Cell } from './table.ts'
import { phasesFigure, spreadFigure } from './trial-figures.ts'

/** The section on all trials. */
export function trialsSection(document: AnyTrials): Section {
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

function spreadTable(document: AnyTrials): Markup {
  const { outageMs, lost } = document
  const timed = [
    ...(outageMs === null ? [] : [['outage', outageMs] as const]),
    ...phaseSpreadsOf(document).map(({ text, spread }) => [text, spread] as const),
  ]
  return table({
    caption: 'The trials summed up',
    head: ['figure', 'n', 'min', 'median', 'max'],
    rows: [
      ...timed.map(([name, spread]) => [name, ...spreadCells(spread, formatMs)]),
      ...(lost === null ? [] : [['lost writes', ...spreadCells(lost, formatCount)]]),
    ],
  })
}

const spreadCells = ({ n, min, median, max }: Spread, format: (value: number) => string): Cell[] => [
  figure(String(n)),
  ...[min, median, max].map(value => figure(format(value))),
]

function trialsTable({ trials }: AnyTrials): Markup {
  const parts = phasePartsOf(trials[0])
  return table({
    caption: 'Every trial',
    head: ['trial', 'failover', 'outage', ...parts.map(({ text }) => text), 'acknowledged', 'lost', 'verdict'],
    rows: trials.map((trial, at) => [
      String(at + 1),
      `${trial.oldPrimary} to ${trial.newPrimary ?? 'nobody'}`,
      figure(trial.outageMs === null ? 'unknown' : formatMs(trial.outageMs)),
      ...parts.map(({ text }) => figure(msOf(phasesOf(trial).find(phase => phase.text === text)?.ms))),
      figure(formatCount(trial.writes.acknowledged)),
      loss(trial.writes.lost, formatCount(trial.writes.lost)),
      trial.verdict,
    ]),
  })
}

const msOf = (ms: number | undefined): string => (ms === undefined ? '–' : formatMs(ms))
