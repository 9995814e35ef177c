import type { NodeStatus, PrimaryStatus, StandbyStatus } from '../../src/cluster/node-status.ts'
import type { Lsn } from '../../src/postgres/lsn.ts'
import type { Slot, WalSender } from '../../src/postgres/status.ts'

export const lsn = (value: number): Lsn => BigInt(value) as Lsn

const at = (name: string): { readonly name: string; readonly host: string; readonly port: number } => ({
  ...{ name, host: '127.0.0.1', port: 5432 },
})

const server = {
  systemIdentifier: '7',
  serverVersion: '17.2',
  timeline: 1,
  slots: [],
  maxSlotWalKeepSize: 1024 ** 3,
  replication: [],
}

export const senderTo = (applicationName: string): WalSender => ({
  ...{ applicationName, state: 'streaming', syncState: 'async' },
  ...{ sentLsn: null, writeLsn: null, flushLsn: null, replayLsn: null },
})

export const aSlot = (slotName: string, slot: Partial<Slot> = {}): Slot => ({
  ...{ slotName, slotType: 'physical', active: true, restartLsn: lsn(1000), walStatus: 'reserved', safeWalSize: 4096 },
  ...slot,
})

/** A primary at 1000, with a slot for each of those that stream from it. */
export const aPrimary = (name: string, to: readonly string[], status: Partial<PrimaryStatus> = {}): PrimaryStatus => ({
  ...at(name),
  ...server,
  clusterName: name,
  role: 'primary',
  currentLsn: lsn(1000),
  replication: to.map(senderTo),
  slots: to.map(standby => aSlot(standby)),
  synchronousCommit: 'on',
  synchronousStandbyNames: '',
  tablespaces: [],
  preparedTransactions: 0,
  unloggedTables: 0,
  ...status,
})

/** A standby that streams, and has replayed everything up to 1000. */
export const aStandby = (name: string, status: Partial<StandbyStatus> = {}): StandbyStatus => ({
  ...at(name),
  ...server,
  clusterName: name,
  role: 'standby',
  receiveLsn: lsn(1000),
  replayLsn: lsn(1000),
  walReceiver: { status: 'streaming', senderHost: 'somewhere', senderPort: 5432 },
  replayPaused: false,
  waitsForPeers: false,
  recoveryMinApplyDelayMs: 0,
  ...status,
})

export const aSilentNode = (name: string, state: 'running' | 'frozen' | 'stopped' = 'stopped'): NodeStatus => ({
  ...at(name),
  role: 'unreachable',
  state,
  reason: 'connect ECONNREFUSED',
})
