/**
 * What a server says of itself: one statement, one snapshot, PostgreSQL's own column names in camelCase.
 * https://www.postgresql.org/docs/current/monitoring-stats.html
 */
import type { Session } from './connection.ts'
import { parseDuration } from './duration.ts'
import { parseLsn, timelineOfWalFile, type Lsn } from './lsn.ts'

interface ServerStatus {
  readonly clusterName: string
  readonly systemIdentifier: string
  readonly serverVersion: string
  /** What a primary writes, or a standby has received last. */
  readonly timeline: number
  readonly slots: readonly Slot[]
  /** In bytes; null: a slot may retain WAL without limit. */
  readonly maxSlotWalKeepSize: number | null
  /** Who streams from this server: the standbys of a primary, and on a standby those that cascade from it. */
  readonly replication: readonly WalSender[]
}

/** A row of pg_stat_replication: a standby, as the server that it streams from sees it. */
export interface WalSender {
  readonly applicationName: string
  readonly state: string
  readonly syncState: string
  readonly sentLsn: Lsn | null
  readonly writeLsn: Lsn | null
  readonly flushLsn: Lsn | null
  readonly replayLsn: Lsn | null
}

/** A row of pg_replication_slots. */
export interface Slot {
  readonly slotName: string
  readonly slotType: 'physical' | 'logical'
  readonly active: boolean
  /** Null: the slot has never been used, and retains nothing. */
  readonly restartLsn: Lsn | null
  readonly walStatus: string | null
  /** Bytes that may still be written before it is in danger of being lost; null: it is, or there is no limit. */
  readonly safeWalSize: number | null
}

export interface PrimaryServer extends ServerStatus {
  readonly role: 'primary'
  /** pg_current_wal_lsn(): the end of what is written. */
  readonly currentLsn: Lsn
  readonly synchronousCommit: string
  readonly synchronousStandbyNames: string
  /** Those that somebody has made, and where they are; a standby has them at the same place. */
  readonly tablespaces: readonly Tablespace[]
  /** Rows of pg_prepared_xacts: they hold locks, and survive every restart and promotion. */
  readonly preparedTransactions: number
  /** In the database that is asked: no standby has their rows. */
  readonly unloggedTables: number
}

/** A row of pg_tablespace. */
export interface Tablespace {
  readonly spcname: string
  readonly location: string
}

export interface StandbyServer extends ServerStatus {
  readonly role: 'standby'
  /** The end of what is received and flushed; null before the first streaming. */
  readonly receiveLsn: Lsn | null
  readonly replayLsn: Lsn
  /** Of the WAL receiver; null when there is none. */
  readonly walReceiver: { readonly status: string; readonly senderHost: string; readonly senderPort: number } | null
  readonly replayPaused: boolean
  /** It was the primary, and starts read-only until it has reason to accept writes: see start-writable.ts. */
  readonly waitsForPeers: boolean
  /** recovery_min_apply_delay: for so long after its commit a transaction is not applied; 0 without a delay. */
  readonly recoveryMinApplyDelayMs: number
}

export type Server = PrimaryServer | StandbyServer

interface Row {
  readonly in_recovery: boolean
  readonly cluster_name: string
  readonly system_identifier: string
  readonly server_version: string
  readonly wal_file: string | null
  readonly current_lsn: string | null
  readonly received_tli: number
  readonly receive_lsn: string | null
  readonly replay_lsn: string | null
  readonly paused: boolean | null
  readonly waits: string | null
  readonly apply_delay: string
  readonly synchronous_commit: string
  readonly synchronous_standby_names: string
  readonly prepared: number
  readonly unlogged: number
  readonly tablespaces: readonly Tablespace[]
  readonly slots: readonly {
    slot_name: string
    slot_type: 'physical' | 'logical'
    active: boolean
    restart_lsn: string | null
    wal_status: string | null
    safe_wal_size: number | null
  }[]
  readonly max_slot_wal_keep_size: number
  readonly replication: readonly (Record<'application_name' | 'state' | 'sync_state', string> &
    Record<'sent_lsn' | 'write_lsn' | 'flush_lsn' | 'replay_lsn', string | null>)[]
  readonly receiver: { status: string; sender_host: string; sender_port: number } | null
}

// Without a WAL receiver the names of the WAL files tell what timeline was received last, as far as they are not behind what
// was replayed: those were left by a timeline that was abandoned. pg_control goes on telling the last restartpoint's.
const NEWEST_WAL_TIMELINE = `(SELECT max(('x' || left(name, 8))::bit(32)::int) FROM pg_ls_waldir()
  WHERE name ~ '^[0-9A-F]{24}$' AND substr(name, 9, 8) || right(name, 2) >=
    lpad(upper(to_hex(div(pg_last_wal_replay_lsn() - '0/1', 16777216)::bigint)), 10, '0'))`

