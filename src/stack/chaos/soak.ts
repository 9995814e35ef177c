/**
 * A soak of a cluster that Patroni manages: rounds of what can befall it, each drawn from a seed, under load over every way to
 * the primary, judged and healed.
 */
import { setMaxListeners } from 'node:events'
import { makeWritesTable } from '../../client/writer.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { isLabError } from '../../errors.ts'
import { readOwnResources } from '../../experiments/chaos/evidence.ts'
import { Ledger } from '../../experiments/chaos/ledger.ts'
import { longestGap, stackOf, toldError, type ChaosRound, type RoundVerdict } from '../../experiments/chaos/soak.ts'
import type { PatroniStack } from '../stack.ts'
import type { StackWay } from '../ways.ts'
import { changeIn, judgeStackRound, type StackTerms } from './checks.ts'
import type { ClientsLoad, WayHistory } from './clients.ts'
import type { StackEvidence } from './evidence.ts'
import { describeStackPlan, stackPlan, type StackAction, type StackPlan } from './plan.ts'
import { playStackRound, toldAction, type StackRoundRun } from './round.ts'

export interface StackSoakOptions {
  readonly seed: number
  /** Begin with this round of the seed's. @default 1 */
  readonly firstRound?: number | undefined
  /** How many rounds. @default as many as begin within the time */
  readonly rounds?: number | undefined
  /** No round begins after so many milliseconds. @default Infinity */
  readonly forMs?: number | undefined
  readonly load: ClientsLoad
  readonly signal?: AbortSignal | undefined
  readonly onRound?: ((round: StackRound) => void) | undefined
  /** Keeps what there is of a round that failed, before the next begins. */
  readonly onFailed?: ((failed: FailedStackRound) => Promise<void>) | undefined
}

/** What came of the writes over one way. */
export interface WayInRound {
  readonly way: StackWay
  readonly acknowledged: number
  readonly failed: number
  readonly indeterminate: number
  /** Acknowledged, and gone. */
  readonly lost: number
  /** The longest time between two acknowledgements; null with less than two. */
  readonly outageMs: number | null
}

/** A round in the document. Its remark: who leads now, what is lost where something may be, what Patroni said. */
export interface StackRound extends Omit<ChaosRound, 'action' | 'plan'> {
  readonly action: StackAction
  readonly plan: StackPlan
  readonly indeterminate: number
  /** How many timelines have begun. */
  readonly promotions: number
  readonly ways: readonly WayInRound[]
}

/** What there is to keep of a round that failed. */
export interface FailedStackRound {
  readonly round: StackRound
  readonly histories: readonly WayHistory[]
  readonly evidence: StackEvidence | undefined
  /** With its stack, where it has one. */
  readonly error: string | undefined
  /** ISO 8601. */
  readonly startedAt: string
}

export interface StackSoak {
  readonly rounds: readonly StackRound[]
  readonly verdict: 'held' | 'failed' | 'unknown'
}

/**
 * Runs until the rounds or the time are over, the cluster cannot be healed, or the signal fires; that one ends an action, and
 * never the healing after it. A round that fails does not end it: what Patroni does once it may do again.
 * @throws LabError before the first round
 */
