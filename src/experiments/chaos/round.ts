/**
 * One round of a soak: writes, an action, the healing under new writes, and all that there is to see afterwards.
 */
import type { Cluster } from '../../cluster/cluster.ts'
import { standbysOf } from '../../cluster/node-status.ts'
import { caughtUp, healthy } from '../../cluster/conditions.ts'
import { delayReplay } from '../../operations/delay.ts'
import { linkClients } from '../../cluster/links.ts'
import { readKept } from '../../operations/salvage/keep.ts'
import { rejoin } from '../../operations/rejoin.ts'
import { up } from '../../operations/up.ts'
import { interrupted, isLabError, LabError, messageOf, originOf, throwIfInterrupted } from '../../errors.ts'
import type { FailoverRecord } from '../../measure/record.ts'
import type { SynchronousStandbys } from '../../postgres/synchronous.ts'
import { met, notMet, waitUntil } from '../../wait.ts'
import { checkHistory } from '../../history/check.ts'
import type { History } from '../../history/history.ts'
import { wasInterrupted } from '../interruption.ts'
import { startTrial, type Trial } from '../trial.ts'
import { readSurvivors, startWriter } from '../../client/writer.ts'
import { play } from './actions.ts'
import { readOwnResources, readSessions, readSettings } from './evidence.ts'
import type { NodeSessions, RoundEvidence, RunFindings } from './evidence.ts'
import { sessionsLeft } from './checks.ts'
import type { Ledger } from './ledger.ts'
import type { Plan } from './plan.ts'
import type { Played } from './scene.ts'
import { Watcher, type Acknowledgement } from './watcher.ts'

/** What a round needs of the soak that it is part of. */
export interface RoundSetting {
  readonly cluster: Cluster
  readonly sync: SynchronousStandbys
  readonly ledger: Ledger
  readonly load: { readonly ratePerSecond: number; readonly connections: number }
  readonly signal: AbortSignal | undefined
}

/** What was going on, and the history of the client that wrote meanwhile. */
export type Histories = Partial<Record<RunFindings['during'], History>>

/** What a round has come to, as far as it came. */
export interface RoundRun {
  readonly played: Played | undefined
  readonly record: FailoverRecord | undefined
  /** Of each client; what there is of them. */
  readonly histories: Histories
  /** Seen by the watcher, also of a round that did not get to its end. */
  readonly acknowledgements: readonly Acknowledgement[]
  /** Undefined when the round did not get so far. */
  readonly evidence: RoundEvidence | undefined
  /** What ended it before its time. */
  readonly error: unknown
}

/** Of each thing that is waited for: a node that must be cloned on a slow machine has been seen to take some seconds. */
const STEP_TIMEOUT_MS = 60_000
const HEAL_TIMEOUT_MS = 180_000

/** Plays a round from a cluster that is well to its evidence. Never throws: what goes wrong is part of the round. */
export async function playRound(setting: RoundSetting, plan: Plan): Promise<RoundRun> {
  const histories: Histories = {}
  const startedAt = new Date().toISOString()
  const watcher = new Watcher(setting.cluster)
  let acted: Acted | undefined
  let evidence: RoundEvidence | undefined
  let error: unknown
  try {
    const before = await setting.cluster.primary()
    acted = await act(setting, plan, histories)
    // An interruption has ended the action; the healing it must wait for.
    histories.healing = await heal(setting, { plan, old: before.name })
    evidence = await readEvidence(setting, {
      ...{ plan, histories, watcher, startedAt, timelineBefore: before.timeline },
      ...acted,
    })
  } catch (thrown) {
    error = thrown
  }
  await watcher[Symbol.asyncDispose]()
  const { played, record } = acted ?? {}
  const { acknowledgements } = watcher
  return { played, record, histories, acknowledgements, evidence, error: error ?? acted?.error }
}

interface Acted {
  readonly played: Played | undefined
  readonly record: FailoverRecord | undefined
  /** That the user has interrupted, or that the runtime cannot do it. Everything else ends the round. */
  readonly error: unknown
}

/** The action under load; its client's history is added, however it ends. */
async function act(setting: RoundSetting, plan: Plan, histories: Histories): Promise<Acted> {
  const { cluster, load, signal } = setting
  try {
    await using _links = needsClientLinks(plan) ? await linkClients(cluster) : undefined
    await using trial = await startTrial(cluster, { ...load, signal })
    try {
      const played = await playUnderLoad(setting, plan, trial)
      throwIfInterrupted(signal)
      const result = played.change === undefined ? undefined : await trial.finish(played.change, signal)
      return { played, record: result?.record, error: undefined }
    } finally {
      const history = await trial.writer.stop()
      // Of an action that was interrupted before the first, nothing can be said.
      if (history.writes.some(({ outcome }) => outcome.kind === 'acknowledged')) histories.action = history
    }
  } catch (thrown) {
    const error = wasInterrupted(thrown, signal) ? interrupted(thrown) : originOf(thrown)
    if (!isLabError(error, 'INTERRUPTED') && !isLabError(error, 'UNSUPPORTED_FAULT')) throw thrown
    return { played: undefined, record: undefined, error }
  }
}

