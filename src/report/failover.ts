/**
 * The failover record, for people.
 */
import { measureOutage } from '../measure/outage.ts'
import type { LoadOutcome } from '../measure/load.ts'
import type { RunRecord } from '../measure/record.ts'
import { formatLsn } from '../postgres/lsn.ts'
import { ruleFor } from '../postgres/sqlstate.ts'
import { errorsByCode, type History } from '../history/history.ts'
import { counted, formatBytes, formatCount, formatLagMs, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'
import { phasesOf, type AnyRecord, type AnyResult } from './phases.ts'
import { binned, sparkline } from './sparkline.ts'

/** At most so many ids are printed; the JSON has them all. */
const SHOWN_IDS = 12

/** Prints the record: the outage by phase, the writes, the verdict with its evidence. */
export function narrateFailover(narrate: Narrator, record: AnyRecord): void {
  narrateOutage(narrate, record)
  const fork = record.forkLsn === null ? '' : `, which begins at ${formatLsn(record.forkLsn)}`
  const { before, after } = record.timeline
  narrate.say(`timeline       ${before ?? 'not seen'} to ${after ?? 'not seen'}${fork}`)
  if (record.walBytesLost !== null)
    narrate.say(
      record.walBytesLost === 0
        ? 'old primary    has no WAL past that'
        : `old primary    has ${formatBytes(record.walBytesLost)} of WAL past that, which nobody received`,
    )
  for (const line of besides(record.afterPromotion)) narrate.say(`besides        ${line}`)
  for (const [node, lag] of Object.entries(record.lagAtFault))
    narrate.say(
      `lag at fault   ${node} ${formatBytes(lag.bytes)}, ${formatLagMs(lag)} behind (seen ${formatMs(lag.sampleAgeMs)} before)`,
    )
  narrateWrites(narrate, record)
  narrateClient(narrate, record)
}

/** What clients met, and what the old primary went on to do. */
function narrateClient(narrate: Narrator, record: RunRecord): void {
  narrateCodes(narrate, record.errors, [`hung connections ${formatCount(record.hungConnections)}`])
  const { readsOnOldPrimary: reads, splitBrainWrites: accepted } = record
  if (reads === null && accepted === null) return
  const line = `old primary    after the promotion answered ${seenTimes(reads)} reads as a primary, accepted ${seenTimes(accepted)} writes`
  if (accepted !== null && accepted > 0) narrate.loss(`${line}: split brain`)
  else narrate.say(line)
}

const seenTimes = (times: number | null): string => (times === null ? 'an unknown number of' : formatCount(times))

/** Each error by its code, and how often. */
function narrateCodes(narrate: Narrator, errors: RunRecord['errors'], more: readonly string[] = []): void {
  const told = [...Object.entries(errors).map(([code, times]) => `${code} ${formatCount(times)}`), ...more]
  if (told.length > 0) narrate.say(`errors         ${told.join(' · ')}`)
}

/** What became of an application's own requests, as the record has it. */
export function narrateLoad(narrate: Narrator, outcome: LoadOutcome): void {
  narrateOutage(narrate, outcome)
  narrateWrites(narrate, outcome)
  narrateCodes(narrate, outcome.errors)
}

function narrateOutage(narrate: Narrator, record: Pick<LoadOutcome, 'outageMs' | 'resolutionMs' | 'phases'>): void {
  const { outageMs, resolutionMs } = record
  if (outageMs === null) {
    narrate.say('outage         unknown: nothing was acknowledged before it, or nothing after')
    return
  }
  const within = resolutionMs === null ? '' : `; to within ${formatMs(resolutionMs)}`
  narrate.say(`outage         ${formatMs(outageMs)}, from the last acknowledged write to the next${within}`)
  const told = phasesOf(record).map(({ text, ms }) => `${text} ${formatMs(ms)}`)
  if (told.length > 0) narrate.say(`               ${told.join(' + ')}`)
}

/** What both have. */
type Judged = Pick<LoadOutcome, 'writes' | 'latencyMs' | 'verdict' | 'why'> &
  Readonly<Record<'lostIds' | 'unexpectedIds' | 'duplicateIds', readonly (number | string)[]>> & {
    readonly survivorsRead?: boolean
  }

function narrateWrites(narrate: Narrator, judged: Judged): void {
  const { writes } = judged
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
  const { lost, recovered, unexpected, duplicates } = writes
  narrate.say(
    judged.survivorsRead === false
      ? 'after it       not known: what is in the database could not be read'
      : `after it       lost ${lost} · recovered ${recovered} · unexpected ${unexpected} · duplicates ${duplicates}`,
  )
  if (judged.latencyMs !== null) {
    const { p50, p95, p99, max } = judged.latencyMs
    narrate.say(
      `latency        p50 ${formatMs(p50)} · p95 ${formatMs(p95)} · p99 ${formatMs(p99)} · max ${formatMs(max)}, from when each write was due`,
    )
  }
  narrate.say(`verdict        ${judged.verdict}: ${judged.why}`)
  narrateIds(narrate, 'lost', judged.lostIds)
  narrateIds(narrate, 'unexpected', judged.unexpectedIds)
  narrateIds(narrate, 'duplicates', judged.duplicateIds)
}

/** What a promotion does that no client is told of, where it applies. */
export function besides(after: RunRecord['afterPromotion']): string[] {
  if (after === null) return []
  const { preparedTransactions: prepared, sequences, unloggedTables: unlogged, logicalSlotsGone: gone } = after
  return [
    ...(sequences > 0 ? [`${counted(sequences, 'sequence')} may have jumped by up to 32 values`] : []),
    ...(unlogged > 0 ? [`${counted(unlogged, 'unlogged table')} emptied: unlogged data is on no standby`] : []),
    ...(prepared > 0
      ? [`${counted(prepared, 'prepared transaction')} left, with locks: COMMIT PREPARED or ROLLBACK PREPARED`]
      : []),
    ...(gone.length > 0 ? [`logical slots gone with the old primary: ${gone.join(', ')}`] : []),
  ]
}

function narrateIds(narrate: Narrator, what: string, ids: readonly (number | string)[]): void {
  if (ids.length === 0) return
  const more = ids.length > SHOWN_IDS ? ` and ${ids.length - SHOWN_IDS} more` : ''
  narrate.loss(`${what.padEnd(15)}${ids.slice(0, SHOWN_IDS).join(', ')}${more}`)
}

/** Prints what the client was told, by code, and what each means. */
export function narrateErrors(narrate: Narrator, history: History): void {
  const meanings = meaningsOf(history)
  narrate.table(
    ['code', 'times', 'what it means for a write that was sent'],
    Object.entries(errorsByCode(history)).map(([code, times]) => [
      ...[code, times],
      [...(meanings.get(code) ?? [ruleFor(code).why])].join('; '),
    ]),
  )
}

/** One code may have come at two severities, and then meant two things. */
function meaningsOf({ writes }: History): Map<string, Set<string>> {
  const meanings = new Map<string, Set<string>>()
  for (const { outcome } of writes) {
    if (outcome.kind === 'acknowledged') continue
    const { code, severity } = outcome
    meanings.set(code, (meanings.get(code) ?? new Set()).add(ruleFor(code, severity).why))
  }
  return meanings
}

const BIN_MS = 10
/** Bins shown before and after the outage, and of a long outage at most. */
const CONTEXT_BINS = 12
const MOST_BINS = 60

/** A line of blocks: acknowledged writes in each 10 ms, from shortly before the outage to shortly after it. */
export function narrateAcknowledgements(narrate: Narrator, { history, milestones }: AnyResult): void {
  const outage = measureOutage(history, milestones)
  if (outage === undefined) return
  const acknowledged = history.writes.flatMap(({ outcome, settledAt }) =>
    outcome.kind === 'acknowledged' ? [settledAt] : [],
  )
  const binMs = BIN_MS * Math.max(1, Math.ceil(outage.ms / BIN_MS / MOST_BINS))
  const from = Math.max(history.startedAt, outage.lastAcknowledgedAt - CONTEXT_BINS * binMs)
  const to = Math.min(history.stoppedAt, outage.firstAcknowledgedAt + CONTEXT_BINS * binMs)
  narrate.say(
    `${`each ${binMs} ms`.padEnd(15)}${sparkline(binned(acknowledged, { from, to, binMs }))}  acknowledged writes`,
  )
}
