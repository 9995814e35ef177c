/**
 * What a demo imports: the library, and what only demos and commands need (narrators, options, experiments).
 */
export * from '../index.ts'
export { refusalOf, type Refusal } from '../cluster/cluster.ts'
export { waitForCatchUp } from '../cluster/catch-up.ts'
export { requireStandby } from '../cluster/node-status.ts'
export { describeStatus, isFollowing, returnsRow, senderOf, type Question } from '../cluster/conditions.ts'
export { follow, type Following, type FollowOptions } from '../operations/cascade.ts'
export { readUpstream, type Upstream } from '../cluster/upstream.ts'
export { formatDuration, parseDuration } from '../postgres/duration.ts'
export { failoverFaults, faultMeanings, inflict, type FailoverFault } from '../faults/power.ts'
export { promisesDurability, synchronousCommits, synchronousStandbys } from '../postgres/synchronous.ts'
export { standDown } from '../operations/rejoin.ts'
export { demo, type Demo, type DemoContext, type DemoDescription, type Step } from './demo.ts'
export { trialOptions } from './trial-options.ts'
export {
  choiceOption,
  countOption,
  flagOption,
  listOption,
  fileOption,
  textOption,
  type OptionSpec,
  type OptionSpecs,
  type OptionValues,
} from '../options/options.ts'
export { codeOf, labErrorCodes, messageOf } from '../errors.ts'
export { measureOutage, measurePhases } from '../measure/outage.ts'
export {
  lagAt,
  measureLag,
  type Commit,
  type CurvePoint,
  type LagDocument,
  type Position,
  type SamplingCost,
  type StandbyLag,
} from '../measure/lag.ts'
export {
  isWhole,
  summariseCell,
  type CellTrial,
  type DurabilityCell,
  type DurabilityDocument,
} from '../measure/durability.ts'
export { summariseTrials, type TrialsDocument } from '../measure/trials.ts'
export { percentile, spreadOf, summaryOf } from '../measure/statistics.ts'
export { ruleFor, type Certainty } from '../postgres/sqlstate.ts'
export type { Server } from '../postgres/status.ts'
export { narrateBurst, narrateLag } from '../report/lag.ts'
export { cellNarrator, narrateDurability } from '../report/durability.ts'
export { durabilityReport, failoverReport, lagReport, type FailoverReportInput } from '../report/html/reports.ts'
export { narrateAcknowledgements, narrateErrors, narrateFailover } from '../report/failover.ts'
export { keepEvidence, keepReport, type Evidence } from '../report/files.ts'
export { counted, formatBytes, formatCount, formatMs } from '../report/format.ts'
export type { Narrator } from '../report/narrator.ts'
export { narrateTrials, trialNarrator } from '../report/trials.ts'
export { narratePastFork, narrateRejoined, narrateSalvage, type RejoinDocument } from '../report/rejoin.ts'
export { narrateStatus, statusDocument, type StatusDocument } from '../report/status.ts'
export { nodeNamed } from '../topology/topology.ts'
export {
  durationOf,
  lagsOf,
  runBurst,
  serverAt,
  serversOf,
  type Burst,
  type BurstOptions,
  type ServerToConnect,
  type Servers,
} from '../client/burst.ts'
export { errorsByCode, latenciesOf } from '../history/history.ts'
export { runDurability, type DurabilityOptions } from '../experiments/durability.ts'
export { runLag, type LagOptions } from '../experiments/lag.ts'
export { runSoak, type ChaosRound, type Soak, type SoakOptions } from '../experiments/chaos/soak.ts'
export { runLiars, situations, type LiarsOptions, type Situation } from '../experiments/liars/liars.ts'
export type { LiarsDocument, Reading } from '../measure/liars.ts'
export { narrateLiars } from '../report/liars.ts'
export { historyLines, parseHistories } from '../history/lines.ts'
export { throughRouter } from '../client/through-router.ts'
export { Address } from '../links/address.ts'
export { openAppPool, requestAll, type Answers, type AppPool, type GivesBack } from '../client/app-pool.ts'
export { runReadYourWrites, type ReadYourWritesOptions } from '../experiments/read-your-writes.ts'
export { readWays, type ReadWay, type ReadYourWritesDocument } from '../measure/read-your-writes.ts'
export { narrateReadYourWrites } from '../report/read-your-writes.ts'
export { switchedOver } from '../experiments/trial.ts'
export { runTrials, type RunTrialsOptions } from '../experiments/trials.ts'
export { promoteUnfenced } from '../experiments/unfenced.ts'
export { acknowledgedBy, healedAtEnd, precautions, wakeUp, type Woken } from '../experiments/woken.ts'
export { leftAlone } from '../experiments/left-alone.ts'
export {
  leaseRunsOut,
  lookAtLease,
  managedForAWhile,
  SHORT_LEASE,
  withoutEtcd,
  type LeaseLook,
} from '../stack/lease.ts'
export { narrateLease } from '../report/lease.ts'
