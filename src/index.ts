/**
 * The only door: what demos, tests and other projects import.
 */
export { openLab, startTemporaryCluster, type Lab, type LabOptions, type TemporaryClusterOptions } from './lab.ts'
export { Cluster, refusalOf } from './cluster/cluster.ts'
export { primaryOf, requireStandby, standbysOf } from './cluster/node-status.ts'
export type { ClusterEvent, ConnectAs, Refusal } from './cluster/cluster.ts'
export type { NodeStatus, PrimaryStatus, StandbyStatus, UnreachableStatus } from './cluster/node-status.ts'
export {
  caughtUp,
  describe,
  hasRole,
  healthy,
  isFollowing,
  returnsRow,
  senderOf,
  streaming,
  type Question,
} from './cluster/conditions.ts'
export { cascade, follow, type CascadeOptions, type Following, type FollowOptions } from './cluster/cascade.ts'
export { delay, pauseReplay, replayUntil, resumeReplay, type DelayOptions } from './cluster/delay.ts'
export { recoverTable, type RecoveredTable, type RecoverTableOptions } from './cluster/recover-table.ts'
export { readUpstream, type Upstream } from './cluster/upstream.ts'
export { formatDuration, parseDuration } from './postgres/duration.ts'
export { crash, failoverFaults, faultMeanings, freeze, inflict, stop } from './cluster/faults/power.ts'
export type { FailoverFault } from './cluster/faults/power.ts'
export { cutFromWal } from './cluster/faults/replication.ts'
export { fillDisk, type FillDiskOptions } from './cluster/faults/disk.ts'
export { blackHole, isolate, slow } from './cluster/faults/network.ts'
export type { BlackHoleOptions, Direction, IsolateOptions, SlowOptions } from './cluster/faults/network.ts'
export { linkClients, linkPeers } from './cluster/links.ts'
export { switchover, type Switchover, type SwitchoverOptions } from './cluster/switchover.ts'
export { failover, type Candidate, type Failover, type FailoverOptions } from './cluster/failover.ts'
export { changeSettings, temporarySettings, type ChangeOptions, type Settings } from './cluster/settings.ts'
export { readSynchronous, setSynchronous, synchronise, type SynchronousState } from './cluster/synchronous.ts'
export { promisesDurability, synchronousCommits, synchronousStandbys } from './postgres/synchronous.ts'
export type { Synchronous, SynchronousCommit, SynchronousStandbys } from './postgres/synchronous.ts'
export { addReplica, removeReplica, type AddReplicaOptions, type RemoveReplicaOptions } from './cluster/members.ts'
export { rejoin, standDown, type Rejoined, type RejoinOptions } from './cluster/rejoin.ts'
export { readPastFork, type PastFork, type TouchedRelation } from './cluster/salvage/past-fork.ts'
export { salvage, type Salvaged, type SalvageOptions } from './cluster/salvage/salvage.ts'
export { up, type UpOptions } from './cluster/up.ts'
export { choice, count, demo, flag, list, outputFile, text, trialOptions } from './demo.ts'
export type { Demo, DemoContext, DemoDescription, OptionSpec, OptionSpecs, OptionValues, Step } from './demo.ts'
export { isLabError, LabError, labErrorCodes, type LabErrorCode } from './errors.ts'
export { measureOutage, measurePhases, type Milestones, type Outage, type Phases } from './measure/outage.ts'
export { failoverRecord, type FailoverEvidence, type FailoverRecord } from './measure/record.ts'
export { lagAt, measureLag } from './measure/lag.ts'
export type {
  Commit,
  CurvePoint,
  LagAtInstant,
  LagDocument,
  Position,
  SamplingCost,
  StandbyLag,
} from './measure/lag.ts'
export { summariseCell } from './measure/durability.ts'
export type { CellTrial, DurabilityCell, DurabilityDocument } from './measure/durability.ts'
export { summariseTrials, type TrialsDocument } from './measure/trials.ts'
export { percentile, spreadOf, summaryOf, type Spread, type Summary } from './measure/statistics.ts'
export type { ConnectOptions, QueryOptions, Session } from './postgres/connection.ts'
export { bytesBehind, formatLsn, parseLsn, type Lsn } from './postgres/lsn.ts'
export { ruleFor, type Certainty } from './postgres/sqlstate.ts'
export type { PrimaryServer, Server, Slot, StandbyServer, WalSender } from './postgres/status.ts'
export { narrateBurst, narrateLag } from './report/lag.ts'
export { cellNarrator, narrateDurability } from './report/durability.ts'
export { durabilityReport, failoverReport, lagReport } from './report/html/reports.ts'
export type { FailoverReportInput } from './report/html/reports.ts'
export { narrateAcknowledgements, narrateErrors, narrateFailover } from './report/failover.ts'
export { keepEvidence, keepReport, type Evidence } from './report/files.ts'
export { formatBytes, formatCount, formatMs } from './report/format.ts'
export type { Narrator } from './report/narrator.ts'
export { narrateTrials, trialNarrator } from './report/trials.ts'
export { narratePastFork, narrateRejoined, narrateSalvage } from './report/rejoin.ts'
export type { RejoinDocument } from './report/rejoin.ts'
export { narrateStatus, statusDocument, type StatusDocument } from './report/status.ts'
export type { Endpoint, NodeState, Runtime, StopMode } from './runtime/runtime.ts'
export { nodeNamed, type Credentials, type NodeSpec, type Topology } from './topology/topology.ts'
export { met, notMet, waitUntil, type Condition, type Observation, type WaitOptions } from './wait.ts'
export { durationOf, lagsOf, runBurst, serverAt, serversOf } from './workload/burst.ts'
export type { Burst, BurstOptions, Server as ServerToConnect, Servers } from './workload/burst.ts'
export { check, type Findings, type Survivors, type Verdict } from './workload/check.ts'
export {
  errorsByCode,
  latenciesOf,
  type ConnectionError,
  type History,
  type Outcome,
  type Write,
} from './workload/history.ts'
export { readSurvivors, startWriter, Writer, WRITES_TABLE, type WriterOptions } from './workload/writer.ts'
export { runDurability, type DurabilityOptions } from './workload/durability.ts'
export { runLag, type LagOptions } from './workload/lag.ts'
export { runSoak, type ChaosRound, type Soak, type SoakOptions } from './workload/chaos/soak.ts'
export { runLiars, situations, type LiarsOptions, type Situation } from './workload/liars.ts'
export type { LiarsDocument, Reading } from './measure/liars.ts'
export { narrateLiars } from './report/liars.ts'
export { historyLines, parseHistories } from './workload/history-lines.ts'
export {
  runTrial,
  startTrial,
  Trial,
  type RunTrialOptions,
  type TrialResult,
  type WholeTrial,
} from './workload/trial.ts'
export { runTrials, type RunTrialsOptions } from './workload/trials.ts'