// CASE, because the functions of one role are errors in the other.
const STATUS = `
SELECT r.in_recovery, current_setting('cluster_name') AS cluster_name, s.system_identifier::text,
  current_setting('server_version') AS server_version,
  CASE WHEN NOT r.in_recovery THEN pg_walfile_name(pg_current_wal_lsn()) END AS wal_file,
  CASE WHEN NOT r.in_recovery THEN pg_current_wal_lsn()::text END AS current_lsn,
  coalesce((SELECT received_tli FROM pg_stat_wal_receiver), CASE WHEN r.in_recovery THEN ${NEWEST_WAL_TIMELINE} END,
    (SELECT timeline_id FROM pg_control_checkpoint())) AS received_tli,
  pg_last_wal_receive_lsn()::text AS receive_lsn, pg_last_wal_replay_lsn()::text AS replay_lsn,
  CASE WHEN r.in_recovery THEN pg_is_wal_replay_paused() END AS paused,
  current_setting('lab.waits', true) AS waits,
  current_setting('recovery_min_apply_delay') AS apply_delay,
  current_setting('synchronous_commit') AS synchronous_commit,
  current_setting('synchronous_standby_names') AS synchronous_standby_names,
  (SELECT count(*)::int FROM pg_prepared_xacts) AS prepared,
  (SELECT count(*)::int FROM pg_class WHERE relkind IN ('r', 'm') AND relpersistence = 'u') AS unlogged,
  coalesce((SELECT json_agg(json_build_object('spcname', spcname, 'location', pg_tablespace_location(oid)) ORDER BY spcname)
    FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')), '[]') AS tablespaces,
  coalesce((SELECT json_agg(json_build_object('slot_name', slot_name, 'slot_type', slot_type, 'active', active,
    'restart_lsn', restart_lsn::text, 'wal_status', wal_status, 'safe_wal_size', safe_wal_size) ORDER BY slot_name)
    FROM pg_replication_slots), '[]') AS slots,
  pg_size_bytes(current_setting('max_slot_wal_keep_size'))::float8 AS max_slot_wal_keep_size,
  coalesce((SELECT json_agg(json_build_object('application_name', application_name, 'state', state, 'sync_state', sync_state,
    'sent_lsn', sent_lsn::text, 'write_lsn', write_lsn::text, 'flush_lsn', flush_lsn::text, 'replay_lsn', replay_lsn::text)
    ORDER BY application_name) FROM pg_stat_replication), '[]') AS replication,
  (SELECT json_build_object('status', status, 'sender_host', sender_host, 'sender_port', sender_port)
    FROM pg_stat_wal_receiver) AS receiver
FROM (SELECT pg_is_in_recovery() AS in_recovery) r, pg_control_system() s`

/** Asks a server for its role and state. The role needs pg_monitor. */
export async function readServer(session: Session, timeoutMs?: number): Promise<Server> {
  const [row] = await session.query<Row>(STATUS, [], { name: 'status', timeoutMs })
  if (row === undefined) throw new Error('a SELECT without FROM a table returns a row')
  return parseServer(row)
}

function parseServer(row: Row): Server {
  const common = {
    clusterName: row.cluster_name,
    systemIdentifier: row.system_identifier,
    serverVersion: row.server_version.split(' ')[0] ?? '', // 17.10 (Debian 17.10-1)
    slots: row.slots.map(slot => ({
      slotName: slot.slot_name,
      slotType: slot.slot_type,
      active: slot.active,
      restartLsn: lsnOrNull(slot.restart_lsn),
      walStatus: slot.wal_status,
      safeWalSize: slot.safe_wal_size,
    })),
    maxSlotWalKeepSize: row.max_slot_wal_keep_size < 0 ? null : row.max_slot_wal_keep_size,
    replication: row.replication.map(sender => ({
      applicationName: sender.application_name,
      state: sender.state,
      syncState: sender.sync_state,
      sentLsn: lsnOrNull(sender.sent_lsn),
      writeLsn: lsnOrNull(sender.write_lsn),
      flushLsn: lsnOrNull(sender.flush_lsn),
      replayLsn: lsnOrNull(sender.replay_lsn),
    })),
  }
  if (row.in_recovery) {
    return {
      ...common,
      role: 'standby',
      timeline: row.received_tli,
      receiveLsn: lsnOrNull(row.receive_lsn),
      replayLsn: parseLsn(row.replay_lsn ?? '0/0'),
      walReceiver:
        row.receiver === null
          ? null
          : { status: row.receiver.status, senderHost: row.receiver.sender_host, senderPort: row.receiver.sender_port },
      replayPaused: row.paused === true,
      waitsForPeers: row.waits === 'on',
      recoveryMinApplyDelayMs: parseDuration(row.apply_delay) ?? 0,
    }
  }
  return {
    ...common,
    role: 'primary',
    timeline: timelineOfWalFile(row.wal_file ?? ''),
    currentLsn: parseLsn(row.current_lsn ?? ''),
    synchronousCommit: row.synchronous_commit,
    synchronousStandbyNames: row.synchronous_standby_names,
    tablespaces: row.tablespaces,
    preparedTransactions: row.prepared,
    unloggedTables: row.unlogged,
  }
}

const lsnOrNull = (text: string | null): Lsn | null => (text === null ? null : parseLsn(text))

/** What a standby would have as a primary: the greater of received and replayed. */
export const furthestLsn = ({ receiveLsn, replayLsn }: Pick<StandbyServer, 'receiveLsn' | 'replayLsn'>): Lsn =>
  receiveLsn !== null && receiveLsn > replayLsn ? receiveLsn : replayLsn
