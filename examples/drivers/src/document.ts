/**
 * What a run is: the one document, from which the table, the page and docs/drivers.md are made. Pure.
 */
import type { Situation } from './situations.ts'
import type { HealedBy, State } from './measure.ts'
import type { SubjectSpec, Variant } from './subject.ts'
import type { SubjectResult, Trial } from './trial.ts'

export interface Spread {
  readonly n: number
  readonly median: number
  readonly min: number
  readonly max: number
}

/** A subject in a situation, over all trials of it. */
export interface Cell {
  readonly subject: string
  readonly variant: Variant
  readonly situation: string
  /** Trials in which it was measured. */
  readonly n: number
  /** Why it was not, in how many. */
  readonly absent?: Counts
  /** The processes that ended by themselves, by their last error. */
  readonly crashed?: Counts
  /** Of those that lived, at the end of the observation. */
  readonly states: Counts<State>
  /** Of those that were stuck. */
  readonly healedBy?: Counts<HealedBy>
  /** Of those trials in which there was one. */
  readonly firstGoodMs?: Spread
  readonly hanging?: Spread
  /** Absent where the old node was down. */
  readonly oldConnections?: Spread
  readonly duplicates?: Spread
  /** Acknowledged after the promotion, and not in the new primary. */
  readonly astray?: Spread
  readonly rssBytes?: Spread
  /** Over all trials. */
  readonly acknowledged: number
  readonly errors?: Counts
}

export type Counts<T extends string = string> = Readonly<Partial<Record<T, number>>>

export interface DriversDocument {
  readonly version: 1
  readonly date: string
  readonly machine: Machine
  readonly postgresVersion: string
  readonly options: {
    readonly trials: number
    readonly observeMs: number
    readonly ratePerSecond: number
    readonly together: number
  }
  /** `pg` → `8.23.1` */
  readonly versions: Readonly<Record<string, string>>
  readonly subjects: readonly DocumentedSubject[]
  /** Lines of gives-up.ts, which many of them use. */
  readonly givesUp: string
  readonly situations: readonly Omit<Situation, 'strike'>[]
  /** Trials that came to nothing, and why. */
  readonly failures: readonly Failure[]
  readonly cells: readonly Cell[]
}

export interface Machine {
  readonly platform: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly node: string
  /** Before each trial: processes that run or want to, over a minute. More than there are CPUs, and times tell of others. */
  readonly loadAverage?: Spread
}

export interface DocumentedSubject extends SubjectSpec {
  /** Lines of the code that ran as its mended variant. */
  readonly mended: string
}

export interface Failure {
  readonly situation: string
  readonly reason: string
}

/** Every pair of a subject and a situation of which there is a trial, in the order of the subjects, then of the situations. */
export function cellsOf(
  trials: readonly Trial[],
  {
    subjects,
    situations,
  }: { readonly subjects: readonly { readonly id: string }[]; readonly situations: readonly { readonly id: string }[] },
): Cell[] {
  const keys = subjects.flatMap(subject =>
    (['default', 'mended'] as const).flatMap(variant => situations.map(situation => ({ subject, variant, situation }))),
  )
  return keys.flatMap(({ subject, variant, situation }) => {
    const results = trials
      .filter(trial => trial.situation === situation.id)
      .flatMap(trial => trial.results.filter(result => result.subject === subject.id && result.variant === variant))
    if (results.length === 0) return []
    const measured = results.filter((result): result is SubjectResult => !('absent' in result))
    const absent = counted(results.flatMap(result => ('absent' in result ? [result.absent] : [])))
    return [{ subject: subject.id, variant, situation: situation.id, ...some({ absent }), ...cellOf(measured) }]
  })
}

/** The kept run with the situations of a newer one in the place of its own; the newer one where it is whole, or of other versions. */
export function merged(kept: DriversDocument, newer: DriversDocument): DriversDocument {
  const isNew = (situation: string): boolean => newer.situations.some(({ id }) => id === situation)
  const isOther =
    JSON.stringify([kept.versions, kept.postgresVersion]) !== JSON.stringify([newer.versions, newer.postgresVersion])
  if (isOther || kept.situations.every(({ id }) => isNew(id))) return newer
  return {
    ...newer,
    situations: kept.situations.map(one => newer.situations.find(({ id }) => id === one.id) ?? one),
    failures: [...kept.failures.filter(({ situation }) => !isNew(situation)), ...newer.failures],
    cells: inOrder(newer, kept.situations, [
      ...kept.cells.filter(({ situation }) => !isNew(situation)),
      ...newer.cells,
    ]),
  }
}

/** By subject and variant, then by situation. */
const inOrder = (
  { subjects }: DriversDocument,
  situations: DriversDocument['situations'],
  cells: readonly Cell[],
): Cell[] =>
  subjects.flatMap(subject =>
    (['default', 'mended'] as const).flatMap(variant =>
      situations.flatMap(({ id }) =>
        cells.filter(cell => cell.subject === subject.id && cell.variant === variant && cell.situation === id),
      ),
    ),
  )

type Figures = Omit<Cell, 'subject' | 'variant' | 'situation' | 'absent'>

function cellOf(results: readonly SubjectResult[]): Figures {
  const living = results.filter(({ end }) => end.kind === 'lives')
  const crashed = counted(results.flatMap(({ end }) => (end.kind === 'crashed' ? [end.by] : [])))
  const errors: Record<string, number> = {}
  for (const result of results)
    for (const [error, count] of Object.entries(result.errors)) errors[error] = (errors[error] ?? 0) + count
  const spread = (figure: (result: SubjectResult) => number | null): Spread | undefined =>
    spreadOf(living.flatMap(result => figure(result) ?? []))
  return {
    n: results.length,
    states: counted(living.map(({ state }) => state)),
    acknowledged: results.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
    ...some({ crashed, healedBy: counted(living.flatMap(({ healedBy }) => healedBy ?? [])), errors }),
    ...known({
      firstGoodMs: spread(({ firstGoodMs }) => firstGoodMs),
      hanging: spread(({ hanging }) => hanging),
      oldConnections: spread(({ oldConnections }) => oldConnections),
      duplicates: spread(({ duplicates }) => duplicates),
      astray: spread(({ astray }) => astray),
      rssBytes: spread(({ rssBytes }) => rssBytes),
    }),
  }
}

function counted<T extends string>(values: readonly T[]): Counts<T> {
  const counts: Partial<Record<T, number>> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}

/** Without those that count nothing. */
const some = <T extends Readonly<Record<string, object>>>(all: T): Partial<T> =>
  Object.fromEntries(Object.entries(all).filter(([, counts]) => Object.keys(counts).length > 0)) as Partial<T>

const known = (all: Readonly<Record<string, Spread | undefined>>): Readonly<Record<string, Spread>> =>
  Object.fromEntries(Object.entries(all).flatMap(([name, spread]) => (spread === undefined ? [] : [[name, spread]])))

/** Median: the middle one, or the mean of the two. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? NaN
  if (sorted.length === 0) return undefined
  const middle = (sorted.length - 1) / 2
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2
  const [min, max] = [at(0), at(sorted.length - 1)]
  return { n: sorted.length, median: round(median), min: round(min), max: round(max) }
}

const round = (value: number): number => Math.round(value * 10) / 10
