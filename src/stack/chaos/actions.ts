/**
 * The actions of a soak of the stack. What one leaves down or apart is found and put right by the healing of its round.
 */
import { crash } from '../../faults/power.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { isLabError, messageOf, throwIfInterrupted } from '../../errors.ts'
import { together } from '../../together.ts'
import { met, notMet, pause, waitUntil, type Condition } from '../../wait.ts'
import { startEtcd } from '../etcd.ts'
import { befall, type StackEvent } from '../events.ts'
import type { LockWatch } from '../lock-watch.ts'
import { askForSwitchover, leads, readPatroni } from '../rest.ts'
import { runCompose, type PatroniStack } from '../stack.ts'
import type { StackAction, StackPlan } from './plan.ts'

export interface StackScene {
  readonly cluster: Cluster
  readonly stack: PatroniStack
  readonly plan: StackPlan
  /** Who leads when it begins. */
  readonly primary: string
  /** The standby that it is about, and the other one. */
  readonly target: string
  readonly other: string
  readonly lock: LockWatch
  readonly signal: AbortSignal | undefined
}

/** What an action came to: what is worth telling of it. */
export interface StackPlayed {
  readonly remark?: string
}

/** Plays the action of the scene's plan. @throws whatever goes wrong that must not; LabError INTERRUPTED */
export const playStack = async (scene: StackScene): Promise<StackPlayed> =>
  (await PLAYS[scene.plan.action](scene)) ?? {}

type Play = (scene: StackScene) => Promise<StackPlayed | undefined>

const PLAYS: Readonly<Record<StackAction, Play>> = {
  killed: async scene => await thenBack(scene, () => event(scene, 'killed')),
  stop: async scene => await thenBack(scene, () => event(scene, 'stop')),
  postmaster: async scene => {
    await event(scene, 'postmaster')
    return await takenOver(scene)
  },
  freeze: async scene => await event(scene, 'freeze'),
  'brief-freeze': async scene => await frozen(scene, scene.primary, scene.plan.briefMs),
  'edge-freeze': async scene => await frozen(scene, scene.primary, scene.plan.edgeMs),
  isolated: async scene => await event(scene, 'isolated'),
  etcd: async scene => await event(scene, 'etcd'),
  'etcd-killed': etcdKilled,
  switchover: async scene => await event(scene, 'switchover'),
  'hit-switchover': hitSwitchover,
  spike: async scene => await event(scene, 'spike'),
  'standby-killed': async scene => await downFor(scene, [scene.target]),
  'standby-freeze': async scene => await frozen(scene, scene.target, scene.plan.standbyMs),
  'both-standbys-killed': async scene => await downFor(scene, [scene.target, scene.other]),
  'primary-and-standby-killed': async scene => await thenBack(scene, () => kill(scene, [scene.primary, scene.target])),
  haproxy: async scene => await proxyAway(scene, 'haproxy'),
  pgbouncer: async scene => await proxyAway(scene, 'pgbouncer'),
}

/** Limit for another node to lead: ttl and more. That nobody did is told, and judged where it matters. */
const TAKEOVER_LIMIT_MS = 60_000
const COMMAND_TIMEOUT_MS = 60_000

async function event({ cluster, stack, plan, ...scene }: StackScene, name: StackEvent): Promise<undefined> {
  const { etcdMs, spikeMs, afterTakeoverMs } = plan
  await befall(cluster, stack, {
    ...{ event: name, afterTakeoverMs, limitMs: TAKEOVER_LIMIT_MS },
    ...{ primary: scene.primary, lock: scene.lock, signal: scene.signal },
    lastsMs: name === 'spike' ? spikeMs : etcdMs,
  })
}

/** The node is started again by the healing, when the plan says so. */
async function thenBack(scene: StackScene, doIt: () => Promise<unknown>): Promise<StackPlayed | undefined> {
  await doIt()
  if (scene.plan.back === 'after-takeover') return await takenOver(scene)
  await pause(scene.plan.downMs, scene.signal)
  return undefined
}

