/**
 * A comparison, for people: a table for each thing that befell the cluster.
 */
import type { CompareCell, CompareTrial } from '../compare/document.ts'
import { phaseNames } from '../compare/document.ts'
import type { CompareDocument } from '../compare/compare.ts'
import { stackEventMeanings, stackEvents } from '../stack/events.ts'
import type { StackTimers } from '../stack/settings.ts'
import { formatCount, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'

/** One line for each client of a trial, as it is done. */
export function narrateCompareTrials(narrate: Narrator, trials: readonly CompareTrial[]): void {
  for (const { event, setting, way, trial, change, silenceMs, writes, byOldPrimary } of trials) {
    const outage = silenceMs === null ? 'goes on' : formatMs(silenceMs)
    const what = (setting === 'none' ? '' : setting).padEnd(8) + event.padEnd(11) + String(trial).padStart(3)
    const line = `${what}  ${way.padEnd(10)} ${change.padEnd(9)} outage ${outage.padStart(7)}  lost ${formatCount(writes.lost)}, unknown ${formatCount(writes.indeterminate)}${(byOldPrimary ?? 0) === 0 ? '' : `, acknowledged by the old primary ${byOldPrimary}`}`
    if (writes.lost > 0 || (byOldPrimary ?? 0) > 0) narrate.loss(line)
    else narrate.say(line)
  }
}

/** Everything that there is of it. */
export function narrateCompare(narrate: Narrator, document: CompareDocument): void {
  for (const event of stackEvents) {
    const cells = document.cells.filter(cell => cell.event === event)
    if (cells.length === 0) continue
    narrate.say('')
    narrate.say(`${event}: ${stackEventMeanings[event]}`)
    narrate.table(CELL_HEAD, cells.map(cellRow))
  }
  narrate.say('')
  for (const [name, timers] of Object.entries(document.timers)) narrate.say(`${name.padEnd(8)} ${timersText(timers)}`)
  const { connectTimeoutMs, writeTimeoutMs } = document.deadlines
  narrate.say(
    `clients  ${document.load.ratePerSecond} writes a second over ${document.load.connections} connections each; given up after ${formatMs(writeTimeoutMs)}, an attempt to connect after ${formatMs(connectTimeoutMs)}`,
  )
  for (const { event, setting, trial, why } of document.failures)
    narrate.say(`not measured: ${setting} ${event}, trial ${trial}: ${why}`)
}

export const CELL_HEAD = [
  ...['way', 'timers', 'n', 'outage', 'min', 'max'],
  ...['detect', 'elect', 'promote', 'route', 'client'],
  ...['lost', 'by old', 'unknown', 'errors', 'hung', 'predicted', 'inside'],
]

/** The texts of a cell, in the order of {@link CELL_HEAD}. */
export function cellRow(cell: CompareCell): string[] {
  const { way, setting, n, silenceMs: time, phases, writes, errors, hungConnections, predicted, inside } = cell
  const failed = Object.values(errors).reduce((sum, count) => sum + count, 0)
  return [
    ...[way, setting === 'none' ? '' : setting, String(n)],
    ...(time === null ? ['goes on', '', ''] : [time.median, time.min, time.max].map(formatMs)),
    ...phaseNames.map(name => (phases === null ? '' : formatMs(phases[name].median))),
    lostOf(cell),
    formatCount(cell.byOldPrimary),
    formatCount(writes.indeterminate),
    formatCount(failed),
    formatCount(hungConnections),
    predicted === null ? '' : rangeOf(predicted),
    predicted === null ? '' : `${inside} of ${n}`,
  ]
}

/** Where it is not known of some trials it is at least so many. */
const lostOf = ({ lost, writes, unread }: CompareCell): string =>
  lost === null ? 'not known' : `${unread > 0 ? '≥ ' : ''}${formatCount(writes.lost)}`

const rangeOf = ({ minMs, maxMs }: NonNullable<CompareCell['predicted']>): string =>
  maxMs === null ? 'no change' : `${minMs / 1000} to ${maxMs / 1000} s`

/** All of them in one line, as their own configuration calls them; seconds, but for tcp_user_timeout. */
export function timersText({ patroni, haproxy, pgbouncer }: StackTimers): string {
  const text = (name: string, timers: object): string =>
    `${name} ${Object.entries(timers)
      .map(([timer, value]) => `${timer} ${value}`)
      .join(' ')}`
  return [text('Patroni', patroni), text('HAProxy', haproxy), text('PgBouncer', pgbouncer)].join('; ')
}
