/**
 * What happens in each round of a soak, drawn from its seed. Pure: the same seed and round give the same plan, whatever the
 * machine and its timing make of it.
 */
import type { Direction } from '../../faults/network.ts'
import { drawsOf, shuffled } from './random.ts'

/**
 * What is done to the cluster. `hit-switchover` is a switchover during which a node dies or stands still, and
 * `refused-switchover` one that must leave the old primary.
 */
export const chaosActions = [
  ...(['crash', 'stop', 'rejoin', 'frozen-primary', 'isolated-primary'] as const),
  ...(['switchover', 'refused-switchover', 'hit-switchover'] as const),
  ...(['standby-crash', 'standby-freeze', 'standby-isolate', 'cut', 'paused-replay'] as const),
  ...(['black-hole', 'slow-link', 'cascade', 'delay', 'members', 'all-crash'] as const),
] as const
export type ChaosAction = (typeof chaosActions)[number]

/** What is the matter with another node, or with the way to it, meanwhile. */
export type Beside =
  | 'nothing'
  | 'frozen-standby'
  | 'paused-standby'
  | 'slow-peers'
  | 'delayed-standby'
  | 'cascading-standby'
  | 'cut-standbys'

/** Every choice that is made by chance; which of them count depends on the action. Times in milliseconds. */
export interface Plan {
  readonly seed: number
  /** From 1. */
  readonly round: number
  readonly action: ChaosAction
  readonly beside: Beside
  /** Which standby it is about, in the order of their names; the other one is the other. */
  readonly standby: 0 | 1
  /** Whether it happens to both standbys; with `cascade`, whether the middle one dies. */
  readonly both: boolean
  readonly obstacle: 'paused-target' | 'frozen-target' | 'frozen-other'
  readonly victim: 'target' | 'other' | 'primary'
  readonly blow: 'crash' | 'freeze'
  readonly direction: Direction
  readonly towards: 'peers' | 'clients'
  /** Writes acknowledged before anything happens. */
  readonly writesBefore: number
  readonly durationMs: number
  readonly hitAfterMs: number
  readonly cutMs: number
  readonly applyDelayMs: number
  readonly latencyMs: number
  readonly bytesPerSecond: number
}

/** Draws a round. Each row of as many rounds as there are actions has every action once, in an order of its own. */
export function plan(seed: number, round: number): Plan {
  const row = Math.floor((round - 1) / chaosActions.length)
  const actions = shuffled(chaosActions, drawsOf(seed, -1 - row))
  const action = actions[(round - 1) % chaosActions.length] ?? 'crash'
  const { random, between, oneOf } = drawsOf(seed, round)
  // Always all of them, in this order: a new action changes nothing of the others.
  return {
    ...{ seed, round, action },
    beside: oneOf(COMPANY[action] ?? ['nothing']),
    standby: oneOf([0, 1]),
    both: random() < 0.4,
    obstacle: oneOf(['paused-target', 'frozen-target', 'frozen-other']),
    victim: oneOf(['target', 'other', 'primary']),
    blow: oneOf(['crash', 'freeze']),
    direction: oneOf(['both', 'in', 'out']),
    towards: oneOf(['peers', 'clients']),
    writesBefore: between(20, 200),
    durationMs: between(100, 2_500),
    hitAfterMs: between(0, 250),
    cutMs: between(20, 300),
    applyDelayMs: between(200, 3_000),
    latencyMs: between(1, 60),
    bytesPerSecond: between(40, 2_000) * 1000,
  }
}

/** What an action goes together with; twice, where it would be too rare among the others. */
const COMPANY: Readonly<Partial<Record<ChaosAction, readonly [Beside, ...Beside[]]>>> = {
  crash: [
    'nothing',
    'frozen-standby',
    'paused-standby',
    'slow-peers',
    'delayed-standby',
    'cascading-standby',
    'cut-standbys',
  ],
  // A shutdown waits for every standby that is connected, and one that is cut does not get the last of it.
  stop: ['nothing', 'paused-standby', 'slow-peers', 'delayed-standby', 'cascading-standby'],
  rejoin: ['nothing', 'cut-standbys', 'cut-standbys'],
  'frozen-primary': ['nothing', 'slow-peers', 'cascading-standby'],
  // Not paused: a standby that does not replay takes over no other upstream, so it cannot be led over a link either.
  'isolated-primary': ['nothing', 'cascading-standby', 'frozen-standby'],
  switchover: ['nothing', 'slow-peers', 'delayed-standby', 'cascading-standby'],
  'hit-switchover': ['nothing', 'slow-peers', 'delayed-standby'],
  'standby-crash': ['nothing', 'slow-peers', 'paused-standby'],
  'standby-freeze': ['nothing', 'slow-peers', 'paused-standby'],
  'black-hole': ['nothing', 'frozen-standby', 'paused-standby'],
  'all-crash': ['nothing', 'paused-standby', 'delayed-standby', 'cascading-standby', 'cut-standbys'],
}

/** One line: what is done, with the choices that count. */
export function describePlan(plan: Plan): string {
  const details = detailsOf(plan).filter(detail => detail !== '')
  return [plan.action, ...details, ...(plan.beside === 'nothing' ? [] : [besideOf(plan)])].join(', ')
}

function detailsOf(plan: Plan): string[] {
  const standby = `standby ${plan.standby + 1}`
  const which = plan.both ? 'both standbys' : standby
  const lasting = `for ${plan.durationMs} ms`
  switch (plan.action) {
    case 'crash':
    case 'stop':
    case 'rejoin':
    case 'all-crash':
      return []
    case 'frozen-primary':
    case 'isolated-primary':
      return [lasting]
    case 'switchover':
      return [`to ${standby}`]
    case 'refused-switchover':
      return [`to ${standby}`, plan.obstacle.replace('-', ' ')]
    case 'hit-switchover':
      return [`to ${standby}`, `${plan.blow} of the ${plan.victim} after ${plan.hitAfterMs} ms`]
    case 'standby-crash':
    case 'standby-freeze':
    case 'cut':
    case 'paused-replay':
      return [which, lasting]
    case 'standby-isolate':
      return [which, plan.direction === 'both' ? 'both ways' : `${plan.direction}wards`, lasting]
    case 'black-hole':
      return [plan.direction === 'both' ? 'both ways' : `${plan.direction}wards`, lasting]
    case 'slow-link':
      return [`towards ${plan.towards}`, `${plan.latencyMs} ms, ${plan.bytesPerSecond / 1000} kB/s`, lasting]
    case 'cascade':
      return [`from ${standby}`, plan.both ? 'which crashes' : 'and back']
    case 'delay':
      return [standby, `by ${plan.applyDelayMs} ms`, lasting]
    case 'members':
      return [lasting]
  }
}

function besideOf({ beside, cutMs, applyDelayMs, latencyMs, bytesPerSecond }: Plan): string {
  const figures: Partial<Record<Beside, string>> = {
    'cut-standbys': ` (${cutMs} ms)`,
    'delayed-standby': ` (${applyDelayMs} ms)`,
    'slow-peers': ` (${latencyMs} ms, ${bytesPerSecond / 1000} kB/s)`,
  }
  return `beside: ${beside}${figures[beside] ?? ''}`
}
