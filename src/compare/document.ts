/**
 * What a comparison has found: each trial, and each cell. Pure.
 */
import type { History } from '../history/history.ts'
import { longestOutage, measureOutage } from '../measure/outage.ts'
import type { Measured, MeasuredRecord } from '../measure/measured.ts'
import { rounded, roundedAll } from '../measure/record.ts'
import { spreadOf, type Spread } from '../measure/statistics.ts'
import { parseServer, type Change, type ServerSeen } from '../measure/takeover.ts'
import { isCell, type Cell } from './plan.ts'
import type { Prediction } from './prediction.ts'

/** An outage, cut where its phases end; they add up to it. Milliseconds. */
export interface ComparePhases {
  /** Until the lock was free; of the lab: until it saw that the primary is gone. */
  readonly detectMs: number
  /** Until another had it; of the lab: until the old primary was fenced. */
  readonly electMs: number
  /** Until the new primary was seen to accept writes. */
  readonly promoteMs: number
  /** Until the address led there; 0 where the client finds it by itself. */
  readonly routeMs: number
  /** Until the client's first write there was acknowledged. */
  readonly clientMs: number
}

export const phaseNames = ['detectMs', 'electMs', 'promoteMs', 'routeMs', 'clientMs'] as const

/** Instants of performance.now(). */
export interface Decided {
  /** The lock was free, or the primary was seen to be gone. */
  readonly freeAt: number
  /** Another had it, or the old primary was fenced. */
  readonly takenAt: number
}

export interface CompareTrial
  extends
    Cell,
    Pick<MeasuredRecord, 'change' | 'outageMs' | 'resolutionMs' | 'writes' | 'errors' | 'hungConnections'>,
    Pick<MeasuredRecord, 'readsOnOldPrimary' | 'splitBrainWrites' | 'verdict' | 'why' | 'oldPrimary' | 'newPrimary'>,
    Pick<MeasuredRecord, 'timeline' | 'at' | 'survivorsRead'> {
  /** From 1. Those of one number, event and setting saw the same. */
  readonly trial: number
  /** The longest time without an acknowledgement since it began, which is how long it took; null where it goes on. Milliseconds. */
  readonly silenceMs: number | null
  /** Acknowledged by another than the new primary after that was promoted, whenever they were sent; null where none was seen. */
  readonly byOldPrimary: number | null
  /** Null where it is not known who held the lock when, as when etcd was away, and where an old primary woke up within it. */
  readonly phases: ComparePhases | null
  /** Whether what came of it, and how long it took, is what the timers say; null where nothing is predicted, or it is not known. */
  readonly isInside: boolean | null
}

export interface CompareCell extends Cell {
  readonly n: number
  /** Null where it goes on in all of them. */
  readonly silenceMs: Spread | null
  /** In how many of them it goes on. */
  readonly goesOn: number
  readonly phases: Readonly<Record<keyof ComparePhases, Spread>> | null
  /** Of all trials together. */
  readonly writes: Pick<MeasuredRecord['writes'], 'acknowledged' | 'failed' | 'indeterminate' | 'lost'>
  /** Null: in none of them what is left could be read. */
  readonly lost: Spread | null
  /** In how many of them it could not: what those lost is not in any figure. */
  readonly unread: number
  readonly hungConnections: number
  readonly splitBrainWrites: number
  readonly byOldPrimary: number
  readonly errors: Readonly<Record<string, number>>
  readonly changes: Readonly<Partial<Record<MeasuredRecord['change'], number>>>
  /** Null for what has no timers. */
  readonly predicted: Prediction | null
  readonly inside: number
}

/** Draws up a trial from what one client measured, and who decided when. */
export function compareTrial(
  cell: Cell & { readonly trial: number },
  { record, history, milestones }: Measured,
  { decided, predicted }: { readonly decided: Decided | undefined; readonly predicted: Prediction | undefined },
): CompareTrial {
  const silence = longestOutage(history, milestones.faultAt)
  const outage = record.change === 'none' ? undefined : measureOutage(history, milestones)
  const isAll = outage?.ms === silence
  const phases =
    decided === undefined || !isAll
      ? null
      : cut(outage.lastAcknowledgedAt, outage.firstAcknowledgedAt, { ...milestones, ...decided })
  const { change, outageMs, resolutionMs, writes, errors, hungConnections, readsOnOldPrimary, splitBrainWrites } =
    record
  const { verdict, why, oldPrimary, newPrimary, timeline, at, survivorsRead } = record
  return {
    ...cell,
    ...{ change, outageMs, resolutionMs, writes, errors, hungConnections, readsOnOldPrimary, splitBrainWrites },
    ...{ verdict, why, oldPrimary, newPrimary, timeline, at, survivorsRead },
    silenceMs: silence === null ? null : rounded(silence),
    byOldPrimary:
      record.servers.after === null ? null : writesByOthers(history, milestones.promotedAt, record.servers.after),
    phases: phases === null ? null : roundedAll(phases),
    isInside: predicted === undefined ? null : inside(record.change, silence, predicted),
  }
}