async function takenOver({ stack, primary, plan, signal }: StackScene): Promise<StackPlayed> {
  try {
    await waitUntil(anotherLeads(stack, primary), { timeoutMs: TAKEOVER_LIMIT_MS, intervalMs: 200, signal })
  } catch (error) {
    if (!isLabError(error, 'TIMEOUT')) throw error
    return { remark: error.message }
  }
  await pause(plan.afterTakeoverMs, signal)
  return {}
}

const anotherLeads = (stack: PatroniStack, primary: string): Condition<undefined> => ({
  what: `Patroni to say that another node than ${primary} leads`,
  observe: async signal => {
    try {
      const leader = (await readPatroni(stack, { signal })).members.find(leads)
      if (leader !== undefined && leader.name !== primary && leader.state === 'running') return met(undefined)
      return notMet(leader === undefined ? 'nobody leads' : `${leader.name} ${leader.state}`)
    } catch (error) {
      throwIfInterrupted(signal)
      return notMet(messageOf(error))
    }
  },
})

async function frozen({ cluster, signal }: StackScene, node: string, ms: number): Promise<undefined> {
  cluster.emit({ kind: 'command', node, text: await cluster.runtime.freeze(node) })
  await pause(ms, signal).finally(async () =>
    cluster.emit({ kind: 'command', node, text: await cluster.runtime.thaw(node) }),
  )
}

const kill = async ({ cluster }: StackScene, nodes: readonly string[]): Promise<unknown> =>
  await together(nodes, node => crash(cluster, node))

async function downFor(scene: StackScene, nodes: readonly string[]): Promise<undefined> {
  await kill(scene, nodes)
  await pause(scene.plan.downMs, scene.signal)
}

/** The primary is killed at half of the time that etcd is away, if it has not given up by itself before. */
async function etcdKilled(scene: StackScene): Promise<StackPlayed | undefined> {
  const { stack, plan, signal } = scene
  await runCompose(stack, ['kill', ...stack.etcd], { timeoutMs: COMMAND_TIMEOUT_MS, signal })
  try {
    await pause(plan.etcdMs / 2, signal)
    await kill(scene, [scene.primary])
    await pause(plan.etcdMs / 2, signal)
  } finally {
    await startEtcd(stack, { timeoutMs: COMMAND_TIMEOUT_MS })
  }
  return await thenBack(scene, async () => undefined)
}

/** Whatever Patroni says to it: a node that is killed in its middle may end it in any way. */
async function hitSwitchover(scene: StackScene): Promise<StackPlayed> {
  const { stack, plan, primary, target, other, signal } = scene
  const victim = { primary, target, other }[plan.victim]
  const asked = askForSwitchover(stack, { from: primary, to: target, timeoutMs: COMMAND_TIMEOUT_MS, signal }).then(
    ({ status, text }) => `Patroni said ${status} to the switchover: ${text}`,
    (error: unknown) => messageOf(error),
  )
  await pause(plan.hitAfterMs, signal)
  await kill(scene, [victim])
  const remark = await asked
  throwIfInterrupted(signal)
  await pause(plan.afterTakeoverMs, signal)
  return { remark }
}

async function proxyAway({ stack, plan, signal }: StackScene, service: 'haproxy' | 'pgbouncer'): Promise<undefined> {
  await runCompose(stack, ['kill', service], { timeoutMs: COMMAND_TIMEOUT_MS, signal })
  await pause(plan.downMs, signal).finally(() => startProxies(stack))
}

/** Starts what does not run of what leads clients to the primary. */
export async function startProxies(stack: PatroniStack): Promise<void> {
  await runCompose(stack, ['up', '--detach', '--no-deps', 'haproxy', 'pgbouncer'], { timeoutMs: COMMAND_TIMEOUT_MS })
}
