/**
 * One event on Patroni's stack, seen by a client on each way at once.
 */
import { Disposer } from '../dispose.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Settle } from '../experiments/measure/measure.ts'
import type { Measured } from '../measure/measured.ts'
import { befall, healStack, type StackEvent } from '../stack/events.ts'
import { LockWatch } from '../stack/lock-watch.ts'
import { STACK_TIMERS, type StackSetting, type StackTimers } from '../stack/settings.ts'
import type { PatroniStack } from '../stack/stack.ts'
import { openWay } from '../stack/ways.ts'
import { compareTrial, type CompareTrial, type Decided } from './document.ts'
import type { Cell } from './plan.ts'
import { predict, type Prediction } from './prediction.ts'
import { DEADLINES, PATIENT_WRITE_MS, trialOf, type Client, type Load, type RoundOptions } from './trial.ts'

const HEAL_TIMEOUT_MS = 240_000
const SPIKE_MS = 20_000
/** A node that is frozen or isolated stays so for this long when another one leads. */
const AFTER_TAKEOVER_MS = 5_000
/** Longer than the longest that is predicted, it is looked what becomes of it. */
const MORE_MS = 30_000

/** The stack has the timers of the round. @throws LabError those of measure, and of the stack */
export async function stackRound(
  cluster: Cluster,
  stack: PatroniStack,
  { round, trial, load, onProgress, signal }: RoundOptions,
): Promise<readonly CompareTrial[]> {
  const { event, setting, ways } = round
  const timers = timersOf(setting)
  onProgress('bringing every node back')
  const { primary } = await healStack(cluster, stack, { timeoutMs: HEAL_TIMEOUT_MS, signal })
  await using resources = new Disposer()
  const lock = resources.use(await LockWatch.start(stack, { signal }))
  const clients = ways.map(way => clientOn(cluster, stack, { way, load, resources }))
  const limitMs = longestOf(event, timers) + MORE_MS
  const settle: Settle = event === 'spike' ? { kind: 'time', ms: SPIKE_MS + 5_000 } : { kind: 'writable', limitMs }
  const measured = await trialOf(clients, {
    ...{ load, settle, onProgress, signal, text: event },
    // The lock was renewed some time before: any time up to loop_wait, and not always the same.
    doAfterMs: 1_000 + Math.random() * timers.patroni.loop_wait * 1_000,
    act: async ended => {
      const times = { lastsMs: lastsMs(event, timers), limitMs, afterTakeoverMs: AFTER_TAKEOVER_MS }
      await befall(cluster, stack, { event, primary, lock, ...times, signal: ended })
    },
  })
  return measured.map((each, at) => {
    const cell = { event, setting, way: clients[at]?.name ?? 'hosts' }
    const decided = event === 'etcd' ? undefined : decidedIn(lock, each.milestones)
    return compareTrial({ ...cell, trial }, each, { decided, predicted: predictionOf(cell) })
  })
}

/** What the timers say of a cell; undefined for the lab's own, which has none. */
export function predictionOf({ event, way, setting }: Cell): Prediction | undefined {
  if (way === 'lab' || setting === 'none') return undefined
  const timers = timersOf(setting)
  return predict(event, { timers, way, lastsMs: lastsMs(event, timers), afterTakeoverMs: AFTER_TAKEOVER_MS })
}

const timersOf = (setting: Cell['setting']): StackTimers => STACK_TIMERS[setting as StackSetting]

/** etcd is away for longer than any lock lasts. */
const lastsMs = (event: StackEvent, { patroni }: StackTimers): number =>
  event === 'etcd' ? (patroni.ttl + 10) * 1_000 : SPIKE_MS

const longestOf = (event: StackEvent, timers: StackTimers): number => {
  const options = { timers, way: 'pgbouncer' as const, lastsMs: lastsMs(event, timers), afterTakeoverMs: 0 }
  return predict(event, options).maxMs ?? SPIKE_MS
}

function clientOn(
  cluster: Cluster,
  stack: PatroniStack,
  { way, load, resources }: { readonly way: Cell['way']; readonly load: Load; readonly resources: Disposer },
): Client {
  const writeTimeoutMs = way === 'patient' ? PATIENT_WRITE_MS : DEADLINES.writeTimeoutMs
  const through = way === 'patient' || way === 'lab' ? 'hosts' : way
  const options = { ...DEADLINES, writeTimeoutMs, connections: load.connections, way: through } as const
  return { ...resources.use(openWay(cluster, stack, options)), name: way, writeTimeoutMs }
}

/** Who had the lock first after the fault, and since when it had been free. */
function decidedIn({ changes }: LockWatch, { faultAt }: Measured['milestones']): Decided | undefined {
  const since = changes.filter(({ at }) => at > faultAt)
  const taken = since.findIndex(({ holder }) => holder !== undefined)
  const takenAt = since[taken]?.at
  if (takenAt === undefined) return undefined
  return { takenAt, freeAt: since.slice(0, taken).at(-1)?.at ?? takenAt }
}
