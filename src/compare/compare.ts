/**
 * Ways to the primary against what befalls it, with default and with tuned timers: the same trials for all of them, on a cluster of
 * its own that is gone afterwards. It goes on from what was measured before.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { isLabError, LabError, messageOf } from '../errors.ts'
import { wasInterrupted } from '../experiments/interruption.ts'
import { thisMachine } from '../experiments/trial.ts'
import type { LabOptions } from '../lab.ts'
import type { RunRecord } from '../measure/record.ts'
import { packageVersion } from '../package-folder.ts'
import { applyTimers, STACK_TIMERS, type StackSetting, type StackTimers } from '../stack/settings.ts'
import { readStack, type PatroniStack } from '../stack/stack.ts'
import { stackUp } from '../stack/up.ts'
import { freePorts, startTemporaryCluster } from '../temporary-cluster.ts'
import { compareCell, type CompareCell, type CompareTrial } from './document.ts'
import { labRound } from './lab-round.ts'
import { cellsOf, type CompareSetting, type Round } from './plan.ts'
import { predictionOf, stackRound } from './stack-round.ts'
import { DEADLINES, type Load } from './trial.ts'

/** `pnpm run compare --json` */
export interface CompareDocument {
  readonly version: 1
  readonly experiment: 'compare'
  readonly postgresVersion: string
  readonly runtime: 'docker' | 'local'
  /** Of each client; all write at once. */
  readonly load: Load
  /** Of every client but the patient one. Milliseconds. */
  readonly deadlines: { readonly connectTimeoutMs: number; readonly writeTimeoutMs: number }
  readonly timers: Readonly<Partial<Record<StackSetting, StackTimers>>>
  /** Trials of each cell that were asked for. */
  readonly requested: number
  readonly cells: readonly CompareCell[]
  readonly trials: readonly CompareTrial[]
  /** What could not be measured, and why. */
  readonly failures: readonly CompareFailure[]
  readonly labVersion: string
  readonly machine: RunRecord['machine']
}

export interface CompareFailure {
  readonly event: string
  readonly setting: string
  readonly trial: number
  readonly why: string
}

export interface CompareOptions {
  readonly rounds: readonly Round[]
  /** Of each cell. */
  readonly trials: number
  readonly load: Load
  /** What was measured before: it is not measured again. */
  readonly before: CompareDocument | undefined
  readonly lab: Pick<LabOptions, 'file' | 'environment' | 'runtime'>
  /** Told of what goes on, and how far it is. */
  readonly onProgress: (text: string) => void
  /** Told of each round when it is done; the document has all that there is by then. */
  readonly onRound: (document: CompareDocument, trials: readonly CompareTrial[]) => Promise<void>
  readonly onFailure: (failure: CompareFailure) => void
  /** Told of what ended it early, where there is something to be told of all the same. */
  readonly onEnd: (error: unknown) => void
  readonly signal: AbortSignal
}

const UP_TIMEOUT_MS = 600_000
/** So many in a row that fail are no accident. */
const MOST_FAILURES = 3

/** A round, and which trial of it. */
interface Job {
  readonly round: Round
  readonly trial: number
}

/**
 * Whatever ends it early: what is done by then is in the document.
 * @throws LabError without any trial: those of startTemporaryCluster and of the stack; NOT_READY after some failures in a row; INTERRUPTED
 */
export async function runCompare(options: CompareOptions): Promise<CompareDocument> {
  const comparison = new Comparison(options)
  const jobs = comparison.missing()
  if (jobs.length === 0) return comparison.document()
  try {
    await using cluster = await ownCluster(options)
    await comparison.begin(cluster)
    for (const setting of ['none', 'default', 'tuned'] as const) {
      const those = jobs.filter(({ round }) => round.setting === setting)
      if (those.length > 0) await comparison.play(cluster, setting, those)
    }
  } catch (error) {
    if (!comparison.hasTrials) throw error
    if (!wasInterrupted(error, options.signal)) options.onEnd(error)
  }
  return comparison.document()
}

