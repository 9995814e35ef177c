/**
 * Many failovers, summed up. Pure.
 */
import type { Verdict } from '../history/check.ts'
import type { Phases } from './outage.ts'
import type { FailoverRecord } from './record.ts'
import { spreadOf, type Spread } from './statistics.ts'

/** `pnpm run failover --trials N --json` */
export interface TrialsDocument {
  readonly version: 1
  readonly runtime: FailoverRecord['runtime']
  readonly postgresVersion: string
  readonly fault: string
  readonly load: FailoverRecord['load']
  /** How many were asked for; fewer are in `trials` when it was interrupted. */
  readonly requested: number
  readonly n: number
  /** Of the trials that have an outage; null when none has. */
  readonly outageMs: Spread | null
  readonly phases: Readonly<Record<keyof Phases, Spread>> | null
  readonly lost: Spread
  /** Over all trials. */
  readonly writes: FailoverRecord['writes']
  readonly verdicts: Readonly<Record<Verdict, number>>
  readonly trials: readonly FailoverRecord[]
}

/** @throws RangeError when there is no trial */
export function summariseTrials(trials: readonly FailoverRecord[], requested: number): TrialsDocument {
  const [first] = trials
  if (first === undefined) throw new RangeError('no trials')
  const outages = trials.flatMap(({ outageMs }) => (outageMs === null ? [] : [outageMs]))
  const phases = trials.flatMap(trial => (trial.phases === null ? [] : [trial.phases]))
  const verdict = (which: Verdict): number => trials.filter(trial => trial.verdict === which).length
  return {
    version: 1,
    runtime: first.runtime,
    postgresVersion: first.postgresVersion,
    fault: first.fault,
    load: first.load,
    requested,
    n: trials.length,
    outageMs: outages.length === 0 ? null : spreadOf(outages),
    phases: phases.length === 0 ? null : spreadsOf(phases),
    lost: spreadOf(trials.map(({ writes }) => writes.lost)),
    writes: trials.map(({ writes }) => writes).reduce(sum),
    verdicts: {
      durable: verdict('durable'),
      'lost-writes': verdict('lost-writes'),
      inconsistent: verdict('inconsistent'),
      unknown: verdict('unknown'),
    },
    trials,
  }
}

const spreadsOf = (phases: readonly Phases[]): Record<keyof Phases, Spread> => ({
  detectMs: spreadOf(phases.map(({ detectMs }) => detectMs)),
  fenceMs: spreadOf(phases.map(({ fenceMs }) => fenceMs)),
  promoteMs: spreadOf(phases.map(({ promoteMs }) => promoteMs)),
  firstWriteMs: spreadOf(phases.map(({ firstWriteMs }) => firstWriteMs)),
})

const sum = (a: FailoverRecord['writes'], b: FailoverRecord['writes']): FailoverRecord['writes'] => ({
  attempted: a.attempted + b.attempted,
  acknowledged: a.acknowledged + b.acknowledged,
  failed: a.failed + b.failed,
  indeterminate: a.indeterminate + b.indeterminate,
  lost: a.lost + b.lost,
  recovered: a.recovered + b.recovered,
  unexpected: a.unexpected + b.unexpected,
  duplicates: a.duplicates + b.duplicates,
})
