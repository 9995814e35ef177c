/**
 * The whole of it: every situation, as often as asked, and what came of it so far.
 */
import { cpus, totalmem } from 'node:os'
import { isLabError } from 'pg-failover-lab'
import { cellsOf, type DriversDocument, type Failure } from './document.ts'
import { readRegion, readVersions, withMended } from './sources.ts'
import type { Situation } from './situations.ts'
import type { SubjectSpec } from './subject.ts'
import { runTrial, type Trial, type TrialOptions } from './trial.ts'

export interface MatrixOptions extends TrialOptions {
  readonly subjects: readonly SubjectSpec[]
  readonly situations: readonly Situation[]
  readonly trials: number
  readonly tell: (progress: Progress) => void
}

/** Told before each trial. */
export interface Progress {
  readonly situation: Situation
  readonly trial: number
  readonly trials: number
  readonly done: number
  readonly all: number
  /** As long as those before it took; undefined before the first. */
  readonly leftMs: number | undefined
}

/** Ends early, with what there is, when the signal fires. All situations once, then all again: so a part is one of everything. */
export async function runMatrix(options: MatrixOptions): Promise<DriversDocument> {
  const { situations, subjects, trials, tell, signal } = options
  const done: Trial[] = []
  const failures: Failure[] = []
  const all = situations
    .filter(({ work }) => subjects.some(({ works }) => works.includes(work)))
    .flatMap(situation => Array.from({ length: trials }, (_, at) => ({ situation, trial: at + 1 })))
    .toSorted((a, b) => a.trial - b.trial)
  const beganAt = performance.now()
  for (const [at, { situation, trial }] of all.entries()) {
    if (signal.aborted) break
    const spentMs = performance.now() - beganAt
    tell({
      situation,
      trial,
      trials,
      done: at,
      all: all.length,
      leftMs: at === 0 ? undefined : (spentMs / at) * (all.length - at),
    })
    try {
      done.push(await runTrial(situation, subjects, options))
    } catch (error) {
      if (isLabError(error, 'INTERRUPTED')) break
      if (!isLabError(error)) throw error
      failures.push({ situation: situation.id, reason: error.message })
    }
  }
  return await documentOf(options, { done, failures })
}

async function documentOf(
  { subjects, situations, trials, observeMs, ratePerSecond }: MatrixOptions,
  { done, failures }: { readonly done: readonly Trial[]; readonly failures: readonly Failure[] },
): Promise<DriversDocument> {
  const machine = {
    platform: `${process.platform} ${process.arch}`,
    cpus: cpus().length,
    memoryBytes: totalmem(),
    node: process.version,
  }
  return {
    version: 1,
    date: new Date().toISOString().slice(0, 10),
    machine,
    postgresVersion: done[0]?.postgresVersion ?? '',
    options: { trials, observeMs, ratePerSecond },
    versions: await readVersions(subjects),
    subjects: await withMended(subjects),
    givesUp: await readRegion('gives-up.ts'),
    situations: situations.map(({ strike: _, ...situation }) => situation),
    failures,
    cells: cellsOf(done, { subjects, situations }),
  }
}