/** Everything of the stack has a port of its own. */
const PORTS = [
  ...['PRIMARY_REST_PORT', 'REPLICA1_REST_PORT', 'REPLICA2_REST_PORT', 'PGBOUNCER_PORT'],
  ...['HAPROXY_PRIMARY_PORT', 'HAPROXY_STANDBY_PORT', 'HAPROXY_STATS_PORT'],
]

async function ownCluster({ lab, rounds, signal, onProgress }: CompareOptions): Promise<Cluster> {
  const needsStack = rounds.some(({ setting }) => setting !== 'none')
  const ports = await freePorts(PORTS.length)
  const named = Object.fromEntries(PORTS.map((name, at) => [name, String(ports[at])]))
  const environment = lab.environment ?? process.env
  if (needsStack && (lab.runtime ?? environment['LAB_RUNTIME']) === 'local')
    throw needsDocker('local processes are asked for')
  onProgress('making a cluster of its own')
  const making = startTemporaryCluster({
    ...lab,
    environment: { ...environment, ...named },
    ...(needsStack ? { runtime: 'docker' as const } : {}),
    ...{
      name: `${environment['COMPOSE_PROJECT_NAME'] || 'pg-failover-lab'}-compare`,
      timeoutMs: UP_TIMEOUT_MS,
      signal,
    },
  })
  return await making.catch((error: unknown) => {
    throw needsStack && isLabError(error, 'NO_RUNTIME') ? needsDocker(error.message) : error
  })
}

const needsDocker = (why: string): LabError =>
  new LabError('NO_RUNTIME', `the ways of Patroni need Docker, and ${why}`, {
    hint: 'Start a Docker Engine and say --runtime docker, or compare the lab alone: --only lab.',
  })

class Comparison {
  readonly #options: CompareOptions
  readonly #trials: CompareTrial[]
  readonly #failures: CompareFailure[] = []
  readonly #tookMs = new Map<Round, number[]>()
  #postgresVersion: string
  #runtime: CompareDocument['runtime']
  #jobs: readonly Job[] = []
  #done = 0
  #inARow = 0

  constructor(options: CompareOptions) {
    this.#options = options
    this.#trials = [...(options.before?.trials ?? [])]
    this.#postgresVersion = options.before?.postgresVersion ?? ''
    this.#runtime = options.before?.runtime ?? 'docker'
  }

  get hasTrials(): boolean {
    return this.#trials.length > 0
  }