export async function runStackSoak(
  cluster: Cluster,
  stack: PatroniStack,
  options: StackSoakOptions,
): Promise<StackSoak> {
  const { seed, firstRound = 1, rounds: most = Infinity, forMs = Infinity, load, signal } = options
  // A session of a spike listens each: more than node's ten are no leak.
  if (signal !== undefined) setMaxListeners(0, signal)
  await makeTable(cluster, signal)
  const setting = { cluster, stack, ledger: new Ledger(), load, signal }
  const terms: StackTerms = { ownAtStart: await readOwnResources(), owners: new Map() }
  const rounds: StackRound[] = []
  const endsAt = performance.now() + forMs
  let isBroken = false
  const isOver = (): boolean => rounds.length >= most || performance.now() >= endsAt || signal?.aborted === true
  while (!isOver() && !isBroken) {
    const plan = stackPlan(seed, firstRound + rounds.length)
    cluster.emit({ kind: 'progress', text: `round ${plan.round}: ${describeStackPlan(plan)}` })
    const startedAt = new Date().toISOString()
    const from = performance.now()
    const run = await playStackRound(setting, plan)
    const round = judged(plan, run, { terms, ms: performance.now() - from })
    rounds.push(round)
    options.onRound?.(round)
    isBroken = run.evidence === undefined
    if (round.verdict !== 'failed') continue
    await options.onFailed?.({ ...run, round, startedAt, error: stackOf(run.error ?? run.actionError) })
  }
  const has = (verdict: RoundVerdict): boolean => rounds.some(round => round.verdict === verdict)
  return { rounds, verdict: has('failed') ? 'failed' : has('held') ? 'held' : 'unknown' }
}

async function makeTable(cluster: Cluster, signal: AbortSignal | undefined): Promise<void> {
  const { name } = await cluster.primary(signal)
  await using session = await cluster.connect(name, { signal })
  await makeWritesTable(session)
}

function judged(
  plan: StackPlan,
  run: StackRoundRun,
  { terms, ms }: { readonly terms: StackTerms; readonly ms: number },
): StackRound {
  const { evidence } = run
  const wasInterrupted = isLabError(run.actionError, 'INTERRUPTED')
  const problems = [
    ...(run.actionError === undefined || wasInterrupted ? [] : [toldAction(run.actionError)]),
    ...(evidence === undefined
      ? [`it did not get to its end: ${toldError(run.error)}`]
      : judgeStackRound(evidence, terms)),
  ]
  const ways = run.histories.map(({ way, history }): WayInRound => {
    const findings = evidence?.ways.find(seen => seen.way === way)?.findings
    const [acknowledged, failed, indeterminate] = (['acknowledged', 'failed', 'indeterminate'] as const).map(
      kind => history.writes.filter(({ outcome }) => outcome.kind === kind).length,
    ) as [number, number, number]
    const lost = findings?.lostIds.length ?? 0
    return { way, acknowledged, failed, indeterminate, lost, outageMs: longestGap(history) }
  })
  const outages = ways.flatMap(({ outageMs }) => (outageMs === null ? [] : [outageMs]))
  const primary = evidence?.nodes.find(({ role }) => role === 'primary')
  const timeline = primary?.role === 'primary' ? primary.timeline : null
  const sum = (what: 'acknowledged' | 'lost' | 'indeterminate'): number =>
    ways.reduce((total, way) => total + way[what], 0)
  return {
    ...{ round: plan.round, action: plan.action, what: describeStackPlan(plan), plan, problems },
    verdict: problems.length > 0 ? 'failed' : wasInterrupted ? 'interrupted' : 'held',
    remark: remarkOf(run, ways),
    ms: Math.round(ms),
    outageMs: outages.length === 0 ? null : Math.max(...outages),
    acknowledged: sum('acknowledged'),
    lost: sum('lost'),
    indeterminate: sum('indeterminate'),
    promotions: evidence === undefined || timeline === null ? 0 : timeline - evidence.before.timeline,
    timeline,
    ways,
  }
}

/** What is worth telling, and no failure. */
function remarkOf({ played, evidence }: StackRoundRun, ways: readonly WayInRound[]): string | null {
  const change = evidence === undefined ? undefined : changeIn(evidence)
  const lost = ways.filter(way => way.lost > 0).map(({ way, lost: count }) => `${count} over ${way}`)
  const told = [
    ...(change === undefined ? [] : [change]),
    ...(lost.length === 0 ? [] : [`lost ${lost.join(', ')}`]),
    ...(played.remark === undefined ? [] : [played.remark]),
  ]
  return told.length === 0 ? null : told.join('; ')
}
