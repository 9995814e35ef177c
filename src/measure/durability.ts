/**
 * The price and the promise of synchronous commit, side by side. Pure.
 */
import { promisesDurability, type Synchronous } from '../postgres/synchronous.ts'
import type { FailoverRecord } from './record.ts'
import { spreadOf, summaryOf, type Spread, type Summary } from './statistics.ts'

export interface DurabilityCell extends Synchronous {
  /** Whether an acknowledged write is promised to survive the death of the primary. */
  readonly promised: boolean
  /** From when each write was due until its acknowledgement, before the standbys were cut off. */
  readonly commitMs: Summary
  /** Median of the trials; null when none has one. */
  readonly outageMs: number | null
  /** Over all trials. */
  readonly acknowledged: number
  readonly lost: number
  /** There although they certainly failed or were never attempted, and there more than once: anything but 0 is a fault. */
  readonly unexpected: number
  readonly duplicates: number
  readonly n: number
  readonly spread: { readonly outageMs: Spread | null; readonly lost: Spread }
}

/** `pnpm run durability --json` */
export interface DurabilityDocument {
  readonly version: 1
  readonly runtime: FailoverRecord['runtime']
  readonly postgresVersion: string
  readonly load: FailoverRecord['load']
  /** For so long the standbys had been cut from WAL when the primary crashed. */
  readonly cutMs: number
  /** How much was asked for; fewer are in `cells` when it was interrupted, or with fewer trials. */
  readonly requested: { readonly settings: number; readonly trials: number }
  readonly cells: readonly DurabilityCell[]
  readonly machine: FailoverRecord['machine']
}

/** Whether every setting had all of its trials. */
export const isWhole = ({ requested, cells }: Pick<DurabilityDocument, 'requested' | 'cells'>): boolean =>
  cells.length === requested.settings && cells.every(({ n }) => n === requested.trials)

/** One trial of a cell. */
export interface CellTrial {
  readonly record: FailoverRecord
  /** Milliseconds. */
  readonly commitLatencies: readonly number[]
}

/** @throws RangeError when there is no trial */
export function summariseCell(setting: Synchronous, trials: readonly CellTrial[]): DurabilityCell {
  const records = trials.map(({ record }) => record)
  const outages = records.flatMap(({ outageMs }) => (outageMs === null ? [] : [outageMs]))
  const lost = spreadOf(records.map(({ writes }) => writes.lost))
  const outageMs = outages.length === 0 ? null : spreadOf(outages)
  const total = (figure: (writes: FailoverRecord['writes']) => number): number =>
    records.reduce((all, { writes }) => all + figure(writes), 0)
  return {
    synchronousCommit: setting.synchronousCommit,
    standbys: setting.standbys,
    promised: promisesDurability(setting),
    commitMs: summaryOf(trials.flatMap(({ commitLatencies }) => commitLatencies)),
    outageMs: outageMs?.median ?? null,
    acknowledged: total(({ acknowledged }) => acknowledged),
    lost: total(writes => writes.lost),
    unexpected: total(({ unexpected }) => unexpected),
    duplicates: total(({ duplicates }) => duplicates),
    n: records.length,
    spread: { outageMs, lost },
  }
}
