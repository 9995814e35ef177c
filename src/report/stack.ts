/**
 * The stack of Patroni, for people.
 */
import type { StackStatus } from '../stack/status.ts'
import type { SwitchoversDocument, TrialUnderLoad } from '../stack/under-load.ts'
import { counted, formatBytes, formatCount, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'

/** Who leads, the lock, the members, where clients are led, and what patronictl says. */
export function narrateStackStatus(narrate: Narrator, status: StackStatus): void {
  const { lock, leadsSince, haproxy, paused, members, list } = status
  const leader = members.find(({ role }) => role === 'leader')
  narrate.say(
    leader === undefined
      ? 'Patroni         nobody leads'
      : `Patroni         ${leader.name} leads, on timeline ${leader.timeline}${leadsSince === null ? '' : `, since ${leadsSince}`}`,
  )
  narrate.say(
    lock === null
      ? "leader's lock   nobody holds it, or etcd does not answer"
      : `leader's lock   of ${lock.holder}, renewed ${lock.ageS} s ago; it ends in ${lock.endsInS} s (ttl ${lock.ttlS} s) unless it is renewed`,
  )
  narrate.say(`HAProxy         ${haproxy === null ? 'does not answer' : waysOf(haproxy)}`)
  narrate.say(
    `PgBouncer       ${paused === null ? 'does not answer' : paused ? 'is paused: clients wait' : 'lets clients through'}`,
  )
  narrate.say('')
  narrate.table(
    ['node', 'role', 'state', 'timeline', 'behind'],
    members.map(({ name, role, state, timeline, lag }) => [
      ...[name, role === 'leader' ? 'primary' : 'standby', state],
      timeline ?? '',
      role === 'leader' ? '' : typeof lag === 'number' ? formatBytes(lag) : 'unknown',
    ]),
  )
  if (list === '') return
  narrate.say('')
  narrate.say(`$ patronictl list\n${list}`)
}

const waysOf = ({ primary, standbys }: NonNullable<StackStatus['haproxy']>): string =>
  `leads to ${primary.join(', ') || 'nobody'} for writes, and to ${standbys.join(', ') || 'nobody'} for reads`

export const tellTrial = (
  { oldPrimary, newPrimary, timeline, drainMs, handoverMs, longestWaitMs }: TrialUnderLoad,
  number: number,
): string =>
  `${number}. ${oldPrimary} to ${newPrimary}, timeline ${timeline.after}: drained in ${formatMs(drainMs)}, handed over in ${formatMs(handoverMs)}; no write waited longer than ${formatMs(longestWaitMs)}`

export function narrateSwitchovers(narrate: Narrator, document: SwitchoversDocument): void {
  const { writes, trials, pausedMs, longestWaitMs, errors, why } = document
  const spread = ({ min, median, max }: SwitchoversDocument['pausedMs']): string =>
    `median ${formatMs(median)}, ${formatMs(min)} to ${formatMs(max)}`
  narrate.say(`switchovers    ${trials.length}`)
  narrate.say(`paused         ${spread(pausedMs)}`)
  narrate.say(`longest wait   ${spread(longestWaitMs)}, from when a write was due`)
  narrate.say(
    `writes         attempted ${formatCount(writes.attempted)} · acknowledged ${formatCount(writes.acknowledged)} · failed ${formatCount(writes.failed)} · indeterminate ${formatCount(writes.indeterminate)} · lost ${formatCount(writes.lost)}`,
  )
  for (const [code, times] of Object.entries(errors)) narrate.say(`error          ${code}, ${counted(times, 'time')}`)
  narrate.say(`verdict        ${document.verdict}: ${why}`)
}