  /** One trial of everything before the second of anything: an interruption leaves something of each. */
  missing(): readonly Job[] {
    const { rounds, trials } = this.#options
    const all = Array.from({ length: trials }, (_, at) => rounds.map(round => ({ round, trial: at + 1 }))).flat()
    this.#jobs = all.filter(({ round: { event, setting, ways }, trial }) => {
      const there = this.#trials.filter(
        each => each.trial === trial && each.event === event && each.setting === setting,
      )
      return !ways.every(way => there.some(each => each.way === way))
    })
    return this.#jobs
  }

  /** @throws LabError USAGE where it is not what was measured on before */
  async begin(cluster: Cluster): Promise<void> {
    const { serverVersion } = await cluster.primary(this.#options.signal)
    const { before } = this.#options
    if (before !== undefined && before.postgresVersion !== serverVersion)
      throw new LabError(
        'USAGE',
        `the trials that are there are of PostgreSQL ${before.postgresVersion}, and this is ${serverVersion}`,
        {
          hint: 'Name another file with --file, or the same image with POSTGRES_IMAGE.',
        },
      )
    this.#postgresVersion = serverVersion
    this.#runtime = cluster.runtime.name
  }

  async play(cluster: Cluster, setting: CompareSetting, jobs: readonly Job[]): Promise<void> {
    const stack = setting === 'none' ? undefined : await this.#stackWith(cluster, setting)
    for (const job of jobs) await this.#attempt(cluster, stack, job)
  }

  async #stackWith(cluster: Cluster, setting: StackSetting): Promise<PatroniStack> {
    const { onProgress, signal } = this.#options
    const limits = { timeoutMs: UP_TIMEOUT_MS, signal }
    const stack = await readStack(cluster)
    if ((await cluster.runtime.manager()) === undefined) {
      onProgress('Patroni takes the cluster over')
      await stackUp(cluster, stack, limits)
    }
    onProgress(`the timers become ${setting}`)
    return await applyTimers(stack, STACK_TIMERS[setting], limits)
  }

  async #attempt(cluster: Cluster, stack: PatroniStack | undefined, job: Job): Promise<void> {
    const { load, signal, onFailure, onRound } = this.#options
    const { round, trial } = job
    const startedAt = performance.now()
    const options = { round, trial, load, signal, onProgress: (text: string) => this.#tell(job, text) }
    try {
      const done = stack === undefined ? await labRound(cluster, options) : await stackRound(cluster, stack, options)
      this.#keep(done)
      this.#inARow = 0
      this.#tookMs.set(round, [...(this.#tookMs.get(round) ?? []), performance.now() - startedAt])
      await onRound(this.document(), done)
    } catch (error) {
      if (wasInterrupted(error, signal) || !isLabError(error)) throw error
      const failure = { event: round.event, setting: round.setting, trial, why: messageOf(error) }
      this.#failures.push(failure)
      onFailure(failure)
      if (++this.#inARow >= MOST_FAILURES)
        throw new LabError('NOT_READY', `${MOST_FAILURES} trials in a row failed; the last: ${failure.why}`, {
          hint: 'What is measured is kept: the same command goes on from there.',
          cause: error,
        })
    }
    this.#done++
  }

  /** A trial of some ways that is repeated since others were missing takes the place of the first. */
  #keep(done: readonly CompareTrial[]): void {
    const isSame = (a: CompareTrial, b: CompareTrial): boolean =>
      a.trial === b.trial && a.way === b.way && a.event === b.event && a.setting === b.setting
    for (const trial of done) {
      const at = this.#trials.findIndex(other => isSame(other, trial))
      if (at === -1) this.#trials.push(trial)
      else this.#trials[at] = trial
    }
  }

  #tell({ round, trial }: Job, text: string): void {
    const where = `${round.setting === 'none' ? 'lab' : round.setting}, ${round.event}, trial ${trial}`
    this.#options.onProgress(`${where} (${this.#done + 1} of ${this.#jobs.length}${this.#timeLeft()}): ${text}`)
  }

  /** From those that are done: of the same round where there is one, else of all. */
  #timeLeft(): string {
    const mean = (values: readonly number[]): number => values.reduce((sum, ms) => sum + ms, 0) / values.length
    const all = [...this.#tookMs.values()].flat()
    if (all.length === 0) return ''
    const left = this.#jobs.slice(this.#done).map(({ round }) => mean(this.#tookMs.get(round) ?? all))
    return `, about ${Math.ceil(left.reduce((sum, ms) => sum + ms, 0) / 60_000)} min left`
  }

  document(): CompareDocument {
    const { rounds, load, before } = this.#options
    const measured = this.#trials.map(({ way, event, setting }) => ({ way, event, setting }))
    const cells = [...cellsOf(rounds), ...measured].filter(
      (cell, at, all) => all.findIndex(other => JSON.stringify(other) === JSON.stringify(cell)) === at,
    )
    const settings = new Set(cells.map(({ setting }) => setting))
    return {
      version: 1,
      experiment: 'compare',
      postgresVersion: this.#postgresVersion,
      runtime: this.#runtime,
      load,
      deadlines: DEADLINES,
      timers: Object.fromEntries(Object.entries(STACK_TIMERS).filter(([name]) => settings.has(name as StackSetting))),
      requested: Math.max(this.#options.trials, before?.requested ?? 0),
      cells: cells.flatMap(cell => compareCell(cell, this.#trials, predictionOf(cell)) ?? []),
      trials: this.#trials,
      failures: this.#failures,
      labVersion: packageVersion(),
      machine: thisMachine(),
    }
  }
}
