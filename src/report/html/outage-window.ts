/**
 * A run around its outage, counted in bins of time. Pure.
 * Every instant in it is in milliseconds relative to the fault.
 */
import { measureOutage, measurePhases, type Outage } from '../../measure/outage.ts'
import type { Write } from '../../history/history.ts'
import { formatMs } from '../format.ts'
import { phasesOf, type AnyResult } from '../phases.ts'
import type { Mark } from './marks.ts'

/** So much is drawn before and after the outage, where the run lasted that long: milliseconds, or a part of the outage. */
const AROUND = { leastMs: 500, ofOutage: 0.25 }
const MOST_BINS = 200
const BIN_WIDTHS_MS = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]
/** Of the width of the plot, where the last phase may begin at most: its label needs the rest. */
const LAST_LABEL_AT = 0.84

export interface OutageWindow {
  /** Both are the edge of a bin. */
  readonly fromMs: number
  readonly toMs: number
  readonly binMs: number
  readonly bins: readonly Bin[]
  /** Settled acknowledged or indeterminate, and due in the window. */
  readonly points: readonly Point[]
  /** The fault, and the phases of the outage if it has an end. */
  readonly marks: readonly Mark[]
}

/** What the client was told from `atMs` to the next bin. */
export interface Bin {
  readonly atMs: number
  /** Acknowledged, and still there. */
  readonly kept: number
  /** Acknowledged, and gone. */
  readonly lost: number
  readonly indeterminate: number
  readonly failed: number
  readonly refused: number
  /** Latencies of the acknowledged, from when each was due. */
  readonly latenciesMs: readonly number[]
}

export interface Point {
  readonly kind: 'kept' | 'lost' | 'indeterminate'
  readonly dueMs: number
  readonly latencyMs: number
}

/** Cuts the window out of the run. */
export function outageWindow(run: AnyResult): OutageWindow {
  const { history, milestones, record } = run
  const outage = measureOutage(history, milestones)
  const relative = (at: number): number => at - milestones.faultAt
  const marks = marksOf(run, outage)
  const { beginMs, endMs } = edges(run, outage, marks)
  const binMs = BIN_WIDTHS_MS.find(width => (endMs - beginMs) / width <= MOST_BINS) ?? BIN_WIDTHS_MS.at(-1) ?? 10
  const [fromMs, toMs] = [Math.floor(beginMs / binMs) * binMs, Math.ceil(endMs / binMs) * binMs]
  const lost = new Set(record.lostIds)
  const points = history.writes.flatMap(write => {
    const [dueMs, kind] = [relative(write.dueAt), kindOf(write, lost)]
    return kind === 'failed' || dueMs < fromMs || dueMs > toMs
      ? []
      : [{ kind, dueMs, latencyMs: write.settledAt - write.dueAt }]
  })
  return { fromMs, toMs, binMs, bins: binsOf(run, { fromMs, toMs, binMs }), points, marks }
}

/** Where the window begins and ends: not beyond the run, but with room for the last label. */
function edges(
  { history, milestones: { faultAt } }: AnyResult,
  outage: Outage | undefined,
  marks: readonly Mark[],
): { readonly beginMs: number; readonly endMs: number } {
  const aroundMs = Math.max(AROUND.leastMs, (outage?.ms ?? 0) * AROUND.ofOutage)
  const before = Math.min(0, (outage?.lastAcknowledgedAt ?? faultAt) - faultAt) - aroundMs
  const after = Math.max(0, (outage?.firstAcknowledgedAt ?? faultAt) - faultAt) + aroundMs
  const beginMs = Math.max(before, history.startedAt - faultAt)
  const lastMark = Math.max(...marks.map(({ at }) => at))
  const neededMs = beginMs + (lastMark - beginMs) / LAST_LABEL_AT
  return { beginMs, endMs: Math.max(Math.min(after, history.stoppedAt - faultAt), neededMs) }
}

function marksOf({ record, milestones }: AnyResult, outage: Outage | undefined): Mark[] {
  const fault: Mark = { at: 0, text: `${record.fault}: 0 ms` }
  if (outage === undefined) return [fault]
  const phases = measurePhases(outage, milestones)
  const parts = phasesOf({ ...record, phases: record.phases === null ? null : phases })
  let from = outage.lastAcknowledgedAt - milestones.faultAt
  const marks = parts.map(({ text, ms }) => {
    const mark = { at: from, until: from + ms, text: `${text}: ${formatMs(ms)}` }
    from += ms
    return mark
  })
  return [fault, ...marks]
}

const kindOf = ({ id, outcome }: Write, lost: ReadonlySet<number>): 'kept' | 'lost' | 'indeterminate' | 'failed' => {
  if (outcome.kind !== 'acknowledged') return outcome.kind
  return lost.has(id) ? 'lost' : 'kept'
}

function binsOf(
  { history, milestones: { faultAt }, record }: AnyResult,
  { fromMs, toMs, binMs }: Pick<OutageWindow, 'fromMs' | 'toMs' | 'binMs'>,
): Bin[] {
  const first = Math.floor(fromMs / binMs)
  const bins = Array.from({ length: Math.ceil(toMs / binMs) - first }, (_, at) => ({
    atMs: (first + at) * binMs,
    kept: 0,
    lost: 0,
    indeterminate: 0,
    failed: 0,
    refused: 0,
    latenciesMs: [] as number[],
  }))
  const binAt = (instant: number): (typeof bins)[number] | undefined =>
    bins[Math.floor((instant - faultAt) / binMs) - first]
  const lost = new Set(record.lostIds)
  for (const write of history.writes) {
    const bin = binAt(write.settledAt)
    if (bin === undefined) continue
    bin[kindOf(write, lost)]++
    if (write.outcome.kind === 'acknowledged') bin.latenciesMs.push(write.settledAt - write.dueAt)
  }
  for (const { at } of history.connectionErrors) {
    const bin = binAt(at)
    if (bin !== undefined) bin.refused++
  }
  return bins
}
