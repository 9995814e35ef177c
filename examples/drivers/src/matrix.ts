/**
 * The whole of it: every situation, as often as asked, and what came of it so far.
 */
import { cpus, loadavg, totalmem } from 'node:os'
import { isLabError } from 'pg-failover-lab'
import { cellsOf, spreadOf, type DriversDocument, type Failure } from './document.ts'
import { readRegion, readVersions, withMended } from './sources.ts'
import type { Situation } from './situations.ts'
import type { SubjectSpec } from './subject.ts'
import { runTrial, type Trial, type TrialOptions } from './trial.ts'

export interface MatrixOptions extends TrialOptions {
  readonly subjects: readonly SubjectSpec[]
  readonly situations: readonly Situation[]
  readonly trials: number
  /** So many subjects share a cluster, each in both variants. */
  readonly together: number
  readonly tell: (progress: Progress) => void
  /** A trial is made again, and why. */
  readonly tellRepeated: (why: string) => void
}

/** Told before each trial. */
export interface Progress {
  readonly situation: Situation
  readonly group: readonly SubjectSpec[]
  readonly trial: number
  readonly trials: number
  readonly done: number
  readonly all: number
  /** As long as those before it took; undefined before the first. */
  readonly leftMs: number | undefined
}

/** Ends early, with what there is, when the signal fires. All situations once, then all again: so a part is one of everything. */
export async function runMatrix(options: MatrixOptions): Promise<DriversDocument> {
  const { trials, tell, signal } = options
  const done: Trial[] = []
  const failures: Failure[] = []
  const loads: number[] = []
  const all = plannedTrials(options)
  const isInterrupted = (): boolean => signal.aborted
  const beganAt = performance.now()
  for (const [at, { situation, group, trial }] of all.entries()) {
    if (isInterrupted()) break
    const leftMs = at === 0 ? undefined : ((performance.now() - beganAt) / at) * (all.length - at)
    tell({ situation, group, trial, trials, done: at, all: all.length, leftMs })
    loads.push(loadavg()[0] ?? 0)
    try {
      done.push(await runAtLast(options, { situation, group }))
    } catch (error) {
      if (isInterrupted()) break
      if (!isLabError(error)) throw error
      failures.push({ situation: situation.id, reason: error.message })
    }
  }
  return await documentOf(options, { done, failures, loads })
}

/** A trial that came to nothing, as on a machine that was busy with something else, says nothing about a driver. */
const TRIES = 3

async function runAtLast(
  options: MatrixOptions,
  { situation, group }: Pick<PlannedTrial, 'situation' | 'group'>,
): Promise<Trial> {
  for (let tried = 1; ; tried++) {
    try {
      return await runTrial(situation, group, options)
    } catch (error) {
      if (options.signal.aborted || !isLabError(error) || tried === TRIES) throw error
      options.tellRepeated(error.message)
    }
  }
}

interface PlannedTrial {
  readonly situation: Situation
  readonly group: readonly SubjectSpec[]
  readonly trial: number
}

/** No more subjects share a cluster than are to; groups of one situation are as alike in size as can be. */
function plannedTrials({ situations, subjects, trials, together }: MatrixOptions): PlannedTrial[] {
  const once = situations.flatMap(situation => {
    const able = subjects.filter(({ works }) => works.includes(situation.work))
    const groups = Math.ceil(able.length / together)
    return Array.from({ length: groups }, (_, at) => ({
      situation,
      group: able.filter((_one, n) => n % groups === at),
    }))
  })
  return Array.from({ length: trials }, (_, at) => once.map(planned => ({ ...planned, trial: at + 1 }))).flat()
}

interface Outcome {
  readonly done: readonly Trial[]
  readonly failures: readonly Failure[]
  readonly loads: readonly number[]
}

async function documentOf(
  { subjects, situations, trials, observeMs, ratePerSecond, together }: MatrixOptions,
  { done, failures, loads }: Outcome,
): Promise<DriversDocument> {
  const loadAverage = spreadOf(loads)
  const machine = {
    platform: `${process.platform} ${process.arch}`,
    cpus: cpus().length,
    memoryBytes: totalmem(),
    node: process.version,
    ...(loadAverage === undefined ? {} : { loadAverage }),
  }
  return {
    version: 1,
    date: new Date().toISOString().slice(0, 10),
    machine,
    postgresVersion: done[0]?.postgresVersion ?? '',
    options: { trials, observeMs, ratePerSecond, together },
    versions: await readVersions(subjects),
    subjects: await withMended(subjects),
    givesUp: await readRegion('gives-up.ts'),
    situations: situations.map(({ strike: _, ...situation }) => situation),
    failures,
    cells: cellsOf(done, { subjects, situations }),
  }
}
