/**
 * The figures that people watch for lag, held against the truth. Pure.
 */

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

/** One metric in one situation. */
export interface Reading extends Claim {
  readonly situation: string
  readonly node: string
  /** `replay_lag`, `receive minus replay LSN`. */
  readonly metric: string
  readonly unit: 'ms' | 'bytes'
  readonly judgement: Judgement
}

/** `pnpm run lag --liars --json` */
export interface LiarsDocument {
  readonly version: 1
  readonly runtime: 'docker' | 'local'
  readonly postgresVersion: string
  /** How near counts as right, where the truth is near nothing. */
  readonly tolerance: { readonly ms: number; readonly bytes: number }
  readonly readings: readonly Reading[]
}
