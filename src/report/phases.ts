/**
 * The parts of an outage, in the order in which they happen: those of the lab's own procedures, or those that a client can see
 * where another manager did it. Pure.
 */
import type { MeasuredRecord } from '../measure/measured.ts'
import type { Phases } from '../measure/outage.ts'
import type { FailoverRecord } from '../measure/record.ts'
import type { ClientPhases } from '../measure/takeover.ts'
import type { TrialsDocument } from '../measure/trials.ts'
import type { Spread } from '../measure/statistics.ts'
import type { RunResult } from '../experiments/trial.ts'
import type { Ink } from './html/inks.ts'

/** Of the lab's cluster, or of any other. */
export type AnyRecord = FailoverRecord | MeasuredRecord
export type AnyTrials = TrialsDocument | TrialsDocument<MeasuredRecord>
export type AnyResult = RunResult<AnyRecord>

interface Part {
  readonly text: string
  readonly ink: Ink
  /** What it ends with. */
  readonly ends: string
}

/** One part of one outage. */
export interface Phase extends Part {
  readonly ms: number
}

const OURS: readonly (Part & { readonly name: keyof Phases })[] = [
  { name: 'detectMs', ink: 'detect', text: 'detect', ends: 'the old primary is seen to be down' },
  { name: 'fenceMs', ink: 'fence', text: 'fence', ends: 'the old primary cannot come back' },
  { name: 'promoteMs', ink: 'promote', text: 'promote', ends: 'the new primary accepts writes' },
  { name: 'firstWriteMs', ink: 'first-write', text: 'first write', ends: 'a client is told that a write is committed' },
]

const CLIENTS: readonly (Part & { readonly name: keyof ClientPhases })[] = [
  { name: 'noticeMs', ink: 'detect', text: 'notice', ends: 'a client is told of an error' },
  { name: 'promoteMs', ink: 'promote', text: 'promote', ends: 'a new primary is seen to accept writes' },
  { name: 'firstWriteMs', ink: 'first-write', text: 'first write', ends: 'a client is told that a write is committed' },
]

/** None where the outage is not known. */
export function phasesOf(record: Pick<FailoverRecord, 'phases'> | MeasuredRecord): readonly Phase[] {
  if (isMeasured(record)) return partsOf(CLIENTS, record.clientPhases)
  return partsOf(OURS, record.phases)
}

/** Their spreads over trials; none where no outage is known. */
export function phaseSpreadsOf({
  phases,
  clientPhases,
}: Pick<AnyTrials, 'phases' | 'clientPhases'>): readonly (Part & { readonly spread: Spread })[] {
  const spreads = <N extends string>(
    parts: readonly (Part & { readonly name: N })[],
    of: Readonly<Record<N, Spread>>,
  ): (Part & { readonly spread: Spread })[] => parts.map(part => ({ ...part, spread: of[part.name] }))
  if (clientPhases !== null) return spreads(CLIENTS, clientPhases)
  return phases === null ? [] : spreads(OURS, phases)
}

/** Those that records of this kind have, whether they are known or not. */
export const phasePartsOf = (record: AnyRecord | undefined): readonly Part[] =>
  record !== undefined && isMeasured(record) ? CLIENTS : OURS

const isMeasured = (record: object): record is MeasuredRecord => 'clientPhases' in record

const partsOf = <N extends string>(
  parts: readonly (Part & { readonly name: N })[],
  ms: Readonly<Record<N, number>> | null,
): Phase[] => (ms === null ? [] : parts.map(part => ({ ...part, ms: ms[part.name] })))
