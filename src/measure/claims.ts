/**
 * What somebody claims of a failover, held against what was measured. Pure.
 */
import { seconds } from '../wait.ts'
import type { MeasuredRecord } from './measured.ts'

export interface Claims {
  /** At most so many acknowledged writes are gone. */
  readonly expectLost?: number | undefined
  /** Nobody could write for at most so many milliseconds. */
  readonly maxOutageMs?: number | undefined
}

export interface Judgement {
  readonly claim: string
  /** Null: it is not known. Then it does not hold, either. */
  readonly held: boolean | null
  readonly why: string
}

type Judged = Pick<MeasuredRecord, 'change' | 'verdict' | 'why' | 'writes' | 'outageMs' | 'longestOutageMs'>

/** Each claim on all trials together: it holds where it holds in each. */
export function judgeClaims(trials: readonly Judged[], { expectLost, maxOutageMs }: Claims): Judgement[] {
  return [
    ...(expectLost === undefined
      ? []
      : [together(`at most ${expectLost} lost`, trials, trial => judgeLost(trial, expectLost))]),
    ...(maxOutageMs === undefined
      ? []
      : [together(`an outage of at most ${seconds(maxOutageMs)}`, trials, trial => judgeOutage(trial, maxOutageMs))]),
  ]
}

type One = Pick<Judgement, 'held' | 'why'>

function together(claim: string, trials: readonly Judged[], judge: (trial: Judged) => One): Judgement {
  const all = trials.map((trial, at) => {
    const { held, why } = judge(trial)
    return { held, why: trials.length === 1 ? why : `trial ${at + 1}: ${why}` }
  })
  const worst = all.find(({ held }) => held === false) ?? all.find(({ held }) => held === null)
  if (worst !== undefined) return { claim, ...worst }
  if (all.length === 1 && all[0] !== undefined) return { claim, ...all[0] }
  return { claim, held: all.length > 0 ? true : null, why: `in each of ${all.length} trials` }
}

function judgeLost({ verdict, why, writes: { lost, acknowledged } }: Judged, expected: number): One {
  if (verdict === 'unknown') return { held: null, why }
  if (verdict === 'inconsistent') return { held: false, why }
  return { held: lost <= expected, why: `${lost} of ${acknowledged} acknowledged writes are gone` }
}

/** The longest silence counts, also where it is not the one in which the primary changed. */
function judgeOutage({ change, outageMs, longestOutageMs }: Judged, limitMs: number): One {
  if (change === 'none') return { held: null, why: 'no failover was seen' }
  if (longestOutageMs === null) return { held: null, why: 'it is not known how long nobody could write' }
  const ms = Math.max(longestOutageMs, outageMs ?? 0)
  return { held: ms <= limitMs, why: `nothing was acknowledged for ${seconds(ms)}` }
}
