/**
 * Switchovers that go wrong: one that must be refused, and one that is hit in its middle.
 */
import { crash, freeze } from '../../faults/power.ts'
import { pauseReplay } from '../../operations/delay.ts'
import { switchover } from '../../operations/switchover/switchover.ts'
import { isLabError, LabError, messageOf, throwIfInterrupted, type LabErrorCode } from '../../errors.ts'
import { pause } from '../../wait.ts'
import { setBeside, type Played, type Scene } from './scene.ts'

/** How a switchover refuses before anything is changed, or gives up and lets the old primary go on. */
const REFUSALS: ReadonlySet<LabErrorCode> = new Set<LabErrorCode>(['NOT_READY', 'UNREACHABLE', 'ABORTED'])

/** The limit for the standbys to catch up: long for a machine that is well, short for one that stands still. */
const CATCH_UP_MS = 2_000

/** To a standby that stands still, or beside one: the old primary must go on. */
export async function refusedSwitchover(scene: Scene): Promise<Played> {
  const refusal = await refusalOf(scene)
  const { cluster, trial, primary, limits } = scene
  await trial.writer.acknowledges(20, limits)
  const { name } = await cluster.primary(limits.signal)
  if (name === primary) return { refusal }
  throw new LabError('SPLIT_BRAIN', `the switchover was refused (${refusal}), and yet ${name} is the primary`)
}

async function refusalOf(scene: Scene): Promise<string> {
  const { cluster, plan, target, limits } = scene
  await using _obstacle = await obstacleOf(scene)
  try {
    await switchover(cluster, { to: target, catchUpMs: CATCH_UP_MS, ...limits })
  } catch (error) {
    if (isLabError(error) && REFUSALS.has(error.code)) return `${error.code}: ${error.message}`
    throw error
  }
  throw new LabError('NOT_READY', `a switchover to ${target} went through in spite of a ${plan.obstacle}`)
}

async function obstacleOf({ cluster, plan, target, other, limits }: Scene): Promise<AsyncDisposable> {
  switch (plan.obstacle) {
    case 'paused-target':
      return await pauseReplay(cluster, target, limits)
    case 'frozen-target':
      return await freeze(cluster, target)
    case 'frozen-other':
      return await freeze(cluster, other)
  }
}

/** A node dies or stands still in the middle: whatever becomes of the roles, nothing that was acknowledged may be lost. */
export async function hitSwitchover(scene: Scene): Promise<Played> {
  const { cluster, plan, target, limits } = scene
  await using _beside = await setBeside(scene)
  const over = new AbortController()
  const going = switchover(cluster, { to: target, catchUpMs: CATCH_UP_MS, ...limits }).finally(() => over.abort())
  going.catch(() => undefined) // it may fail before it is awaited
  await pause(plan.hitAfterMs, limits.signal).catch(() => undefined)
  const blow = over.signal.aborted
    ? { missed: `the switchover took less than ${plan.hitAfterMs} ms` }
    : await strike(scene)
  // What waits for a frozen node would wait for its whole limit.
  if (blow.undo !== undefined) await pause(plan.durationMs, limits.signal).catch(() => undefined)
  await blow.undo?.[Symbol.asyncDispose]()
  const missed = blow.missed === undefined ? {} : { missed: blow.missed }
  try {
    await going
    throwIfInterrupted(limits.signal)
    return missed
  } catch (error) {
    if (!isLabError(error) || error.code === 'INTERRUPTED') throw error
    return { ...missed, refusal: `${error.code}: ${error.message}` }
  }
}

interface Blow {
  readonly undo?: AsyncDisposable
  readonly missed?: string
}

/** Whoever is down at that moment is spared, or ends at that very moment. */
async function strike({ cluster, plan, limits, ...names }: Scene): Promise<Blow> {
  const victim = names[plan.victim]
  if (limits.signal?.aborted === true) return { missed: 'interrupted' }
  if ((await cluster.runtime.state(victim)) !== 'running') return { missed: `${victim} was down at that moment` }
  try {
    if (plan.blow === 'freeze') return { undo: await freeze(cluster, victim) }
    await crash(cluster, victim)
    return {}
  } catch (error) {
    return { missed: `${victim} could not be struck: ${messageOf(error)}` }
  }
}
