/**
 * Many failovers, summed up. Pure.
 */
import type { Verdict } from '../history/check.ts'
import type { Phases } from './outage.ts'
import type { FailoverRecord, RunRecord } from './record.ts'
import { spreadOf, type Spread } from './statistics.ts'
import type { ClientPhases } from './takeover.ts'
import type { WriteCounts } from './write-counts.ts'

/** `pnpm run failover --trials N --json` */
export interface TrialsDocument<R extends RunRecord = FailoverRecord> {
  readonly version: 1
  readonly runtime: R['runtime']
  readonly postgresVersion: string
  readonly fault: string
  readonly load: R['load']
  /** How many were asked for; fewer are in `trials` when it was interrupted. */
  readonly requested: number
  readonly n: number
  /** Of the trials that have an outage; null when none has. */
  readonly outageMs: Spread | null
  readonly phases: Readonly<Record<keyof Phases, Spread>> | null
  /** As a client sees them, where another manager did it; null where they are not measured. */
  readonly clientPhases: Readonly<Record<keyof ClientPhases, Spread>> | null
  /** Of those in which it is known; null where it is in none. */
  readonly lost: Spread | null
  /** Over all trials. */
  readonly writes: R['writes']
  readonly verdicts: Readonly<Record<Verdict, number>>
  readonly trials: readonly R[]
}

/** What a record has of a cluster that somebody else manages. */
interface Seen {
  readonly clientPhases?: ClientPhases | null
  readonly survivorsRead?: boolean
}

/** @throws RangeError when there is no trial */
export function summariseTrials<R extends RunRecord & Seen>(
  trials: readonly R[],
  requested: number,
): TrialsDocument<R> {
  const [first] = trials
  if (first === undefined) throw new RangeError('no trials')
  const outages = trials.flatMap(({ outageMs }) => (outageMs === null ? [] : [outageMs]))
  const phases = trials.flatMap(trial => (trial.phases === null ? [] : [trial.phases]))
  const known = trials.filter(({ survivorsRead }) => survivorsRead !== false)
  const seen = trials.flatMap(({ clientPhases }) => (clientPhases == null ? [] : [clientPhases]))
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
    clientPhases: seen.length === 0 ? null : clientSpreadsOf(seen),
    lost: known.length === 0 ? null : spreadOf(known.map(({ writes }) => writes.lost)),
    writes: trials.map(({ writes }): WriteCounts => writes).reduce(sum),
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

const clientSpreadsOf = (seen: readonly ClientPhases[]): Record<keyof ClientPhases, Spread> => ({
  noticeMs: spreadOf(seen.map(({ noticeMs }) => noticeMs)),
  promoteMs: spreadOf(seen.map(({ promoteMs }) => promoteMs)),
  firstWriteMs: spreadOf(seen.map(({ firstWriteMs }) => firstWriteMs)),
})

const sum = (a: WriteCounts, b: WriteCounts): WriteCounts => ({
  attempted: a.attempted + b.attempted,
  acknowledged: a.acknowledged + b.acknowledged,
  failed: a.failed + b.failed,
  indeterminate: a.indeterminate + b.indeterminate,
  lost: a.lost + b.lost,
  recovered: a.recovered + b.recovered,
  unexpected: a.unexpected + b.unexpected,
  duplicates: a.duplicates + b.duplicates,
})
