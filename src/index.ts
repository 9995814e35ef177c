/**
 * The only door: what demos, tests and other projects import.
 */
export { openLab, startTemporaryCluster, type Lab, type LabOptions, type TemporaryClusterOptions } from './lab.ts'
export { Cluster, primaryOf, requireStandby, standbysOf } from './cluster/cluster.ts'
export type {
  ClusterEvent,
  ConnectAs,
  NodeStatus,
  PrimaryStatus,
  Refusal,
  StandbyStatus,
  UnreachableStatus,
} from './cluster/cluster.ts'
export { caughtUp, describe, healthy, isFollowing, streaming } from './cluster/conditions.ts'
export { crash, failoverFaults, faultMeanings, inflict, stop, type FailoverFault } from './cluster/faults.ts'
export { failover, type Candidate, type Failover, type FailoverOptions } from './cluster/failover.ts'
export { rejoin, type Rejoined, type RejoinOptions } from './cluster/rejoin.ts'
export { up, type UpOptions } from './cluster/up.ts'
export { choice, count, demo, flag, text } from './demo.ts'
export type { Demo, DemoContext, DemoDescription, OptionSpec, OptionSpecs, OptionValues } from './demo.ts'
export { isLabError, LabError, labErrorCodes, type LabErrorCode } from './errors.ts'
export { measureOutage, measurePhases, type Milestones, type Outage, type Phases } from './measure/outage.ts'
export { failoverRecord, type FailoverEvidence, type FailoverRecord } from './measure/record.ts'
export { percentile, spreadOf, type Spread } from './measure/statistics.ts'
export type { ConnectOptions, QueryOptions, Session } from './postgres/connection.ts'
export { bytesBehind, formatLsn, parseLsn, type Lsn } from './postgres/lsn.ts'
export { ruleFor, type Certainty } from './postgres/sqlstate.ts'
export type { PrimaryServer, Server, Slot, StandbyServer, WalSender } from './postgres/status.ts'
export { narrateBurst } from './report/burst.ts'
export { narrateFailover } from './report/failover.ts'
export { formatBytes, formatCount, formatMs } from './report/format.ts'
export type { Narrator } from './report/narrator.ts'
export { narrateStatus, statusDocument, type StatusDocument } from './report/status.ts'
export type { Endpoint, NodeState, Runtime, StopMode } from './runtime/runtime.ts'
export { nodeNamed, type Credentials, type NodeSpec, type Topology } from './topology/topology.ts'
export { met, notMet, waitUntil, type Condition, type Observation, type WaitOptions } from './wait.ts'
export { runBurst, type Burst, type BurstOptions, type StandbyInBurst } from './workload/burst.ts'
export { check, type Findings, type Survivors, type Verdict } from './workload/check.ts'
export { errorsByCode, type ConnectionError, type History, type Outcome, type Write } from './workload/history.ts'
export { readSurvivors, startWriter, Writer, WRITES_TABLE, type WriterOptions } from './workload/writer.ts'
