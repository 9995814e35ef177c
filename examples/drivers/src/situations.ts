/**
 * What befalls the cluster, and what the address does about it.
 */
import { met, notMet, waitUntil, type AddressOptions, type OpenAddress, type TestCluster } from 'pg-failover-lab'
import type { Work } from './protocol.ts'

export interface Situation {
  readonly id: string
  readonly title: string
  /** A sentence or two: what is done, and what the address does. */
  readonly says: string
  readonly work: Work
  readonly address: AddressOptions
  /** `running`: it comes when every subject works. `starting`: the subjects start into it. */
  readonly when: 'running' | 'starting'
  /** The node that goes: its sessions are counted afterwards. */
  readonly loses: 'primary' | 'standby'
  /** Whether that node must be healed before anybody can look at it. */
  readonly isFrozen?: boolean
  /** Does it, and returns when the new primary is one. What is to be ended afterwards goes to {@link Stage.defer}. */
  readonly strike: (stage: Stage) => Promise<void>
}

export interface Stage {
  readonly cluster: TestCluster
  readonly address: OpenAddress
  /** The primary of the beginning. */
  readonly old: string
  /** The standby that takes over. */
  readonly to: string
  readonly signal: AbortSignal
  /** Starts the subjects' work, in a situation which they start into. */
  readonly startSubjects: () => void
  /** How the fault ends, which a look at the old node may need. */
  readonly defer: (heal: () => Promise<void>) => void
}

/** Between a fault that nobody is told of and the promotion: somebody has to notice it. */
const NOTICED_AFTER_MS = 1_000
const LATE_MS = 5_000

const AT_ONCE: AddressOptions = { moveAfterMs: 0, oldConnections: 'keep' }
const usual = { work: 'write', address: AT_ONCE, when: 'running', loses: 'primary' } as const

async function freeze({ cluster, old, to, signal, defer }: Stage): Promise<void> {
  const frozen = await cluster.freeze(old)
  defer(() => frozen.heal())
  await passes(NOTICED_AFTER_MS, signal)
  await cluster.promote(to, { signal })
}

async function blackHole(stage: Stage, direction: 'both' | 'out'): Promise<void> {
  const { cluster, old, to, signal, defer } = stage
  const hole = await cluster.blackHole(old, { direction })
  defer(() => hole.heal())
  await passes(NOTICED_AFTER_MS, signal)
  await cluster.promote(to, { signal })
}

const switchOver = async ({ cluster, to, signal }: Stage): Promise<void> => {
  await cluster.switchover({ to, signal })
}

export const situations: readonly Situation[] = [
  {
    ...usual,
    id: 'stop',
    title: 'The primary is stopped',
    says: 'A fast shutdown: every session is told 57P01. Then the failover; the address moves at the promotion.',
    strike: async ({ cluster, to, signal }) => {
      await cluster.failover({ fault: 'stop', to, signal })
    },
  },
  {
    ...usual,
    id: 'reset',
    title: 'Every connection is reset',
    says: 'A standby is promoted, and the address resets every connection to the old primary at that moment, as a proxy does. Then the old primary is killed.',
    address: { moveAfterMs: 0, oldConnections: 'close' },
    strike: async ({ cluster, old, to, signal }) => {
      await cluster.promote(to, { signal })
      await cluster.crash(old) // who did not come over the address would write to it for ever
    },
  },
  {
    ...usual,
    id: 'freeze',
    title: 'The primary freezes',
    says: 'SIGSTOP: connections stay, and nothing answers. One second later a standby is promoted, and the address moves; it keeps old connections.',
    isFrozen: true,
    strike: freeze,
  },
  {
    ...usual,
    id: 'black-hole',
    title: 'Answers vanish',
    says: 'A black hole on the way back from the primary: what is asked is done, and no answer arrives. One second later a standby is promoted, and the address moves.',
    strike: stage => blackHole(stage, 'out'),
  },
  {
    ...usual,
    id: 'black-hole-transaction',
    title: 'Black hole in the middle of a transaction',
    says: 'Nothing arrives at the primary any more, nor comes back, while transactions are open. One second later a standby is promoted, and the address moves.',
    work: 'transaction',
    strike: stage => blackHole(stage, 'both'),
  },
  {
    ...usual,
    id: 'black-hole-busy',
    title: 'Black hole while the pool is waited for',
    says: 'The same, while all connections of the pool are in use and requests wait for one.',
    work: 'busy',
    strike: stage => blackHole(stage, 'both'),
  },
  {
    ...usual,
    id: 'black-hole-listen',
    title: 'Black hole in the middle of a LISTEN',
    says: 'The same, for who only listens. The new primary is sent notifications.',
    work: 'listen',
    strike: stage => blackHole(stage, 'both'),
  },
  {
    ...usual,
    id: 'switchover',
    title: 'Switchover, the address moves at once',
    says: 'The primary and a standby change places; the old primary is a standby at once.',
    strike: switchOver,
  },
  {
    ...usual,
    id: 'late',
    title: 'Switchover, the address moves late',
    says: 'The same, but the address leads to the old primary, a standby now, for five more seconds.',
    address: { moveAfterMs: LATE_MS, oldConnections: 'keep' },
    strike: switchOver,
  },
  {
    ...usual,
    id: 'never',
    title: 'Switchover, the address does not move',
    says: 'The same, but nobody moves the address while it is observed.',
    address: { moveAfterMs: 'never', oldConnections: 'keep' },
    strike: switchOver,
  },
  {
    ...usual,
    id: 'start-up',
    title: 'The application starts into a failover',
    says: 'The primary is down when the application starts; two seconds later a standby is promoted, and the address moves. An application that cannot open its database tries again every half second.',
    when: 'starting',
    strike: async ({ cluster, old, to, signal, startSubjects }) => {
      await cluster.stop(old, { signal })
      startSubjects()
      await passes(2 * NOTICED_AFTER_MS, signal)
      await cluster.failover({ fault: 'none', to, signal })
    },
  },
  {
    ...usual,
    id: 'standby-stop',
    title: 'A standby is stopped',
    says: 'One of the two that are read from. Nobody is promoted.',
    work: 'read',
    loses: 'standby',
    strike: async ({ cluster, to, signal }) => await cluster.stop(to, { signal }),
  },
  {
    ...usual,
    id: 'standby-freeze',
    title: 'A standby freezes',
    says: 'One of the two that are read from. Nobody is promoted.',
    work: 'read',
    loses: 'standby',
    isFrozen: true,
    strike: async ({ cluster, to, defer }) => {
      const frozen = await cluster.freeze(to)
      defer(() => frozen.heal())
    },
  },
]

/** The time that somebody takes to notice something is part of the situation. */
export async function passes(ms: number, signal: AbortSignal): Promise<void> {
  const end = performance.now() + ms
  const observe = async () => {
    const left = end - performance.now()
    return left <= 0 ? met(undefined) : notMet(`${Math.ceil(left)} ms are left`)
  }
  await waitUntil({ what: `${ms} ms to pass`, observe }, { timeoutMs: ms + 10_000, intervalMs: 10, signal })
}