async function playUnderLoad({ cluster, sync, signal }: RoundSetting, plan: Plan, trial: Trial): Promise<Played> {
  const limits = { timeoutMs: STEP_TIMEOUT_MS, signal }
  await trial.writer.acknowledges(plan.writesBefore, limits)
  const standbys = standbysOf(await cluster.status(signal)).map(({ name }) => name)
  const [one = '', two = ''] = standbys.sort()
  const [target, other] = plan.standby === 0 ? [one, two] : [two, one]
  return await play({ cluster, plan, sync, trial, primary: trial.oldPrimary.name, target, other, limits })
}

const needsClientLinks = ({ action, towards }: Plan): boolean =>
  action === 'black-hole' || (action === 'slow-link' && towards === 'clients')

/** Brings everything back while a second client writes, which must lose nothing. Without the signal: an interruption waits for it. */
async function heal(
  { cluster, load }: RoundSetting,
  { plan, old }: { readonly plan: Plan; readonly old: string },
): Promise<History> {
  const all = await cluster.status()
  const hasPrimary = all.filter(({ role }) => role === 'primary').length === 1
  await using early = hasPrimary ? await startWriter(cluster, load) : undefined
  const limits = { timeoutMs: HEAL_TIMEOUT_MS }
  if (plan.action === 'rejoin' && (await cluster.runtime.state(old)) === 'stopped') await rejoin(cluster, old, limits)
  await endDelays(cluster)
  await up(cluster, limits)
  // A standby that was down has kept its delay.
  await endDelays(cluster)
  await waitUntil(healthy(cluster), limits)
  const late = early === undefined ? await startWriter(cluster, load) : undefined
  const writer = early ?? late
  await writer?.acknowledges(ENOUGH, { timeoutMs: STEP_TIMEOUT_MS })
  const history = await writer?.stop()
  if (history === undefined) throw new LabError('NO_PRIMARY', 'there was nobody to write to')
  return history
}

const ENOUGH = 20

async function endDelays(cluster: Cluster): Promise<void> {
  for (const { name, recoveryMinApplyDelayMs } of standbysOf(await cluster.status())) {
    if (recoveryMinApplyDelayMs > 0) await delayReplay(cluster, name, { byMs: 0, timeoutMs: STEP_TIMEOUT_MS })
  }
}

interface ReadOptions extends Acted {
  readonly plan: Plan
  readonly histories: Histories
  readonly watcher: Watcher
  readonly timelineBefore: number
  /** As ISO 8601 writes it. */
  readonly startedAt: string
}

async function readEvidence(
  { cluster, ledger }: RoundSetting,
  { plan, histories, watcher, timelineBefore, startedAt, record, error }: ReadOptions,
): Promise<RoundEvidence> {
  const primary = await cluster.primary()
  const limits = { timeoutMs: STEP_TIMEOUT_MS }
  // All of this round is on every node before the next begins: so nothing of it can be lost later.
  for (const { name } of standbysOf(await cluster.status()))
    await waitUntil(caughtUp(cluster, name, primary.currentLsn), limits)
  const changedRuns = await ledger.compare(cluster, primary.name)
  const runs: RunFindings[] = []
  for (const during of ['action', 'healing'] as const) {
    const history = histories[during]
    if (history === undefined) continue
    const survivors = (await readSurvivors(cluster, history.run)) ?? new Map<number, number>()
    ledger.enter(plan.round, history, survivors)
    const findings = checkHistory(history, survivors, { faultHappened: true })
    const recordedLostIds = during === 'action' ? record?.lostIds : undefined
    runs.push({ ...findings, run: history.run, during, recordedLostIds })
  }
  const sessions = await settledSessions(cluster)
  return {
    ...{ plan, runs, changedRuns, timelineBefore, sessions },
    kept: (await readKept(cluster)).filter(({ keptAt }) => keptAt >= startedAt),
    isInterrupted: isLabError(error, 'INTERRUPTED'),
    acknowledgements: [...watcher.acknowledgements],
    expectedNodes: cluster.nodes.map(({ name }) => name),
    nodes: await cluster.status(),
    settings: await readSettings(cluster),
    // Before the look at the machine, which starts programs: node takes a moment to let go of one that has ended.
    own: await readOwnResources(),
    traces: await cluster.runtime.traces(),
  }
}

/** A server takes a moment to end the session of a client that has gone: what is there after that stays. */
async function settledSessions(cluster: Cluster): Promise<NodeSessions[]> {
  let seen = await readSessions(cluster)
  const settled = {
    what: 'every session that the lab has closed to end',
    observe: async () => {
      seen = await readSessions(cluster)
      const left = sessionsLeft(seen)
      return left.length === 0 ? met(undefined) : notMet(left.join(', '))
    },
  }
  await waitUntil(settled, { timeoutMs: SESSION_ENDS_MS }).catch((error: unknown) => {
    if (!isLabError(error, 'TIMEOUT')) throw new LabError('UNREACHABLE', messageOf(error), { cause: error })
  })
  return seen
}

const SESSION_ENDS_MS = 10_000
