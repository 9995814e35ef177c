/**
 * Many failovers, for people.
 */
import type { Spread } from '../measure/statistics.ts'
import type { TrialsDocument } from '../measure/trials.ts'
import type { TrialResult } from '../experiments/trial.ts'
import { formatCount, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'

/** Prints one line a trial, as it is done; what ends them early is told after what they say together. */
export const trialNarrator = (narrate: Narrator): TrialNarrator => ({
  onFailure: error => narrate.failAtEnd(error),
  onTrial: ({ record }, number) => {
    const { outageMs, writes, newPrimary, oldPrimary, verdict, why } = record
    const outage = outageMs === null ? 'unknown' : formatMs(outageMs)
    const lost = `lost ${formatCount(writes.lost)} of ${formatCount(writes.acknowledged)}`
    const went = `${oldPrimary} to ${newPrimary}`.padEnd(20)
    const line = `${String(number).padStart(4)}  ${went}  outage ${outage.padStart(7)}  ${lost}`
    if (verdict === 'inconsistent') narrate.loss(`${line}  ${verdict}: ${why}`)
    else if (writes.lost > 0) narrate.loss(line)
    else narrate.say(line)
  },
})

interface TrialNarrator {
  readonly onTrial: (result: TrialResult, number: number) => void
  readonly onFailure: (error: unknown) => void
}

/** The spread of each figure over all trials. */
export function narrateTrials(narrate: Narrator, document: TrialsDocument): void {
  const { n, outageMs, phases, lost, writes, verdicts } = document
  narrate.say(
    `n = ${n}${n < document.requested ? ` of ${document.requested}` : ''}, ${document.fault}, ${document.load.ratePerSecond} writes a second over ${document.load.connections} connections`,
  )
  const rows = {
    outage: outageMs,
    detect: phases?.detectMs ?? null,
    fence: phases?.fenceMs ?? null,
    promote: phases?.promoteMs ?? null,
    'first write': phases?.firstWriteMs ?? null,
  }
  narrate.table(
    ['', 'median', 'min', 'max'],
    [
      ...Object.entries(rows).map(([name, spread]) => row(name, spread, formatMs)),
      row('lost writes', lost, value => formatCount(Math.round(value))),
    ],
  )
  narrate.say('')
  const counts = Object.entries({ ...writes }).map(([name, count]) => `${name} ${formatCount(count)}`)
  narrate.say(`writes    ${counts.join(' · ')}`)
  const verdict = Object.entries(verdicts).filter(([, count]) => count > 0)
  narrate.say(`verdicts  ${verdict.map(([name, count]) => `${name} ${count}`).join(' · ')}`)
}

const row = (name: string, spread: Spread | null, format: (value: number) => string): string[] =>
  spread === null ? [name, 'unknown', '', ''] : [name, format(spread.median), format(spread.min), format(spread.max)]
