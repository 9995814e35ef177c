/**
 * global/pg_control: what a server that is down has left to say. Read as bytes, because pg_controldata is not everywhere.
 * The fields read here have stood at the same places since version 1100 (PostgreSQL 11):
 * https://github.com/postgres/postgres/blob/REL_17_STABLE/src/include/catalog/pg_control.h
 */
import { LabError } from '../errors.ts'
import type { Lsn } from './lsn.ts'
import type { HistoryPoint } from './node-history.ts'

/** Its place in the data directory. */
export const CONTROL_FILE = 'global/pg_control'

export interface ControlFile {
  /** As `SELECT system_identifier FROM pg_control_system()` tells it. */
  readonly systemIdentifier: string
  /** Whether the server ended by writing a shutdown checkpoint, as a primary: nothing in its WAL comes after that. */
  readonly isShutDown: boolean
  /** Where the record of the latest checkpoint begins. */
  readonly checkpointLsn: Lsn
  /** On which that checkpoint was written. Stays what it was for a while after a promotion. */
  readonly checkpointTimeline: number
  /** Up to where a standby must replay before it takes connections, at least what it has written to its files; null for a primary. */
  readonly minRecoveryEnd: HistoryPoint | null
}

const OFFSETS = {
  ...{ systemIdentifier: 0, version: 8, state: 16, checkpoint: 32, checkpointTimeline: 48 },
  ...{ minRecoveryEnd: 136, minRecoveryEndTimeline: 144, end: 148 },
}
/** DB_SHUTDOWNED, of enum DBState. */
const SHUT_DOWN = 1
const OLDEST_VERSION = 1100
const NEWEST_VERSION = 9900

/** @throws LabError NODE_FAILED when it is no pg_control of this byte order and layout */
export function parseControlFile(bytes: Uint8Array): ControlFile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // Every platform that the official images and the npm packages are made for is little-endian.
  const version = bytes.byteLength < OFFSETS.end ? 0 : view.getUint32(OFFSETS.version, true)
  if (version < OLDEST_VERSION || version > NEWEST_VERSION) {
    throw new LabError('NODE_FAILED', `${CONTROL_FILE} cannot be read: its version is ${version}`, {
      hint: 'Ask pg_controldata whether the file is damaged.',
    })
  }
  const minRecoveryEnd = {
    timeline: view.getUint32(OFFSETS.minRecoveryEndTimeline, true),
    lsn: view.getBigUint64(OFFSETS.minRecoveryEnd, true) as Lsn,
  }
  return {
    systemIdentifier: view.getBigUint64(OFFSETS.systemIdentifier, true).toString(),
    isShutDown: view.getUint32(OFFSETS.state, true) === SHUT_DOWN,
    checkpointLsn: view.getBigUint64(OFFSETS.checkpoint, true) as Lsn,
    checkpointTimeline: view.getUint32(OFFSETS.checkpointTimeline, true),
    minRecoveryEnd: minRecoveryEnd.lsn === 0n ? null : minRecoveryEnd,
  }
}
