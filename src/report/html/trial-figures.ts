/**
 * Many trials: how the outages are distributed, and of what each is made. Pure.
 */
import { formatCount, formatMs } from '../format.ts'
import { phasePartsOf, phasesOf, type AnyRecord, type AnyTrials } from '../phases.ts'
import { xAxis, yAxis } from './axes.ts'
import type { Figure } from './figure.ts'
import { markup, type Markup } from './markup.ts'
import { marksOver, roomForMarks } from './marks.ts'
import { frameOf } from './plot.ts'
import { linear, linearAround, type Scale } from './scales.ts'
import { bar, dot, told, triangle } from './shapes.ts'

const DOT_PX = 13

/** Each trial a dot at its outage; dots that would cover each other stand on each other. */
export function spreadFigure({ trials, outageMs }: AnyTrials): Figure | undefined {
  if (outageMs === null) return undefined
  const measured = trials.flatMap(({ outageMs: ms, writes }, at) =>
    ms === null ? [] : [{ ms, lost: writes.lost, number: at + 1 }],
  )
  const span = outageMs.max - outageMs.min || outageMs.max || 1
  const marks = [{ at: outageMs.median, text: `median: ${formatMs(outageMs.median)}` }]
  const { left, right } = frameOf({ top: 0, height: 0 })
  const ends = [Math.max(0, Math.floor(outageMs.min - span / 10)), Math.ceil(outageMs.max + span / 4)] as const
  const scale = linear(ends, [left, right])
  const dots = stacked(measured.map(trial => ({ ...trial, x: scale.at(trial.ms) })))
  const levels = Math.max(...dots.map(({ level }) => level)) + 1
  const frame = frameOf({ top: roomForMarks(marks), height: 20 + levels * (DOT_PX + 1) })
  return {
    id: 'outages',
    label: 'The outage of each trial, and their median',
    caption: `The outage of each of ${measured.length} trials: from ${formatMs(outageMs.min)} to ${formatMs(outageMs.max)}, median ${formatMs(outageMs.median)}. The table of trials has the numbers.`,
    key: [
      { text: 'a trial', ink: 'accent', shape: 'dot' },
      ...(measured.some(({ lost }) => lost > 0)
        ? [{ text: 'a trial that lost acknowledged writes', ink: 'loss', shape: 'triangle' } as const]
        : []),
    ],
    frame,
    drawing: [
      marksOver(frame, scale.at, marks),
      xAxis(frame, { name: 'outage', scale, format: formatAxisMs }),
      ...dots.map(trial => trialDot(trial, frame.bottom - 10 - (trial.level + 0.5) * (DOT_PX + 1))),
    ],
  }
}

function trialDot({ number, ms, lost, x }: TrialDot, y: number): Markup {
  const point = { x, y, size: DOT_PX - 3 }
  return told(`trial ${number}: ${formatMs(ms)}, lost ${formatCount(lost)}`, [
    lost > 0 ? triangle(point, 'loss') : dot(point, 'accent'),
  ])
}

interface TrialDot {
  readonly number: number
  readonly ms: number
  readonly lost: number
  readonly x: number
}

const formatAxisMs = (value: number): string => (value < 1000 ? `${value} ms` : `${value / 1000} s`)

/** Puts each dot on the lowest level where it covers no other. */
function stacked(dots: readonly TrialDot[]): (TrialDot & { readonly level: number })[] {
  const lastOn: number[] = []
  return dots
    .toSorted((a, b) => a.x - b.x)
    .map(trial => {
      const free = lastOn.findIndex(last => trial.x - last >= DOT_PX)
      const level = free === -1 ? lastOn.length : free
      lastOn[level] = trial.x
      return { ...trial, level }
    })
}

/** More labels than this do not fit beside each other. */
const MOST_LABELS = 30

/** A bar a trial, made of its phases. */
export function phasesFigure(trials: readonly AnyRecord[]): Figure {
  const frame = frameOf({ top: 16, height: 228 })
  const highest = Math.max(1, ...trials.map(({ outageMs }) => outageMs ?? 0))
  const y = linearAround([0, highest], [frame.bottom, frame.top])
  const stepPx = (frame.right - frame.left) / trials.length
  const middle = (number: number): number => frame.left + (number - 0.5) * stepPx
  const every = Math.ceil(trials.length / MOST_LABELS)
  const numbers = trials.map((_, at) => at + 1).filter((_, at) => at % every === 0)
  return {
    id: 'phases-by-trial',
    label: 'The phases of the outage in each trial',
    caption:
      'Of what each outage is made: a bar a trial, its phases from the bottom upwards in the order in which they happen. The table of trials has the numbers.',
    key: phasePartsOf(trials[0]).map(({ ink, text }) => ({ ink, text })),
    frame,
    drawing: [
      yAxis(frame, { name: 'outage', scale: y, format: formatAxisMs }),
      ...trials.map((trial, at) => phasesBar(trial, { y: y.at, x: middle(at + 1), width: Math.min(44, stepPx * 0.8) })),
      xAxis(frame, { name: 'trial', scale: { at: middle, ticks: numbers }, format: String }),
    ],
  }
}

function phasesBar(record: AnyRecord, { y, x, width }: BarPlace): Markup {
  const phases = phasesOf(record)
  if (phases.length === 0) return markup``
  const text = phases.map(phase => `${phase.text} ${formatMs(phase.ms)}`).join(', ')
  const ends = phases.map((_, at) => phases.slice(0, at + 1).reduce((sum, { ms }) => sum + ms, 0))
  return told(
    text,
    phases.map(({ ink }, at) =>
      bar({ left: x - width / 2, right: x + width / 2, top: y(ends[at] ?? 0), bottom: y(ends[at - 1] ?? 0) }, ink),
    ),
  )
}

interface BarPlace {
  readonly x: number
  readonly width: number
  readonly y: Scale['at']
}
