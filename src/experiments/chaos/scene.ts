/**
 * What a round of a soak plays on, and what stands beside its action.
 */
import { cascade } from '../../operations/cascade.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { delayReplay, pauseReplay } from '../../operations/delay.ts'
import type { Failover } from '../../operations/failover/failover.ts'
import { slowNetwork } from '../../faults/network.ts'
import { freeze } from '../../faults/power.ts'
import { cutFromWal } from '../../faults/replication.ts'
import type { Switchover } from '../../operations/switchover/switchover.ts'
import type { SynchronousStandbys } from '../../postgres/synchronous.ts'
import { pause } from '../../wait.ts'
import type { Trial } from '../trial.ts'
import type { Plan } from './plan.ts'

export interface Scene {
  readonly cluster: Cluster
  readonly plan: Plan
  readonly sync: SynchronousStandbys
  readonly trial: Trial
  readonly primary: string
  /** The standby that it is about, and the other one. */
  readonly target: string
  readonly other: string
  /** Of each thing that is waited for. */
  readonly limits: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined }
}

/** What an action came to. */
export interface Played {
  /** A failover or a switchover, whose record can be drawn up. */
  readonly change?: Failover | Switchover
  /** What was refused, and rightly so, or what a blow in the middle has ended. */
  readonly refusal?: string
  /** Why the blow never fell: then nothing was put to the test. */
  readonly missed?: string
}

/** The standbys that it happens to. */
export const standbysHit = ({ plan, target, other }: Scene): readonly string[] =>
  plan.both ? [target, other] : [target]

/** What is the matter meanwhile, until it is disposed of. A delay and a cascade are ended by the healing of the round. */
export async function setBeside({ cluster, plan, primary, target, other, limits }: Scene): Promise<AsyncDisposable> {
  switch (plan.beside) {
    case 'nothing':
      return NOTHING
    case 'frozen-standby':
      return await freeze(cluster, other)
    case 'paused-standby':
      return await pauseReplay(cluster, other, limits)
    case 'slow-peers': {
      const { latencyMs, bytesPerSecond } = plan
      return await slowNetwork(cluster, primary, { towards: 'peers', latencyMs, bytesPerSecond, ...limits })
    }
    case 'delayed-standby':
      await delayReplay(cluster, other, { byMs: plan.applyDelayMs, ...limits })
      return NOTHING
    case 'cascading-standby':
      await cascade(cluster, other, { from: target, ...limits })
      return NOTHING
    case 'cut-standbys': {
      const cut = await cutFromWal(cluster, [target, other], limits)
      await pause(plan.cutMs, limits.signal).catch(async (error: unknown) => {
        await cut[Symbol.asyncDispose]()
        throw error
      })
      return cut
    }
  }
}

const NOTHING: AsyncDisposable = { [Symbol.asyncDispose]: () => Promise.resolve() }
