/**
 * The figures that people watch for lag, held against the truth. Pure.
 */
import { percentile } from './statistics.ts'

/** What a metric says and what is the case, in the same unit. */
export interface Claim {
  /** Null: it says nothing (no row, NULL). */
  readonly says: number | null
  readonly truth: number
}

/** `silent` where it says nothing although there is lag, `low` and `high` where it is wrong. */
export type Judgement = 'true' | 'low' | 'high' | 'silent'

/**
 * A claim is true if it is within a factor of two of the truth, or nearer to it than `tolerance`: what a person who looks
 * at a dashboard would call right. Saying nothing is right when there is nothing.
 */
export function judge({ says, truth }: Claim, tolerance: number): Judgement {
  if (says === null) return truth <= tolerance ? 'true' : 'silent'
  if (Math.abs(says - truth) <= tolerance) return 'true'
  if (says < truth / 2) return 'low'
  return says > truth * 2 ? 'high' : 'true'
}

/** What one look has seen: a look takes time, and the truth changes meanwhile. */
export interface Look {
  readonly says: number | null
  readonly truth: { readonly least: number; readonly most: number }
}

/** A verdict needs so many looks, and so large a part of them that says the same. */
export const AGREEMENT = { looks: 10, share: 0.9 } as const

/** What many looks at one metric come to. */
export interface Finding extends Claim {
  /** How near to the truth counts as right. */
  readonly tolerance: number
  /** Looks that count, and how many of them the judgement rests on. */
  readonly n: number
  readonly agreeing: number
  /** `unclear`: too few looks, or they do not agree, or each took too long to tell. */
  readonly judgement: Judgement | 'unclear'
}

/** Judges every look, and says what nearly all of them say; says and truth are the medians of those that agree. */
export function judgeLooks(looks: readonly Look[], tolerance: number): Finding {
  const judged = looks.map(look => ({ ...look, judgement: judgeLook(look, tolerance) }))
  const by = (which: Finding['judgement']): typeof judged => judged.filter(({ judgement }) => judgement === which)
  const most = (['true', 'low', 'high', 'silent'] as const).map(by).reduce((a, b) => (b.length > a.length ? b : a))
  const isClear = looks.length >= AGREEMENT.looks && most.length >= looks.length * AGREEMENT.share
  const shown = isClear ? most : judged
  return {
    says: median(
      shown.flatMap(({ says }) => (says === null ? [] : [says])),
      shown.length / 2,
    ),
    truth: median(shown.map(({ truth }) => (truth.least + truth.most) / 2)) ?? 0,
    tolerance,
    n: looks.length,
    agreeing: most.length,
    judgement: isClear ? (most[0]?.judgement ?? 'unclear') : 'unclear',
  }
}

/** The same at both ends of what may have been the case, or unclear. */
function judgeLook({ says, truth }: Look, tolerance: number): Judgement | 'unclear' {
  const [least, most] = [truth.least, truth.most].map(end => judge({ says, truth: end }, tolerance))
  return least === most && least !== undefined ? least : 'unclear'
}

/** Null when there are not more than `moreThan` values. */
const median = (values: readonly number[], moreThan = 0): number | null =>
  values.length > moreThan ? percentile(values, 50) : null

/** One metric in one situation. */
export interface Reading extends Finding {
  readonly situation: string
  readonly node: string
  /** `replay_lag`, `receive minus replay LSN`. */
  readonly metric: string
  readonly unit: 'ms' | 'bytes'
}

/** `pnpm run lag --liars --json` */
export interface LiarsDocument {
  readonly version: 1
  readonly runtime: 'docker' | 'local'
  readonly postgresVersion: string
  /** How near counts as right, where the truth is near nothing; a heartbeat may be as much older as it beats apart. */
  readonly tolerance: { readonly ms: number; readonly bytes: number }
  /** What a verdict needs. */
  readonly agreement: typeof AGREEMENT
  readonly readings: readonly Reading[]
}
