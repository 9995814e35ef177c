/**
 * One round of a soak with the stack: a client writes over each way, something happens, and all is healed while they go on.
 */
import type { Cluster } from '../../cluster/cluster.ts'
import { interrupted, messageOf, originOf } from '../../errors.ts'
import type { Ledger } from '../../experiments/chaos/ledger.ts'
import { Watcher, type Acknowledgement } from '../../experiments/chaos/watcher.ts'
import { wasInterrupted } from '../../experiments/interruption.ts'
import { waitUntil } from '../../wait.ts'
import { healStack } from '../events.ts'
import { LockWatch } from '../lock-watch.ts'
import { allWell } from '../rest.ts'
import type { PatroniStack } from '../stack.ts'
import type { StackWay } from '../ways.ts'
import { playStack, startProxies, type StackPlayed } from './actions.ts'
import { Clients, type ClientsLoad, type WayHistory } from './clients.ts'
import { readStackEvidence, type StackEvidence } from './evidence.ts'
import type { StackPlan } from './plan.ts'

export interface StackRoundSetting {
  readonly cluster: Cluster
  readonly stack: PatroniStack
  readonly ledger: Ledger
  readonly load: ClientsLoad
  readonly signal: AbortSignal | undefined
}

/** What a round has come to, as far as it came. */
export interface StackRoundRun {
  readonly played: StackPlayed
  readonly histories: readonly WayHistory[]
  readonly acknowledgements: readonly Acknowledgement[]
  /** Undefined where it did not get so far. */
  readonly evidence: StackEvidence | undefined
  /** What ended the action before its time: an interruption, or what must not go wrong. */
  readonly actionError: unknown
  /** What ended the round: then the cluster may not be well. */
  readonly error: unknown
}

const READY_TIMEOUT_MS = 60_000
const HEAL_TIMEOUT_MS = 240_000
/** For writes to be acknowledged over a way when Patroni, HAProxy and the servers say that all is well. */
const AGAIN_TIMEOUT_MS = 30_000
const ENOUGH = 20

/** From a cluster that is well to the evidence. Never throws: what goes wrong is part of the round. */
export async function playStackRound(setting: StackRoundSetting, plan: StackPlan): Promise<StackRoundRun> {
  const watcher = new Watcher(setting.cluster)
  const run: { -readonly [K in keyof StackRoundRun]: StackRoundRun[K] } = {
    ...{ played: {}, histories: [], acknowledgements: watcher.acknowledgements },
    ...{ evidence: undefined, actionError: undefined, error: undefined },
  }
  try {
    const { cluster, stack } = setting
    const before = await waitUntil(allWell(stack), { timeoutMs: READY_TIMEOUT_MS, intervalMs: 200 })
    const silentWays = await underLoad(setting, { plan, primary: before.primary, run })
    const { histories, acknowledgements } = run
    const seen = { plan, before, histories, acknowledgements, silentWays, ledger: setting.ledger }
    run.evidence = await readStackEvidence(cluster, stack, seen)
  } catch (thrown) {
    run.error = originOf(thrown)
  }
  await watcher[Symbol.asyncDispose]()
  return run
}

interface UnderLoad {
  readonly plan: StackPlan
  readonly primary: string
  /** Is told what came of it. */
  readonly run: Pick<{ -readonly [K in keyof StackRoundRun]: StackRoundRun[K] }, 'played' | 'histories' | 'actionError'>
}

/** Returns the ways over which nothing was acknowledged when all was well again. */
async function underLoad(setting: StackRoundSetting, { plan, primary, run }: UnderLoad): Promise<readonly StackWay[]> {
  const { cluster, stack, load, signal } = setting
  await using clients = new Clients(cluster, stack, load)
  try {
    const silent = await clients.acknowledge(plan.writesBefore, { timeoutMs: READY_TIMEOUT_MS })
    if (silent.length > 0) throw new Error(`nothing is acknowledged over ${silent.join(', ')} before anything happens`)
    run.played = await act(setting, plan, primary)
  } catch (thrown) {
    run.actionError = wasInterrupted(thrown, signal) ? interrupted(thrown) : originOf(thrown)
  }
  try {
    // An interruption has ended the action; the healing it must wait for.
    await startProxies(stack)
    await healStack(cluster, stack, { timeoutMs: HEAL_TIMEOUT_MS })
    return await clients.acknowledge(ENOUGH, { timeoutMs: AGAIN_TIMEOUT_MS })
  } finally {
    run.histories = await clients.stop()
  }
}

async function act(
  { cluster, stack, signal }: StackRoundSetting,
  plan: StackPlan,
  primary: string,
): Promise<StackPlayed> {
  await using lock = await LockWatch.start(stack, { signal })
  const standbys = cluster.nodes.map(({ name }) => name).filter(name => name !== primary)
  const [one = '', two = ''] = standbys.sort()
  const [target, other] = plan.standby === 0 ? [one, two] : [two, one]
  return await playStack({ cluster, stack, plan, primary, target, other, lock, signal })
}

/** In one line. */
export const toldAction = (error: unknown): string => `the action ended with an error: ${messageOf(error)}`
