/**
 * Many failovers, for people.
 */
import type { Spread } from '../measure/statistics.ts'
import { formatCount, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'
import { phasePartsOf, phaseSpreadsOf, type AnyResult, type AnyTrials } from './phases.ts'

/** Prints one line a trial, as it is done; what ends them early is told after what they say together. */
export const trialNarrator = (narrate: Narrator): TrialNarrator => ({
  onFailure: error => narrate.failAtEnd(error),
  onTrial: ({ record }, number) => {
    const { outageMs, writes, newPrimary, oldPrimary, verdict, why } = record
    const outage = outageMs === null ? 'unknown' : formatMs(outageMs)
    const isKnown = !('survivorsRead' in record) || record.survivorsRead
    const lost = `lost ${isKnown ? formatCount(writes.lost) : 'unknown'} of ${formatCount(writes.acknowledged)}`
    const went = `${oldPrimary} to ${newPrimary ?? 'nobody'}`.padEnd(20)
    const line = `${String(number).padStart(4)}  ${went}  outage ${outage.padStart(7)}  ${lost}`
    if (verdict === 'inconsistent') narrate.loss(`${line}  ${verdict}: ${why}`)
    else if (writes.lost > 0) narrate.loss(line)
    else narrate.say(line)
  },
})

interface TrialNarrator {
  readonly onTrial: (result: AnyResult, number: number) => void
  readonly onFailure: (error: unknown) => void
}

/** The spread of each figure over all trials. */
export function narrateTrials(narrate: Narrator, document: AnyTrials): void {
  const { n, outageMs, lost, writes, verdicts } = document
  narrate.say(
    `n = ${n}${n < document.requested ? ` of ${document.requested}` : ''}, ${document.fault}, ${document.load.ratePerSecond} writes a second over ${document.load.connections} connections`,
  )
  const known = phaseSpreadsOf(document)
  const spreadOfPart = (text: string): Spread | null => known.find(part => part.text === text)?.spread ?? null
  const parts = phasePartsOf(document.trials[0]).map(({ text }) => [text, spreadOfPart(text)] as const)
  narrate.table(
    ['', 'median', 'min', 'max'],
    [
      row('outage', outageMs, formatMs),
      ...parts.map(([name, spread]) => row(name, spread, formatMs)),
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
