/**
 * A failover that waited for a lease to end, for people.
 */
import { predictedTakeover, type LeaseRun, type LeaseTimers } from '../stack/lease.ts'
import { formatCount, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'

/** Prints when the lock was free and taken, beside what the timers say, and what the client was told. */
export function narrateLease(narrate: Narrator, run: LeaseRun, timers: LeaseTimers): void {
  const { oldPrimary, newPrimary, timeline, writes } = run
  const { fromMs, toMs } = predictedTakeover(timers)
  narrate.say(`primary        ${oldPrimary} to ${newPrimary}, timeline ${timeline.before} to ${timeline.after}`)
  narrate.say(`lock           free ${formatMs(run.freeAfterMs)} after the kill, taken at ${formatMs(run.takenAfterMs)}`)
  narrate.say(`predicted      ${formatMs(fromMs)} to ${formatMs(toMs)}: ttl - loop_wait to ttl + loop_wait`)
  narrate.say(`outage         ${run.outageMs === null ? 'unknown' : formatMs(run.outageMs)}, with the promotion`)
  const counts = ['attempted', 'acknowledged', 'failed', 'indeterminate', 'lost'] as const
  narrate.say(`writes         ${counts.map(what => `${what} ${formatCount(writes[what])}`).join(' · ')}`)
  narrate.say(`verdict        ${run.verdict}: ${run.why}`)
}
