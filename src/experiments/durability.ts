/**
 * The same fault under each setting of synchronous commit: both standbys cut from WAL for a moment, then the primary
 * crashed. What is acknowledged during the cut without a standby is lost, every time; with one, nothing may be.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { temporarySynchronous } from '../operations/synchronous.ts'
import type { Synchronous } from '../postgres/synchronous.ts'
import { summariseCell, type DurabilityCell, type DurabilityDocument } from '../measure/durability.ts'
import { latenciesOf } from '../history/history.ts'
import { wasInterrupted } from './interruption.ts'
import { thisMachine, type RunTrialOptions } from './trial.ts'
import { runTrials } from './trials.ts'

export interface DurabilityOptions extends Omit<RunTrialOptions, 'fault' | 'to'> {
  readonly settings: readonly Synchronous[]
  /** Crashes under each setting. */
  readonly trials: number
  readonly cutMs: number
  /** Told of each setting when its trials are done. */
  readonly onCell?: ((cell: DurabilityCell) => void) | undefined
}

/**
 * One crash after another; the cluster is healed in between, and its settings are reset at the end. An interruption ends
 * it: the settings that are done by then are in the document, if any is.
 * @throws LabError those of up and of a trial; INTERRUPTED before the first setting is done
 */
export async function runDurability(cluster: Cluster, options: DurabilityOptions): Promise<DurabilityDocument> {
  const { settings, cutMs, onCell, signal } = options
  const cells: DurabilityCell[] = []
  const { serverVersion } = await cluster.primary(signal)
  const { ratePerSecond = 500, connections = 4 } = options
  const load = { ratePerSecond, connections }
  try {
    for (const [at, setting] of settings.entries()) {
      const name = `setting ${at + 1} of ${settings.length}: ${setting.synchronousCommit}, ${setting.standbys}`
      const cell = await runCell(cluster, setting, { ...options, ...load, name })
      cells.push(cell)
      onCell?.(cell)
    }
  } catch (error) {
    if (!wasInterrupted(error, signal) || cells.length === 0) throw error
  }
  const { name: runtime } = cluster.runtime
  const requested = { settings: settings.length, trials: options.trials }
  return { version: 1, runtime, postgresVersion: serverVersion, load, cutMs, requested, cells, machine: thisMachine() }
}

async function runCell(
  cluster: Cluster,
  setting: Synchronous,
  options: DurabilityOptions & { readonly name: string; readonly ratePerSecond: number },
): Promise<DurabilityCell> {
  const { ratePerSecond, timeoutMs, signal } = options
  await using _setting = await temporarySynchronous(cluster, setting, { timeoutMs, signal })
  const trials = await runTrials(cluster, { ...options, fault: 'crash', steadyWrites: ratePerSecond })
  return summariseCell(
    setting,
    trials.map(({ record, history, steady }) => ({ record, commitLatencies: latenciesOf(history, steady) })),
  )
}
