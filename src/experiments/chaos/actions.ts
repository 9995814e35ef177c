/**
 * The actions of a soak, each done with the lab's own procedures and faults. Every fault is over when its action returns,
 * but for a node that is down, a cascade and a delay: the healing of the round is to find those.
 */
import { cascade, follow } from '../../operations/cascade.ts'
import { delayReplay, pauseReplay } from '../../operations/delay.ts'
import { failover } from '../../operations/failover/failover.ts'
import { blackHole, isolate, slowNetwork } from '../../faults/network.ts'
import { crash, freeze, type FailoverFault } from '../../faults/power.ts'
import { cutFromWal } from '../../faults/replication.ts'
import { addReplica, removeReplica } from '../../operations/members.ts'
import { switchover } from '../../operations/switchover/switchover.ts'
import { up } from '../../operations/up.ts'
import { Disposer } from '../../dispose.ts'
import { together } from '../../together.ts'
import { pause } from '../../wait.ts'
import type { ChaosAction } from './plan.ts'
import { setBeside, standbysHit, type Played, type Scene } from './scene.ts'
import { hitSwitchover, refusedSwitchover } from './switchovers.ts'

/** Plays the action of the scene's plan. @throws LabError UNSUPPORTED_FAULT; and whatever goes wrong that must not */
export const play = (scene: Scene): Promise<Played> => PLAYS[scene.plan.action](scene)

const PLAYS: Readonly<Record<ChaosAction, (scene: Scene) => Promise<Played>>> = {
  crash: scene => failOver(scene, 'crash'),
  stop: scene => failOver(scene, 'stop'),
  rejoin: scene => failOver(scene, 'crash'),
  'frozen-primary': scene => failOver(scene, 'crash', () => freeze(scene.cluster, scene.primary)),
  'isolated-primary': scene => failOver(scene, 'crash', () => isolate(scene.cluster, scene.primary, scene.limits)),
  switchover: plainSwitchover,
  'refused-switchover': refusedSwitchover,
  'hit-switchover': hitSwitchover,
  'standby-crash': crashStandbys,
  'standby-freeze': scene => meanwhile(scene, standbysHit(scene), name => freeze(scene.cluster, name)),
  'standby-isolate': scene =>
    meanwhile(scene, standbysHit(scene), name =>
      isolate(scene.cluster, name, { direction: scene.plan.direction, ...scene.limits }),
    ),
  cut: scene => meanwhile(scene, standbysHit(scene), name => cutFromWal(scene.cluster, [name], scene.limits)),
  'paused-replay': scene =>
    meanwhile(scene, standbysHit(scene), name => pauseReplay(scene.cluster, name, scene.limits)),
  'black-hole': scene =>
    meanwhile(scene, [scene.primary], name => blackHole(scene.cluster, name, { direction: scene.plan.direction })),
  'slow-link': scene =>
    meanwhile(scene, [scene.primary], name => slowNetwork(scene.cluster, name, { ...scene.plan, ...scene.limits })),
  cascade: cascadeAndBack,
  delay: delayAndBack,
  members: addAndRemove,
  'all-crash': crashAll,
}

/** The writes that a client must get through before the round goes on. */
const ENOUGH = 20

/** Takes the primary away and fails over; what `before` does to the primary lasts until it is down. */
async function failOver(
  scene: Scene,
  fault: FailoverFault,
  before: () => Promise<AsyncDisposable | undefined> = async () => undefined,
): Promise<Played> {
  const { cluster, plan, trial, primary, limits } = scene
  await using faults = new Disposer()
  const beside = faults.use(await setBeside(scene))
  const own = await before()
  if (own !== undefined) {
    faults.use(own)
    await pause(plan.durationMs, limits.signal)
  }
  await trial.inflict(fault, limits.signal)
  // Cut standbys are let back, as in a trial. Where a commit waits for a standby, none that has it may stay away: two nodes
  // lost at once are more than one synchronous standby promises to survive.
  if (plan.beside === 'cut-standbys' || scene.sync !== 'asynchronous') await beside[Symbol.asyncDispose]()
  const change = await failover(cluster, primary, limits)
  // A standby whose connection to an isolated primary is dead is not told, and looks for another after wal_receiver_timeout,
  // a minute: where a commit waits for one, nobody could write until then. So the faults end first.
  await faults[Symbol.asyncDispose]()
  await trial.writer.acknowledges(ENOUGH, limits)
  return { change }
}

async function plainSwitchover(scene: Scene): Promise<Played> {
  const { cluster, trial, target, limits } = scene
  await using _beside = await setBeside(scene)
  trial.begins('switchover')
  const change = await switchover(cluster, { to: target, ...limits })
  await trial.writer.acknowledges(ENOUGH, limits)
  return { change }
}

/** A fault on each of some nodes for the plan's time, while writes go on or wait; they must go on when it is over. */
async function meanwhile(
  scene: Scene,
  nodes: readonly string[],
  impose: (node: string) => Promise<AsyncDisposable>,
): Promise<Played> {
  await playMeanwhile(scene, nodes, impose)
  await scene.trial.writer.acknowledges(ENOUGH, scene.limits)
  return {}
}

async function playMeanwhile(
  scene: Scene,
  nodes: readonly string[],
  impose: (node: string) => Promise<AsyncDisposable>,
): Promise<void> {
  await using faults = new Disposer()
  faults.use(await setBeside(scene))
  for (const node of nodes) faults.use(await impose(node))
  await pause(scene.plan.durationMs, scene.limits.signal)
}

async function crashStandbys(scene: Scene): Promise<Played> {
  await using _beside = await setBeside(scene)
  for (const name of standbysHit(scene)) await crash(scene.cluster, name)
  await pause(scene.plan.durationMs, scene.limits.signal)
  return {}
}

async function cascadeAndBack({ cluster, plan, trial, target, other, limits }: Scene): Promise<Played> {
  await cascade(cluster, other, { from: target, ...limits })
  await trial.writer.acknowledges(ENOUGH, limits)
  if (plan.both) await crash(cluster, target)
  else await follow(cluster, other, limits)
  return {}
}

async function delayAndBack({ cluster, plan, trial, target, limits }: Scene): Promise<Played> {
  await delayReplay(cluster, target, { byMs: plan.applyDelayMs, ...limits })
  await pause(plan.durationMs, limits.signal)
  await delayReplay(cluster, target, { byMs: 0, ...limits })
  await trial.writer.acknowledges(ENOUGH, limits)
  return {}
}

async function addAndRemove({ cluster, plan, trial, limits }: Scene): Promise<Played> {
  const { name } = await addReplica(cluster, limits)
  try {
    await pause(plan.durationMs, limits.signal)
    await trial.writer.acknowledges(ENOUGH, limits)
  } finally {
    await removeReplica(cluster, name, { timeoutMs: limits.timeoutMs })
  }
  return {}
}

/** Every node at once, in no particular order: up finds a primary among what is left. */
async function crashAll(scene: Scene): Promise<Played> {
  const { cluster, trial, limits } = scene
  await using beside = await setBeside(scene)
  await together(cluster.nodes, ({ name }) => crash(cluster, name))
  await beside[Symbol.asyncDispose]()
  await up(cluster, limits)
  await trial.writer.acknowledges(ENOUGH, limits)
  return {}
}
