/**
 * Metrics of lag against the truth, for people.
 */
import type { LiarsDocument, Reading } from '../measure/liars.ts'
import { formatBytes, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'

const SITUATIONS: Readonly<Record<string, string>> = {
  idle: 'Idle: nothing was written for two seconds',
  burst: 'Burst: as much was written as one connection can, for two seconds; the looks at which something was missing',
  disconnected: 'Disconnected: the standby receives nothing for two seconds, while the primary goes on',
}

const WORDS: Readonly<Record<Reading['judgement'], string>> = {
  true: 'tells the truth',
  low: 'lies: too low',
  high: 'lies: too high',
  silent: 'says nothing',
  unclear: 'cannot tell',
}

/** A table for each situation. */
export function narrateLiars(narrate: Narrator, { readings, tolerance, agreement }: LiarsDocument): void {
  for (const situation of new Set(readings.map(reading => reading.situation))) {
    narrate.say(SITUATIONS[situation] ?? situation)
    narrate.table(
      ['metric', 'says', 'truth', 'tolerance', 'looks', ''],
      readings
        .filter(reading => reading.situation === situation)
        .map(reading => [
          reading.metric,
          reading.n === 0 ? '–' : reading.says === null ? 'nothing' : format(reading.says, reading.unit),
          reading.n === 0 ? '–' : format(reading.truth, reading.unit),
          format(reading.tolerance, reading.unit),
          `${reading.agreeing} of ${reading.n}`,
          WORDS[reading.judgement],
        ]),
    )
    narrate.say('')
  }
  narrate.say(
    `Truth: what was acknowledged on the primary and is not visible on ${readings[0]?.node}, in bytes, and since when; medians. A figure within a factor of two of it, or nearer than ${formatMs(tolerance.ms)} or ${formatBytes(tolerance.bytes)}, counts as true; a heartbeat may be older by as much as it beat apart.`,
  )
  narrate.say(
    `A verdict is what ${agreement.share * 100} % of the looks say, of at least ${agreement.looks}; else it cannot tell.`,
  )
}

const format = (value: number, unit: Reading['unit']): string =>
  unit === 'ms' ? formatMs(value) : formatBytes(Math.round(value))
