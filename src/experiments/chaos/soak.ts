/**
 * A soak: rounds of faults and procedures against a cluster under load, each drawn from a seed, judged, and healed.
 */
import type { Cluster } from '../../cluster/cluster.ts'
import { temporarySynchronous } from '../../operations/synchronous.ts'
import { up } from '../../operations/up.ts'
import { isLabError, LabError, messageOf, originOf } from '../../errors.ts'
import type { FailoverRecord } from '../../measure/record.ts'
import type { SynchronousStandbys } from '../../postgres/synchronous.ts'
import type { History } from '../../history/history.ts'
import { judgeRound, judgeUnfinished, type Terms } from './checks.ts'
import { readOwnResources, type RoundEvidence } from './evidence.ts'
import { Ledger } from './ledger.ts'
import { describePlan, plan as planOf, type Plan } from './plan.ts'
import { playRound, type RoundRun } from './round.ts'

export interface SoakOptions {
  readonly seed: number
  /** Begin with this round of the seed's. @default 1 */
  readonly firstRound?: number | undefined
  /** How many rounds. @default as many as begin within the time */
  readonly rounds?: number | undefined
  /** No round begins after so many milliseconds. @default Infinity */
  readonly forMs?: number | undefined
  readonly sync: SynchronousStandbys
  readonly load: { readonly ratePerSecond: number; readonly connections: number }
  readonly signal?: AbortSignal | undefined
  readonly onRound?: ((round: ChaosRound) => void) | undefined
}

/**
 * - held: every check did.
 * - skipped: the runtime cannot do that to a node; what was checked held.
 * - not-struck: the blow came too late, or its victim was down; what was checked held.
 * - interrupted: the user ended the action; it was healed, and what was checked held.
 */
export type RoundVerdict = 'held' | 'failed' | 'skipped' | 'not-struck' | 'interrupted'

/** A round in the document. */
export interface ChaosRound {
  readonly round: number
  readonly action: Plan['action']
  /** With the choices that count. */
  readonly what: string
  readonly plan: Plan
  readonly verdict: RoundVerdict
  /** What is wrong, each with its check. */
  readonly problems: readonly string[]
  /** What was refused or given up, or why it was skipped or not struck. */
  readonly remark: string | null
  readonly ms: number
  /** The longest time between two acknowledgements while the action went on; null with less than two. */
  readonly outageMs: number | null
  readonly acknowledged: number
  /** Acknowledged, and gone; the record tells of each. */
  readonly lost: number
  readonly timeline: number | null
}

/** What there is to keep of a round that failed. */
export interface FailedRound {
  readonly round: ChaosRound
  readonly record: FailoverRecord | undefined
  readonly histories: RoundRun['histories']
  readonly evidence: RoundEvidence | undefined
  /** With its stack, where it has one. */
  readonly error: string | undefined
}

export interface Soak {
  readonly rounds: readonly ChaosRound[]
  /** The last round, if it failed: then the cluster was left as it was. */
  readonly failed: FailedRound | undefined
  /** What this machine lacks for another round: no claim is broken by it. */
  readonly lacks: LabError | undefined
  readonly verdict: 'held' | 'failed' | 'unknown'
}

const UP_TIMEOUT_MS = 180_000
const SYNCHRONISE_TIMEOUT_MS = 60_000

/**
 * Runs until the rounds or the time are over, a round fails, or the signal fires; that one ends an action, and never the
 * healing after it. At the end the nodes wait for what they waited for before.
 * @throws LabError those of up and of synchronise, before the first round
 */