/** An instant that was not seen counts as the next one; one outside the outage as its edge. */
function cut(from: number, to: number, seen: Decided & Measured['milestones']): ComparePhases {
  const promoted = Math.min(seen.promotedAt, to)
  const instants = [seen.freeAt, seen.takenAt, promoted, Number.isFinite(seen.ledAt) ? seen.ledAt : promoted, to]
  let last = from
  const [detectMs = 0, electMs = 0, promoteMs = 0, routeMs = 0, clientMs = 0] = instants.map(instant => {
    const at = Math.min(Math.max(instant, last), to)
    const ms = at - last
    last = at
    return ms
  })
  return { detectMs, electMs, promoteMs, routeMs, clientMs }
}

function writesByOthers({ writes }: History, since: number, after: ServerSeen): number {
  const isAnother = (server: string | undefined): boolean => {
    const { address, startedAt } = parseServer(server ?? '')
    return address !== after.address || startedAt !== after.startedAt
  }
  const acknowledged = writes.filter(({ outcome, settledAt }) => outcome.kind === 'acknowledged' && settledAt > since)
  return acknowledged.filter(({ server }) => isAnother(server)).length
}

function inside(
  change: Change,
  silenceMs: number | null,
  { minMs, maxMs, change: expected }: Prediction,
): boolean | null {
  if (!expected.includes(change)) return false
  if (change === 'none') return true
  return silenceMs === null ? false : silenceMs >= minMs && silenceMs <= (maxMs ?? Infinity)
}

/** Sums up the trials of a cell; undefined where there is none yet. */
export function compareCell(
  cell: Cell,
  all: readonly CompareTrial[],
  predicted: Prediction | undefined,
): CompareCell | undefined {
  const trials = all.filter(isCell(cell))
  if (trials.length === 0) return undefined
  const spread = (values: readonly (number | null)[]): Spread | null => {
    const known = values.filter(value => value !== null)
    return known.length === 0 ? null : spreadOf(known)
  }
  const sum = (of: (trial: CompareTrial) => number): number => trials.reduce((total, trial) => total + of(trial), 0)
  const phases = trials.flatMap(trial => (trial.phases === null ? [] : [trial.phases]))
  const phase = (name: keyof ComparePhases): Spread => spreadOf(phases.map(each => each[name]))
  return {
    ...{ way: cell.way, event: cell.event, setting: cell.setting },
    n: trials.length,
    goesOn: trials.filter(({ silenceMs }) => silenceMs === null).length,
    silenceMs: spread(trials.map(({ silenceMs }) => silenceMs)),
    phases:
      phases.length === 0
        ? null
        : {
            detectMs: phase('detectMs'),
            electMs: phase('electMs'),
            promoteMs: phase('promoteMs'),
            routeMs: phase('routeMs'),
            clientMs: phase('clientMs'),
          },
    writes: {
      acknowledged: sum(({ writes }) => writes.acknowledged),
      failed: sum(({ writes }) => writes.failed),
      indeterminate: sum(({ writes }) => writes.indeterminate),
      lost: sum(({ writes }) => writes.lost),
    },
    lost: spread(trials.map(({ survivorsRead, writes }) => (survivorsRead ? writes.lost : null))),
    unread: trials.filter(({ survivorsRead }) => !survivorsRead).length,
    hungConnections: sum(trial => trial.hungConnections),
    splitBrainWrites: sum(trial => trial.splitBrainWrites ?? 0),
    byOldPrimary: sum(trial => trial.byOldPrimary ?? 0),
    errors: countsOf(trials.flatMap(({ errors }) => Object.entries(errors))),
    changes: countsOf(trials.map(({ change }) => [change, 1] as const)),
    predicted: predicted ?? null,
    inside: trials.filter(({ isInside }) => isInside === true).length,
  }
}

function countsOf(counts: readonly (readonly [string, number])[]): Record<string, number> {
  const total: Record<string, number> = {}
  for (const [name, count] of counts) total[name] = (total[name] ?? 0) + count
  return total
}
