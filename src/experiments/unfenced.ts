/**
 * A promotion beside an old primary that nobody has fenced: what a failover must never do, done to see what comes of it.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { streaming } from '../cluster/conditions.ts'
import { createSlots } from '../cluster/slots.ts'
import { changeUpstream, conninfoTo } from '../cluster/upstream.ts'
import { choose, type Candidate } from '../operations/failover/choose.ts'
import { lookAtDrain, type Positions } from '../operations/failover/drained.ts'
import { whoAnswers } from '../operations/failover/who-answers.ts'
import { promote, type PromoteOptions } from '../operations/promote.ts'
import { together } from '../together.ts'
import { waitUntil, type Condition } from '../wait.ts'

export interface UnfencedOptions extends PromoteOptions {
  /** Whether the other standbys are told whom to follow. */
  readonly others: 'follow' | 'stay'
}

export interface Unfenced {
  readonly newPrimary: string
  readonly timeline: { readonly before: number; readonly after: number }
  /** An instant of performance.now(). */
  readonly promotedAt: number
}

/**
 * Promotes the standby that received most, beside `oldPrimary`, which is left as it is.
 * @throws LabError NO_CANDIDATE, TIMEOUT, INTERRUPTED
 */
export async function promoteUnfenced(
  cluster: Cluster,
  oldPrimary: string,
  options: UnfencedOptions,
): Promise<Unfenced> {
  const { signal } = options
  const names = cluster.nodes.map(({ name }) => name).filter(name => name !== oldPrimary)
  const candidates = await waitUntil(drained(cluster, names), { ...options, intervalMs: 5 })
  const chosen = choose(candidates, undefined)
  const after = await promote(cluster, chosen.name, options)
  const promotedAt = performance.now()
  await cluster.ask(chosen.name, session => createSlots(cluster, chosen.name, session), signal)
  if (options.others === 'follow') {
    const others = names.filter(name => name !== chosen.name)
    await together(others, name => turn(cluster, name, { ...options, to: chosen.name }), signal)
  }
  return { newPrimary: chosen.name, timeline: { before: chosen.timeline, after }, promotedAt }
}

/** How far each standby is, once nothing more arrives of what the old primary had sent. */
function drained(cluster: Cluster, names: readonly string[]): Condition<readonly Candidate[]> {
  let last: Positions | undefined
  return {
    what: 'the standbys to receive the last that the old primary sent',
    observe: async signal => {
      const { positions, observation } = lookAtDrain(await whoAnswers(cluster, names, signal), performance.now(), last)
      last = positions
      return observation
    },
  }
}

/**
 * To the new primary by its name: whoever asks all nodes for the primary waits at the one that stands still (connect_timeout does
 * not count for a WAL receiver), and follows it again when it wakes up.
 */
async function turn(
  cluster: Cluster,
  node: string,
  { to, ...options }: PromoteOptions & { to: string },
): Promise<void> {
  await changeUpstream(cluster, node, { conninfo: conninfoTo(cluster, node, to), ...options })
  await waitUntil(streaming(cluster, node, to), options)
}
