/**
 * A soak of a cluster that Patroni manages, for people.
 */
import type { StackRound, StackSoak } from '../stack/chaos/soak.ts'
import type { StackTimers } from '../stack/settings.ts'
import { spreadOf } from '../measure/statistics.ts'
import { stackWays } from '../stack/ways.ts'
import { narrateActions, narrateUnproven } from './chaos.ts'
import { counted, formatCount, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'

/** The `--json` document. */
export interface StackChaosDocument {
  readonly version: 1
  readonly stack: 'patroni'
  readonly runtime: 'docker' | 'local'
  readonly seed: number
  /** Null when rounds were asked for. */
  readonly minutes: number | null
  /** While it went on. */
  readonly timers: StackTimers
  /** The rate is of all ways together, the connections are of each. */
  readonly load: { readonly ratePerSecond: number; readonly connections: number }
  readonly rounds: readonly StackRound[]
  readonly verdict: StackSoak['verdict']
}

/** Before the first round. */
export function narrateStackTerms(
  narrate: Narrator,
  { timers, load }: Pick<StackChaosDocument, 'timers' | 'load'>,
): void {
  const { patroni, haproxy, pgbouncer } = timers
  narrate.say(
    `timers         ttl ${patroni.ttl} s, loop_wait ${patroni.loop_wait} s, retry_timeout ${patroni.retry_timeout} s, primary_start_timeout ${patroni.primary_start_timeout} s; inter ${haproxy.inter} s; server_login_retry ${pgbouncer.server_login_retry} s`,
  )
  narrate.say(
    `clients        one over each of ${stackWays.join(', ')}: ${load.ratePerSecond} writes a second together, ${counted(load.connections, 'connection')} each`,
  )
}

/** What each action came to over all rounds, what each way did, and the claim. */
export function narrateStackSoak(narrate: Narrator, { rounds, verdict }: StackChaosDocument): void {
  if (rounds.length > 0) {
    narrateActions(narrate, rounds)
    narrateWays(narrate, rounds)
  }
  const sum = (what: 'acknowledged' | 'lost' | 'indeterminate' | 'promotions'): string =>
    formatCount(rounds.reduce((total, round) => total + round[what], 0))
  narrate.say('')
  narrate.say(
    `rounds ${rounds.length} · promotions ${sum('promotions')} · acknowledged ${sum('acknowledged')} · lost ${sum('lost')} · indeterminate ${sum('indeterminate')}`,
  )
  narrate.say(claimOf(rounds, verdict))
  narrateUnproven(narrate, rounds)
}

function narrateWays(narrate: Narrator, rounds: readonly StackRound[]): void {
  const rows = stackWays.map(way => {
    const those = rounds.flatMap(({ ways }) => ways.filter(one => one.way === way))
    const outages = those.flatMap(({ outageMs }) => (outageMs === null ? [] : [outageMs]))
    const spread = outages.length === 0 ? undefined : spreadOf(outages)
    const figures = spread === undefined ? ['none', '', ''] : [spread.median, spread.min, spread.max].map(formatMs)
    const sum = (what: 'acknowledged' | 'lost' | 'failed' | 'indeterminate'): number =>
      those.reduce((total, one) => total + one[what], 0)
    return [way, ...figures, sum('acknowledged'), sum('lost'), sum('failed'), sum('indeterminate')]
  })
  narrate.say('')
  narrate.table(['way', 'outage', 'min', 'max', 'acknowledged', 'lost', 'failed', 'indeterminate'], rows)
}

function claimOf(rounds: readonly StackRound[], verdict: StackSoak['verdict']): string {
  const held = counted(rounds.filter(round => round.verdict === 'held').length, 'round')
  switch (verdict) {
    case 'held':
      return `In ${held} no two nodes acknowledged, and writes were lost only where a primary was gone that had acknowledged alone.`
    case 'failed':
      return `The claim does not hold in ${counted(rounds.filter(round => round.verdict === 'failed').length, 'round')}; in ${held} it does.`
    case 'unknown':
      return 'No round came to its end, so nothing was put to the test.'
  }
}
