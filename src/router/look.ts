/**
 * One look at a server: its role, and how far it is. Every role may ask this; without pg_monitor a standby does not say which
 * timeline it receives.
 */
import { parseLsn, timelineOfWalFile, type Lsn } from '../postgres/lsn.ts'

interface Seen {
  /** pg_control_system() */
  readonly system: string
  /** pg_postmaster_start_time(), microseconds since 1970. */
  readonly started: string
  readonly versionNumber: number
  /** performance.now() when it was asked, and when the answer was there. */
  readonly askedAt: number
  readonly seenAt: number
}

export interface PrimaryLook extends Seen {
  readonly role: 'primary'
  readonly timeline: number
  readonly flushLsn: Lsn
  /** Where its recovery ended, if its process has seen that. */
  readonly recoveredLsn: Lsn | undefined
}

export interface StandbyLook extends Seen {
  readonly role: 'standby'
  readonly replayLsn: Lsn
  /** Of its WAL receiver, while that runs, for who may see it: a member of pg_monitor. */
  readonly timeline: number | undefined
}

export type Look = PrimaryLook | StandbyLook

// The primary's timeline is in the name of its WAL file: pg_control_checkpoint() tells the old one until the next checkpoint.
// A WHEN that is not met is not evaluated: pg_current_wal_flush_lsn() is an error during recovery.
export const QUESTION = `
  SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text AS started,
    (SELECT system_identifier::text FROM pg_control_system()) AS system,
    current_setting('server_version_num')::int AS version,
    CASE WHEN NOT pg_is_in_recovery() THEN pg_walfile_name(pg_current_wal_flush_lsn()) END AS wal_file,
    CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn()::text END AS flush_lsn,
    pg_last_wal_replay_lsn()::text AS replay_lsn,
    (SELECT received_tli FROM pg_stat_wal_receiver WHERE status = 'streaming') AS received_tli`

export interface LookRow {
  readonly started: string
  readonly system: string
  readonly version: number
  readonly wal_file: string | null
  readonly flush_lsn: string | null
  readonly replay_lsn: string | null
  readonly received_tli: number | null
}

export function readLook(row: LookRow, { askedAt, seenAt }: Pick<Seen, 'askedAt' | 'seenAt'>): Look {
  const seen = { system: row.system, started: row.started, versionNumber: row.version, askedAt, seenAt }
  const replayLsn = row.replay_lsn === null ? undefined : parseLsn(row.replay_lsn)
  // A promotion may come between the columns: both are there, or the server is still a standby.
  if (row.wal_file === null || row.flush_lsn === null)
    return { ...seen, role: 'standby', replayLsn: replayLsn ?? NOTHING, timeline: row.received_tli ?? undefined }
  const timeline = timelineOfWalFile(row.wal_file)
  return { ...seen, role: 'primary', timeline, flushLsn: parseLsn(row.flush_lsn), recoveredLsn: replayLsn }
}

/** A standby that has applied nothing yet. */
const NOTHING = 0n as Lsn
