/**
 * What happens in each round of a soak of a cluster that Patroni manages, drawn from its seed. Pure: the same seed and round give
 * the same plan, whatever the machine and its timing make of it.
 */
import { drawsOf, shuffled } from '../../experiments/chaos/random.ts'
import { seconds } from '../../wait.ts'
import { STACK_TIMERS } from '../settings.ts'

/**
 * Those of events.ts, and others. `brief-freeze` ends before the lock does, `edge-freeze` at about the moment at which it does;
 * `hit-switchover` is one during which a node is killed.
 */
export const stackActions = [
  ...(['killed', 'postmaster', 'stop', 'freeze', 'brief-freeze', 'edge-freeze'] as const),
  ...(['isolated', 'etcd', 'etcd-killed', 'switchover', 'hit-switchover', 'spike'] as const),
  ...(['standby-killed', 'standby-freeze', 'both-standbys-killed', 'primary-and-standby-killed'] as const),
  ...(['haproxy', 'pgbouncer'] as const),
] as const
export type StackAction = (typeof stackActions)[number]

/** The timers that a soak gives the stack: short, so that a round is. */
export const SOAK_TIMERS = STACK_TIMERS.tuned
const { ttl, loop_wait: loopWait, retry_timeout: retryTimeout } = SOAK_TIMERS.patroni

/** Every choice that is made by chance; which of them count depends on the action. Times in milliseconds. */
export interface StackPlan {
  readonly seed: number
  /** From 1. */
  readonly round: number
  readonly action: StackAction
  /** Which standby it is about, in the order of their names. */
  readonly standby: 0 | 1
  /** Who is killed in a switchover. */
  readonly victim: 'primary' | 'target' | 'other'
  /** A node that is down is started again when another one leads, or after a while, whoever leads by then. */
  readonly back: 'after-takeover' | 'early'
  /** Writes acknowledged over each way before anything happens. */
  readonly writesBefore: number
  /** A node is down, and a proxy away, for so long. */
  readonly downMs: number
  /** How long the primary stands still: until before the lock ends, or about when it does. */
  readonly briefMs: number
  readonly edgeMs: number
  /** How long a standby stands still. */
  readonly standbyMs: number
  readonly etcdMs: number
  readonly spikeMs: number
  /** What has ended with another node as the primary is left so long as it is. */
  readonly afterTakeoverMs: number
  readonly hitAfterMs: number
}

/** Draws a round. Each row of as many rounds as there are actions has every action once, in an order of its own. */
export function stackPlan(seed: number, round: number): StackPlan {
  const row = Math.floor((round - 1) / stackActions.length)
  const actions = shuffled(stackActions, drawsOf(seed, -1 - row))
  const action = actions[(round - 1) % stackActions.length] ?? 'killed'
  const { between, oneOf } = drawsOf(seed, round)
  // Always all of them, in this order: a new action changes nothing of the others.
  return {
    ...{ seed, round, action },
    standby: oneOf([0, 1]),
    victim: oneOf(['primary', 'target', 'other']),
    back: oneOf(['after-takeover', 'after-takeover', 'early']),
    writesBefore: between(10, 50),
    downMs: between(200, 12_000),
    briefMs: between(500, (ttl - loopWait - 1) * 1000),
    edgeMs: between((ttl - 2) * 1000, (ttl + 2) * 1000),
    standbyMs: between(500, 15_000),
    // From one that Patroni does not notice to one after which nobody leads.
    etcdMs: between(500, (loopWait + 2 * retryTimeout + 3) * 1000),
    spikeMs: between(3_000, 12_000),
    afterTakeoverMs: between(0, 4_000),
    hitAfterMs: between(0, 3_000),
  }
}

/** One line: what is done, with the choices that count. */
export const describeStackPlan = (plan: StackPlan): string => [plan.action, ...detailsOf(plan)].join(', ')

function detailsOf(plan: StackPlan): string[] {
  const standby = `standby ${plan.standby + 1}`
  const lasting = (ms: number): string => `for ${seconds(ms)}`
  const taken = `until ${seconds(plan.afterTakeoverMs)} after another leads`
  const down = plan.back === 'early' ? lasting(plan.downMs) : taken
  switch (plan.action) {
    case 'killed':
    case 'stop':
      return [down]
    case 'postmaster':
    case 'switchover':
      return []
    case 'freeze':
    case 'isolated':
      return [taken]
    case 'brief-freeze':
      return [lasting(plan.briefMs)]
    case 'edge-freeze':
      return [lasting(plan.edgeMs)]
    case 'etcd':
      return [lasting(plan.etcdMs)]
    case 'etcd-killed':
      return [lasting(plan.etcdMs), `the primary ${down}`]
    case 'hit-switchover':
      return [`to ${standby}`, `the ${plan.victim} killed after ${seconds(plan.hitAfterMs)}`]
    case 'spike':
      return [lasting(plan.spikeMs)]
    case 'standby-killed':
      return [standby, lasting(plan.downMs)]
    case 'standby-freeze':
      return [standby, lasting(plan.standbyMs)]
    case 'primary-and-standby-killed':
      return [standby, down]
    case 'both-standbys-killed':
    case 'haproxy':
    case 'pgbouncer':
      return [lasting(plan.downMs)]
  }
}
