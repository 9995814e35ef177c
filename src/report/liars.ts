/**
 * Metrics of lag against the truth, for people.
 */
import type { LiarsDocument, Reading } from '../measure/liars.ts'
import { formatBytes, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'

const SITUATIONS: Readonly<Record<string, string>> = {
  idle: 'Idle: nothing was written for two seconds',
  burst: 'Burst: as much was written as one connection can; read when the standby was furthest behind',
  disconnected: 'Disconnected: the standby receives nothing for two seconds, while the primary goes on',
}

const WORDS: Readonly<Record<Reading['judgement'], string>> = {
  true: 'tells the truth',
  low: 'lies: too low',
  high: 'lies: too high',
  silent: 'says nothing',
}

/** A table for each situation. */
export function narrateLiars(narrate: Narrator, { readings, tolerance }: LiarsDocument): void {
  for (const situation of new Set(readings.map(reading => reading.situation))) {
    narrate.say(SITUATIONS[situation] ?? situation)
    narrate.table(
      ['metric', 'says', 'truth', ''],
      readings
        .filter(reading => reading.situation === situation)
        .map(({ metric, says, truth, unit, judgement }) => [
          metric,
          says === null ? 'nothing' : format(says, unit),
          format(truth, unit),
          WORDS[judgement],
        ]),
    )
    narrate.say('')
  }
  narrate.say(
    `Truth: what was acknowledged on the primary and is not visible on ${readings[0]?.node}, in bytes, and since when. A figure within a factor of two of it, or nearer than ${formatMs(tolerance.ms)} or ${formatBytes(tolerance.bytes)}, counts as true.`,
  )
}

const format = (value: number, unit: Reading['unit']): string =>
  unit === 'ms' ? formatMs(value) : formatBytes(Math.round(value))