export async function runSoak(cluster: Cluster, options: SoakOptions): Promise<Soak> {
  const { seed, firstRound = 1, rounds: most = Infinity, forMs = Infinity, sync, load, signal, onRound } = options
  await up(cluster, { timeoutMs: UP_TIMEOUT_MS, signal })
  // Not with the signal: what the nodes waited for before is put back in the end.
  const limits = { timeoutMs: SYNCHRONISE_TIMEOUT_MS }
  const synchronous = await temporarySynchronous(cluster, { standbys: sync, synchronousCommit: 'on' }, limits)
  const ledger = new Ledger()
  const terms: Terms = { sync, ownAtStart: await readOwnResources(), owners: new Map() }
  const rounds: ChaosRound[] = []
  const endsAt = performance.now() + forMs
  let failed: FailedRound | undefined
  let lacks: LabError | undefined
  const isOver = (): boolean => rounds.length >= most || performance.now() >= endsAt || signal?.aborted === true
  while (!isOver() && failed === undefined) {
    const plan = planOf(seed, firstRound + rounds.length)
    cluster.emit({ kind: 'progress', text: `round ${plan.round}: ${describePlan(plan)}` })
    const startedAt = performance.now()
    const run = await playRound({ cluster, sync, ledger, load, signal }, plan)
    const origin = originOf(run.error)
    if (isLabError(origin, 'PROGRAM_MISSING')) {
      lacks = origin
      break
    }
    const round = judged(plan, run, { terms, ms: performance.now() - startedAt })
    rounds.push(round)
    onRound?.(round)
    if (round.verdict === 'failed') failed = { ...run, round, error: stackOf(run.error) }
  }
  if (failed === undefined && lacks === undefined) await synchronous[Symbol.asyncDispose]()
  return { rounds, failed, lacks, verdict: failed !== undefined ? 'failed' : rounds.some(isWhole) ? 'held' : 'unknown' }
}

const isWhole = ({ verdict }: ChaosRound): boolean => verdict === 'held'

function judged(
  plan: Plan,
  { played, histories, acknowledgements, evidence, error }: RoundRun,
  { terms, ms }: { readonly terms: Terms; readonly ms: number },
): ChaosRound {
  const { action } = histories
  const problems =
    evidence === undefined
      ? [`it did not get to its end: ${toldError(error)}`, ...judgeUnfinished(acknowledgements, terms)]
      : judgeRound(evidence, terms)
  const primary = evidence?.nodes.find(({ role }) => role === 'primary')
  return {
    round: plan.round,
    action: plan.action,
    what: describePlan(plan),
    plan,
    verdict: verdictOf(problems, { played, error }),
    problems,
    remark:
      played?.missed ?? played?.refusal ?? (evidence !== undefined && error !== undefined ? toldError(error) : null),
    ms: Math.round(ms),
    outageMs: action === undefined ? null : longestGap(action),
    acknowledged: (evidence?.runs ?? []).reduce((sum, { acknowledged }) => sum + acknowledged, 0),
    lost: (evidence?.runs ?? []).reduce((sum, { lostIds }) => sum + lostIds.length, 0),
    timeline: primary?.role === 'primary' ? primary.timeline : null,
  }
}

/** What was done held only if it was done. */
export function verdictOf(
  problems: readonly string[],
  { played, error }: Pick<RoundRun, 'played' | 'error'>,
): RoundVerdict {
  if (problems.length > 0) return 'failed'
  if (isLabError(error, 'UNSUPPORTED_FAULT')) return 'skipped'
  if (isLabError(error, 'INTERRUPTED')) return 'interrupted'
  return played?.missed === undefined ? 'held' : 'not-struck'
}

export const toldError = (error: unknown): string =>
  error instanceof LabError ? `${error.code}: ${error.message}` : messageOf(error)

export const stackOf = (error: unknown): string | undefined =>
  error === undefined ? undefined : error instanceof Error ? (error.stack ?? error.message) : messageOf(error)

/** Between two acknowledgements: in milliseconds, rounded to a hundredth; null with less than two. */
export function longestGap({ writes }: History): number | null {
  const instants = writes.filter(({ outcome }) => outcome.kind === 'acknowledged').map(({ settledAt }) => settledAt)
  let longest: number | null = null
  for (let at = 1; at < instants.length; at++) {
    const gap = (instants[at] ?? 0) - (instants[at - 1] ?? 0)
    if (longest === null || gap > longest) longest = gap
  }
  return longest === null ? null : Math.round(longest * 100) / 100
}
