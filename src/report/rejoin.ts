/**
 * A rejoin: what the node has past the fork, what was kept of it, and how it came back.
 */
import type { Rejoined } from '../operations/rejoin.ts'
import type { PastFork } from '../operations/salvage/past-fork.ts'
import type { Salvaged } from '../operations/salvage/salvage.ts'
import { formatLsn } from '../postgres/lsn.ts'
import { formatBytes, formatCount } from './format.ts'
import type { Narrator } from './narrator.ts'

/** The `rejoin --json` document. */
export interface RejoinDocument {
  readonly version: 1
  /** null when every standby streams, and none was named. */
  readonly node: string | null
  /** null when the node was left alone: it streams. */
  readonly by: Rejoined['by'] | null
  readonly why: string
  /** null when nothing is past a fork. */
  readonly pastFork: PastFork | null
  /** null when no file was asked for. */
  readonly salvaged: Salvaged | null
  /** null when there was nothing that only it had, or it was not to be kept. */
  readonly kept: Rejoined['kept']
}

/** At most so many relations are printed; the JSON has them all. */
const SHOWN_RELATIONS = 12

/** Prints what a rejoin will erase. */
export function narratePastFork(narrate: Narrator, node: string, past: PastFork | null): void {
  if (past === null)
    return narrate.say(`${node} has nothing past a fork: it is on the primary's timeline and not ahead, or has no data`)
  const { primary, walBytes, relations } = past
  narrate.say(
    `timeline ${past.timeline} of ${node} and timeline ${primary.timeline} of ${primary.name} part at ${formatLsn(past.forkLsn)}`,
  )
  if (walBytes === null || relations === null) {
    return narrate.say(`how much WAL ${node} has past that is not known: there is no pg_waldump, or the WAL is gone`)
  }
  if (walBytes === 0) return narrate.say(`${node} has no WAL past that`)
  narrate.say(`${node} has ${formatBytes(walBytes)} of WAL past that, which nobody received`)
  if (relations.length === 0) return
  narrate.table(
    ['records', 'relation'],
    relations.slice(0, SHOWN_RELATIONS).map(({ name, records }) => [records, name]),
  )
  if (relations.length > SHOWN_RELATIONS) narrate.say(`and ${relations.length - SHOWN_RELATIONS} more relations`)
}

/** Prints where the rows are, and how to bring them back. */
export function narrateSalvage(narrate: Narrator, { file, rows }: Salvaged): void {
  narrate.say(`salvaged       ${formatCount(rows)} rows of lab.writes, in ${file}`)
  if (rows > 0) narrate.say(`               to bring them back: pnpm --silent run psql primary < ${file}`)
}

/** Prints by what it came back, and why so. */
export function narrateRejoined(narrate: Narrator, { node, by, why, kept }: Rejoined): void {
  narrate.say(`${node} is back by ${by === 'rewind' ? 'pg_rewind' : 'a fresh clone'}: ${why}`)
  if (kept !== null)
    narrate.say(`what only it had is kept: pnpm run salvage ${node} reads it, pnpm run down removes it`)
}
