/**
 * The failover record, for people.
 */
import type { FailoverRecord } from '../measure/record.ts'
import { formatCount, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'

/** At most so many ids are printed; the JSON has them all. */
const SHOWN_IDS = 12

/** Prints the record: the outage by phase, the writes, the verdict with its evidence. */
export function narrateFailover(narrate: Narrator, record: FailoverRecord): void {
  const { outageMs, phases, writes, lostIds } = record
  if (outageMs === null || phases === null)
    narrate.say('outage         unknown: nothing was acknowledged before it, or nothing after')
  else {
    narrate.say(`outage         ${formatMs(outageMs)}, from the last acknowledged write to the next`)
    const parts = {
      detect: phases.detectMs,
      fence: phases.fenceMs,
      promote: phases.promoteMs,
      'first write': phases.firstWriteMs,
    }
    narrate.say(
      `               ${Object.entries(parts)
        .map(([name, ms]) => `${name} ${formatMs(ms)}`)
        .join(' + ')}`,
    )
  }
  narrate.say(`timeline       ${record.timeline.before} to ${record.timeline.after}`)
  const counts = {
    attempted: writes.attempted,
    acknowledged: writes.acknowledged,
    failed: writes.failed,
    indeterminate: writes.indeterminate,
  }
  narrate.say(
    `writes         ${Object.entries(counts)
      .map(([name, count]) => `${name} ${formatCount(count)}`)
      .join(' · ')}`,
  )
  narrate.say(`after it       lost ${writes.lost} · recovered ${writes.recovered} · unexpected ${writes.unexpected}`)
  narrate.say(`verdict        ${record.verdict}: ${record.why}`)
  if (lostIds.length === 0) return
  const more = lostIds.length > SHOWN_IDS ? ` and ${lostIds.length - SHOWN_IDS} more` : ''
  narrate.loss(`lost           ${lostIds.slice(0, SHOWN_IDS).join(', ')}${more}`)
}
