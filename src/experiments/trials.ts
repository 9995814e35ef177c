/**
 * Trials, one after another: the cluster is healed before each, and after the last.
 */
import { recycleWal } from '../operations/recycle-wal.ts'
import { up } from '../operations/up.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { runSeries } from './series.ts'
import { runTrial, type RunTrialOptions, type WholeTrial } from './trial.ts'

export interface RunTrialsOptions extends RunTrialOptions {
  readonly trials: number
  /** What the progress begins with. @default the fault */
  readonly name?: string | undefined
  /** Told of each trial when it is done. */
  readonly onTrial?: ((result: WholeTrial, number: number) => void) | undefined
  /** Told of an error that ends the series: the trials that are done by then are returned. @default it is thrown */
  readonly onFailure?: ((error: unknown) => void) | undefined
}

/**
 * Returns what each left. An interruption ends the series: the trials that are done by then are returned, if any is, and
 * the one in the middle is not judged.
 * @throws LabError those of up and of a trial, without `onFailure` or before the first trial is done; INTERRUPTED before it
 */
export async function runTrials(cluster: Cluster, options: RunTrialsOptions): Promise<readonly WholeTrial[]> {
  const { trials, onTrial, onFailure, name = options.fault, ...each } = options
  const limits = { timeoutMs: HEAL_TIMEOUT_MS, signal: options.signal }
  const progress = (text: string): void => cluster.emit({ kind: 'progress', text: `${name}${text}` })
  const heal = async (): Promise<void> => {
    await up(cluster, limits)
    await recycleWal(cluster, limits)
  }
  return await runSeries({
    ...{ trials, onTrial, onFailure, signal: options.signal },
    trial: async number => {
      progress(`, trial ${number} of ${trials}: bringing every node back`)
      await heal()
      progress(`, trial ${number} of ${trials}: under load`)
      return await runTrial(cluster, each)
    },
    finish: async () => {
      progress(': bringing every node back')
      await heal()
    },
  })
}

/** A former primary that has to be cloned anew has been seen to take some seconds. */
const HEAL_TIMEOUT_MS = 120_000
