/**
 * The failover record: the product of the instrument, one versioned JSON document a run. Pure.
 */
import type { Lsn } from '../postgres/lsn.ts'
import { checkHistory, type Survivors, type Verdict } from '../history/check.ts'
import { errorsByCode, hungConnections, latenciesOf, type History } from '../history/history.ts'
import type { LagAtInstant } from './lag.ts'
import { measureOutage, measurePhases, type Milestones, type Phases } from './outage.ts'
import { summaryOf, type Summary } from './statistics.ts'
import { countsOf, type WriteCounts } from './write-counts.ts'

/** What a run in which the primary changed has shown: of the lab's cluster, or of any other. */
export interface RunRecord {
  readonly version: 1
  /** Null for servers that are not the lab's. */
  readonly runtime: 'docker' | 'local' | null
  readonly postgresVersion: string
  readonly fault: string
  readonly synchronousCommit: string
  readonly oldPrimary: string
  /** Null where none was seen. */
  readonly newPrimary: string | null
  /** Null where it could not be seen. */
  readonly timeline: { readonly before: number | null; readonly after: number | null }
  /** Where the new timeline begins; null when it could not be read. */
  readonly forkLsn: Lsn | null
  /** The old primary's WAL past the fork, in bytes; null where it cannot be read (no pg_waldump). */
  readonly walBytesLost: number | null
  /** What the client was to do. */
  readonly load: { readonly ratePerSecond: number; readonly connections: number }
  /** Last acknowledgement before → first after, on one monotonic clock; null when nothing was acknowledged on one side. */
  readonly outageMs: number | null
  /**
   * How far another client's outage may be from this one's: the longest gaps between two acknowledgements of this client before
   * and after it, together. Null with the outage, and where one of the sides has a single acknowledgement.
   */
  readonly resolutionMs: number | null
  /** They add up to the outage; null where another manager did it, whose phases nobody can see from outside. */
  readonly phases: Phases | null
  readonly writes: WriteCounts
  readonly lostIds: readonly number[]
  readonly unexpectedIds: readonly number[]
  readonly duplicateIds: readonly number[]
  /** Of each standby, at the instant before the fault: WAL that it had not received. */
  readonly lagAtFault: Readonly<Record<string, LagAtInstant>>
  /** Of acknowledged writes, from when each was due: the outage is in it. Null when none was acknowledged. */
  readonly latencyMs: Summary | null
  /** By SQLSTATE or node's code, from writes and from attempts to connect. */
  readonly errors: Readonly<Record<string, number>>
  /** Attempts to connect, and connections with a write on them, that had no answer within their limit. */
  readonly hungConnections: number
  /** Reads that the old primary answered as a primary after the new one's promotion; null where nobody looked. */
  readonly readsOnOldPrimary: number | null
  /** Writes that the old primary acknowledged although they were sent after that: split brain. Null where it is not known. */
  readonly splitBrainWrites: number | null
  readonly verdict: Verdict
  /** Why the verdict is what it is. */
  readonly why: string
  /** Settings of the old primary that matter to these figures, as it told them before the fault. */
  readonly settings: Readonly<Record<string, string>>
  /** When the change began, by the client's clock: ISO 8601. */
  readonly at: string
  /** Of this package. */
  readonly labVersion: string
  /** For so many milliseconds before the fault the standbys were cut off from WAL; 0: not at all. */
  readonly cutMs: number
  /** What the promotion changed beside the roles; null where nobody looked. */
  readonly afterPromotion: AfterPromotion | null
  /** Where it was measured. */
  readonly machine: { readonly platform: string; readonly cpus: number; readonly node: string }
}

/** A failover, or a switchover, of the lab's own cluster. */
export interface FailoverRecord extends RunRecord {
  readonly runtime: 'docker' | 'local'
  readonly newPrimary: string
  readonly timeline: { readonly before: number; readonly after: number }
}

