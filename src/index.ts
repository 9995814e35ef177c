/**
 * The library's door: a cluster, what is done to it, a client that remembers, and the judgement.
 */
export { startCluster, type StartOptions } from './testing/start.ts'
export { TestCluster, type ClusterFailoverOptions, type ClusterQueryOptions } from './testing/cluster.ts'
export type { StandbyLag } from './testing/lag.ts'
export type { Limits } from './testing/limits.ts'
export { Fault } from './testing/fault.ts'
export { Load, type JudgeOptions, type LoadOptions, type Send, type Settled } from './client/load.ts'
export type { Account, AddressOptions, OpenAddress } from './testing/addresses.ts'
export type { Promotion } from './testing/roles.ts'
export { throughFailover, type SurvivalOptions } from './testing/survive.ts'
export type { LoadOutcome } from './measure/load.ts'
export type { WriteCounts } from './measure/write-counts.ts'
export { openLab, type Lab, type LabOptions } from './lab.ts'
export { startTemporaryCluster, type TemporaryClusterOptions } from './temporary-cluster.ts'
export { Cluster, type ClusterEvent, type ConnectAs } from './cluster/cluster.ts'
export {
  primaryOf,
  standbysOf,
  type NodeStatus,
  type PrimaryStatus,
  type StandbyStatus,
  type UnreachableStatus,
} from './cluster/node-status.ts'
export { caughtUp, hasRole, healthy, streaming } from './cluster/conditions.ts'
export { cascade, type CascadeOptions } from './operations/cascade.ts'
export { delayReplay, pauseReplay, replayUntil, resumeReplay, type DelayOptions } from './operations/delay.ts'
export { recoverTable, type RecoveredTable, type RecoverTableOptions } from './operations/recover-table.ts'
export { crash, freeze, shutDown } from './faults/power.ts'
export { cutFromWal } from './faults/replication.ts'
export { fillDisk, type FillDiskOptions } from './faults/disk.ts'
export {
  blackHole,
  isolate,
  slowNetwork,
  type BlackHoleOptions,
  type Direction,
  type IsolateOptions,
  type SlowOptions,
} from './faults/network.ts'
export { linkClients, linkPeers } from './cluster/links.ts'
export { switchover, type Switchover, type SwitchoverOptions } from './operations/switchover/switchover.ts'
export { failover, type Failover, type FailoverOptions } from './operations/failover/failover.ts'
export type { Candidate } from './operations/failover/choose.ts'
export { changeSettings, type ChangeOptions, type Settings } from './cluster/settings.ts'
export { temporarySettings } from './cluster/temporary-settings.ts'
export {
  readSynchronous,
  temporarySynchronous,
  changeSynchronous,
  type SynchronousState,
} from './operations/synchronous.ts'
export type { Synchronous, SynchronousCommit, SynchronousStandbys } from './postgres/synchronous.ts'
export { addReplica, removeReplica, type AddReplicaOptions, type RemoveReplicaOptions } from './operations/members.ts'
export { rejoin, type Rejoined, type RejoinOptions } from './operations/rejoin.ts'
export { compareWithPrimary, type Compared, type ToSalvage } from './operations/salvage/compare.ts'
export { salvagePsql } from './operations/salvage/script.ts'
export { comparisonScript, type RowDifference, type TableComparison } from './operations/salvage/differences.ts'
export { readKept, type Kept } from './operations/salvage/keep.ts'
export { readPastFork, type PastFork, type TouchedRelation } from './operations/salvage/past-fork.ts'
export { salvage, type Salvaged, type SalvageOptions } from './operations/salvage/salvage.ts'
export { up, type UpOptions } from './operations/up.ts'
export { isLabError, LabError, type LabErrorCode } from './errors.ts'
export type { Milestones, Outage, Phases } from './measure/outage.ts'
export { failoverRecord, type FailoverEvidence, type FailoverRecord } from './measure/record.ts'
export type { LagAtInstant } from './measure/lag.ts'
export type { Spread, Summary } from './measure/statistics.ts'
export type { ConnectOptions, QueryOptions, ServerAddress, Session } from './postgres/connection.ts'
export { bytesBehind, formatLsn, parseLsn, type Lsn } from './postgres/lsn.ts'
export type { PrimaryServer, Slot, StandbyServer, WalSender } from './postgres/status.ts'
export type { Lock, LockOptions } from './runtime/lock.ts'
export type { Endpoint, NodeState, Runtime, StopMode } from './runtime/runtime.ts'
export type { Credentials, NodeSpec, Topology } from './topology/topology.ts'
export { met, notMet, waitUntil, type Condition, type Observation, type WaitOptions } from './wait.ts'
export { checkHistory, type Findings, type Survivors, type Verdict } from './history/check.ts'
export type { ConnectionError, History, Outcome, Write } from './history/history.ts'
export { readSurvivors, startWriter, Writer, WRITES_TABLE, type WriterOptions } from './client/writer.ts'
export {
  runTrial,
  startTrial,
  Trial,
  type RunTrialOptions,
  type TrialResult,
  type WholeTrial,
} from './experiments/trial.ts'
