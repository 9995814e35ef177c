/**
 * Many trials: how the outages are distributed, and of what each is made. Pure.
 */
import type { Phases } from '../../measure/outage.ts'
import type { FailoverRecord } from '../../measure/record.ts'
import type { TrialsDocument } from '../../measure/trials.ts'
import { formatMs } from '../format.ts'
import { markSeries, roomForMarks, xAxis, yAxis } from './axes.ts'
import type { Figure } from './figure.ts'
import { INKS, type Ink } from './inks.ts'
import { PLOT_WIDTH } from './plot.ts'

const LEFT_PX = 84
const RIGHT_PX = 24
const DOT_PX = 13

/** Each trial a dot at its outage; dots that would cover each other stand on each other. */
export function spreadFigure({ trials, outageMs }: TrialsDocument): Figure | undefined {
  if (outageMs === null) return undefined
  const measured = trials.flatMap(({ outageMs: ms, writes }) => (ms === null ? [] : [{ ms, hasLost: writes.lost > 0 }]))
  const span = outageMs.max - outageMs.min || outageMs.max || 1
  const [min, max] = [Math.max(0, Math.floor(outageMs.min - span / 10)), Math.ceil(outageMs.max + span / 4)]
  const dots = stacked(measured, ((max - min) * DOT_PX) / (PLOT_WIDTH - LEFT_PX - RIGHT_PX))
  const highest = Math.max(...dots.map(({ level }) => level))
  const marks = [{ at: outageMs.median, text: `median: ${formatMs(outageMs.median)}` }]
  const of = (hasLost: boolean): number[][] => dots.filter(dot => dot.hasLost === hasLost).map(d => [d.ms, d.level])
  const scatter = { type: 'scatter', silent: true, z: 3, symbolSize: DOT_PX - 3 }
  const anyLost = measured.some(({ hasLost }) => hasLost)
  return {
    id: 'outages',
    label: 'The outage of each trial, and their median',
    height: roomForMarks(marks) + 20 + (highest + 1) * (DOT_PX + 1) + 60,
    caption: `The outage of each of ${measured.length} trials: from ${formatMs(outageMs.min)} to ${formatMs(outageMs.max)}, median ${formatMs(outageMs.median)}. The table of trials has the numbers.`,
    key: [
      { text: 'a trial', ink: 'accent', shape: 'dot' },
      ...(anyLost ? [{ text: 'a trial that lost acknowledged writes', ink: 'loss', shape: 'triangle' } as const] : []),
    ],
    option: {
      grid: { top: roomForMarks(marks), left: LEFT_PX, right: RIGHT_PX, bottom: 56 },
      xAxis: xAxis({ name: 'outage', format: formatAxisMs, min, max }),
      yAxis: { type: 'value', show: false, min: -0.7, max: highest + 0.7 },
      series: [
        markSeries(marks),
        { ...scatter, itemStyle: { color: INKS.accent, opacity: 1 }, data: of(false) },
        { ...scatter, symbol: 'triangle', itemStyle: { color: INKS.loss, opacity: 1 }, data: of(true) },
      ],
    },
  }
}

const formatAxisMs = (value: number): string => (value < 1000 ? `${value} ms` : `${value / 1000} s`)

/** Puts each dot on the lowest level where none is nearer than `apart`, in the units of the axis. */
function stacked<T extends { readonly ms: number }>(dots: readonly T[], apart: number): (T & { level: number })[] {
  const lastOn: number[] = []
  return dots
    .toSorted((a, b) => a.ms - b.ms)
    .map(dot => {
      const free = lastOn.findIndex(last => dot.ms - last >= apart)
      const level = free === -1 ? lastOn.length : free
      lastOn[level] = dot.ms
      return { ...dot, level }
    })
}

/** The phases, in the order in which they happen. */
export const PHASES: readonly { readonly name: keyof Phases; readonly ink: Ink; readonly text: string }[] = [
  { name: 'detectMs', ink: 'detect', text: 'detect' },
  { name: 'fenceMs', ink: 'fence', text: 'fence' },
  { name: 'promoteMs', ink: 'promote', text: 'promote' },
  { name: 'firstWriteMs', ink: 'firstWrite', text: 'first write' },
]

/** A bar a trial, made of its phases. */
export function phasesFigure(trials: readonly FailoverRecord[]): Figure {
  return {
    id: 'phases-by-trial',
    label: 'The phases of the outage in each trial',
    height: 300,
    caption:
      'Of what each outage is made: a bar a trial, its phases from the bottom upwards in the order in which they happen. The table of trials has the numbers.',
    key: PHASES.map(({ ink, text }) => ({ ink, text })),
    option: {
      grid: { top: 16, left: LEFT_PX, right: RIGHT_PX, bottom: 56 },
      xAxis: {
        ...xAxis({ name: 'trial', format: String }),
        axisTick: { show: false },
        axisLabel: { color: INKS.muted, fontSize: 13 },
        type: 'category',
        data: trials.map((_, at) => String(at + 1)),
      },
      yAxis: yAxis({ name: 'outage', format: formatAxisMs }),
      series: PHASES.map(({ name, ink }) => ({
        type: 'bar',
        stack: 'outage',
        silent: true,
        barMaxWidth: 44,
        itemStyle: { color: INKS[ink], borderColor: INKS.page, borderWidth: 1 },
        data: trials.map(({ phases }) => phases?.[name] ?? 0),
      })),
    },
  }
}