/** What is there of each on the new primary, in the cluster's database. */
export interface AfterPromotion {
  /** They live on, with their locks, and no session has them: https://www.postgresql.org/docs/current/sql-prepare-transaction.html */
  readonly preparedTransactions: number
  /** They may have jumped by up to 32 values: SEQ_LOG_VALS in PostgreSQL's sequence.c. */
  readonly sequences: number
  /** They are empty: https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-UNLOGGED */
  readonly unloggedTables: number
  /** Logical slots of the old primary which the new one has not. */
  readonly logicalSlotsGone: readonly string[]
}

type Setting =
  | 'postgresVersion'
  | 'fault'
  | 'synchronousCommit'
  | 'forkLsn'
  | 'walBytesLost'
  | 'load'
  | 'lagAtFault'
  | 'settings'
  | 'at'
  | 'labVersion'
  | 'cutMs'
  | 'afterPromotion'
  | 'machine'

export interface RunEvidence<R extends RunRecord = RunRecord> extends Pick<R, Setting | 'runtime'> {
  readonly failover: Milestones & Pick<R, 'oldPrimary' | 'newPrimary' | 'timeline'>
  readonly history: History
  readonly survivors: Survivors
  /** @default null: nobody looked */
  readonly readsOnOldPrimary?: number | null | undefined
  /** @default null: it is not known */
  readonly splitBrainWrites?: number | null | undefined
  /** @default true */
  readonly faultHappened?: boolean | undefined
}

/** What a failover record is drawn up from. */
export type FailoverEvidence = RunEvidence<FailoverRecord>

/**
 * Draws up the record from what was done, what the client was told, and what is in the database now.
 * @example
 * ```ts
 * const { record, history } = await runTrial(cluster, { fault: 'crash', timeoutMs: 60_000 })
 * console.log(record.verdict, record.lostIds, history.writes.length)
 * ```
 */
export function failoverRecord(evidence: FailoverEvidence): FailoverRecord {
  const { newPrimary, timeline } = evidence.failover
  return { ...runRecord(evidence), runtime: evidence.runtime, newPrimary, timeline }
}

/** The same of any cluster. */
export function runRecord({ failover, history, survivors, ...setting }: RunEvidence): RunRecord {
  const findings = checkHistory(history, survivors, { faultHappened: setting.faultHappened ?? true })
  const outage = measureOutage(history, failover)
  const latencies = latenciesOf(history)
  return {
    version: 1,
    runtime: setting.runtime,
    postgresVersion: setting.postgresVersion,
    fault: setting.fault,
    synchronousCommit: setting.synchronousCommit,
    oldPrimary: failover.oldPrimary,
    newPrimary: failover.newPrimary,
    timeline: failover.timeline,
    forkLsn: setting.forkLsn,
    walBytesLost: setting.walBytesLost,
    load: setting.load,
    outageMs: outage === undefined ? null : rounded(outage.ms),
    resolutionMs: outage?.resolutionMs == null ? null : rounded(outage.resolutionMs),
    phases: outage === undefined ? null : roundedAll(measurePhases(outage, failover)),
    writes: countsOf(findings),
    lostIds: findings.lostIds,
    unexpectedIds: findings.unexpectedIds,
    duplicateIds: findings.duplicateIds,
    lagAtFault: Object.fromEntries(Object.entries(setting.lagAtFault).map(([node, lag]) => [node, roundedAll(lag)])),
    latencyMs: latencies.length === 0 ? null : roundedAll(summaryOf(latencies)),
    errors: errorsByCode(history),
    hungConnections: hungConnections(history),
    readsOnOldPrimary: setting.readsOnOldPrimary ?? null,
    splitBrainWrites: setting.splitBrainWrites ?? null,
    verdict: findings.verdict,
    why: findings.why,
    settings: setting.settings,
    at: setting.at,
    labVersion: setting.labVersion,
    cutMs: setting.cutMs,
    afterPromotion: setting.afterPromotion,
    machine: setting.machine,
  }
}

/** To a hundredth of a millisecond: more would pretend to know more. */
export const rounded = (ms: number): number => Math.round(ms * 100) / 100

export const roundedAll = <T extends object>(figures: T): T =>
  Object.fromEntries(Object.entries(figures).map(([name, ms]) => [name, rounded(Number(ms))])) as T
