/**
 * A switchover in which no write fails: PgBouncer lets what is under way end and everybody else wait (PAUSE), Patroni lets the
 * primary and a standby change places, HAProxy is seen to lead to the new primary alone, and everybody goes on (RESUME).
 *
 * It is driven from here: Patroni's own callbacks are asynchronous, and may come twice. Whatever goes wrong after the PAUSE, a
 * RESUME follows: a transaction that does not end in time has the old primary go on.
 */
import { LabError, throwIfInterrupted } from '../errors.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { waitUntil, met, notMet, seconds, type Condition } from '../wait.ts'
import { leadsTo } from './haproxy.ts'
import { pauseWrites, resumeWrites } from './pgbouncer.ts'
import { allWell, askForSwitchover, leads, readPatroni, type SwitchoverAnswer } from './rest.ts'
import type { PatroniStack } from './stack.ts'
import { progress } from './up.ts'

export interface StackSwitchoverOptions {
  /** Which standby is to be the primary. @default the one with the least lag */
  readonly to?: string | undefined
  /** Limit in milliseconds for what is under way to end, before it is given up. @default 3000 */
  readonly drainMs?: number | undefined
  /** Limit in milliseconds, before the PAUSE and again after it. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Milliseconds, on one monotonic clock. */
export interface StackSwitchover {
  readonly oldPrimary: string
  readonly newPrimary: string
  readonly timeline: { readonly before: number; readonly after: number }
  /** From the PAUSE until nothing was under way. */
  readonly drainMs: number
  /** From then until HAProxy led to the new primary alone, and it accepted writes. */
  readonly handoverMs: number
  /** From the PAUSE to the RESUME. */
  readonly pausedMs: number
}

export const DRAIN_MS = 3_000

/**
 * @throws LabError NOT_READY when nothing was changed, UNKNOWN_NODE; ABORTED when it was given up, and the old primary goes on;
 * TIMEOUT when it is not known who leads; INTERRUPTED
 */
export async function stackSwitchover(
  cluster: Cluster,
  stack: PatroniStack,
  options: StackSwitchoverOptions,
): Promise<StackSwitchover> {
  const { drainMs = DRAIN_MS, signal, timeoutMs } = options
  const limits = { timeoutMs }
  const well = await waitUntil(allWell(stack), { ...limits, intervalMs: 200, signal })
  const to = await targetOf(cluster, stack, options)
  // Patroni's shutdown of the old primary writes one: after this it has little to write.
  await cluster.ask(well.primary, session => session.query('CHECKPOINT', [], { timeoutMs: 60_000 }), signal)
  throwIfInterrupted(signal)
  const pair = { from: well.primary, to, ...limits, signal }
  progress(cluster, `PgBouncer pauses, and ${to} takes over from ${well.primary}`)
  const times = await paused(stack, pair, drainMs)
  const after = await waitUntil(allWell(stack), { ...limits, intervalMs: 200, signal })
  const timeline = { before: well.timeline, after: after.timeline }
  return { oldPrimary: well.primary, newPrimary: after.primary, timeline, ...times }
}

async function targetOf(
  cluster: Cluster,
  stack: PatroniStack,
  { to, signal }: StackSwitchoverOptions,
): Promise<string> {
  const standbys = (await readPatroni(stack, { signal })).members.filter(member => !leads(member))
  if (to !== undefined) {
    const { name } = cluster.node(to)
    if (standbys.some(standby => standby.name === name)) return name
    throw new LabError('NOT_READY', `${name} leads already, and nothing was changed`, { hint: 'Name a standby.' })
  }
  const lagOf = (lag: number | 'unknown' | undefined): number => (typeof lag === 'number' ? lag : Infinity)
  const [first] = standbys.sort((a, b) => lagOf(a.lag) - lagOf(b.lag))
  if (first !== undefined) return first.name
  throw new LabError('NOT_READY', 'no standby streams, and nothing was changed', {
    hint: 'pnpm run stack status patroni shows what Patroni says of each node.',
  })
}

interface Pair {
  readonly from: string
  readonly to: string
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

async function paused(
  stack: PatroniStack,
  pair: Pair,
  limitMs: number,
): Promise<Pick<StackSwitchover, 'drainMs' | 'handoverMs' | 'pausedMs'>> {
  const pausedAt = performance.now()
  const times = await duringPause(stack, pair, limitMs).finally(() => resumeWrites(stack))
  return { ...times, pausedMs: performance.now() - pausedAt }
}

async function duringPause(
  stack: PatroniStack,
  pair: Pair,
  limitMs: number,
): Promise<Pick<StackSwitchover, 'drainMs' | 'handoverMs'>> {
  const pausedAt = performance.now()
  const state = await pauseWrites(stack, { drainMs: limitMs, signal: pair.signal })
  if (state === 'not-drained') throw notDrained(pair, limitMs)
  const drainedAt = performance.now()
  await handOver(stack, pair)
  return { drainMs: drainedAt - pausedAt, handoverMs: performance.now() - drainedAt }
}

const notDrained = ({ from }: Pair, limitMs: number): LabError =>
  new LabError('ABORTED', `a transaction did not end within ${seconds(limitMs)}: ${from} goes on as the primary`, {
    hint: `Wait for it, give it longer with --drain, or end it: pnpm run psql ${from} -c "SELECT pid, xact_start, query FROM pg_stat_activity WHERE xact_start < now() - interval '1 s'" names it.`,
  })

async function handOver(stack: PatroniStack, pair: Pair): Promise<void> {
  const { from, to, timeoutMs, signal } = pair
  let answer: SwitchoverAnswer | Error | undefined
  // Not awaited: Patroni looks once a second whether it is done, and HAProxy may be seen to lead there before.
  void askForSwitchover(stack, { ...pair, timeoutMs }).then(
    said => (answer = said),
    (error: unknown) => (answer = error instanceof Error ? error : new Error(String(error))),
  )
  const led = leadsTo(stack, to)
  const done: Condition<'led' | SwitchoverAnswer> = {
    what: `${led.what}, after Patroni was asked for a switchover`,
    observe: async limit => {
      const seen = await led.observe(limit)
      if (seen.met) return met('led')
      if (answer !== undefined && 'status' in answer && answer.status !== 200) return met(answer)
      const said = answer === undefined ? '' : `; Patroni says: ${'status' in answer ? answer.text : answer.message}`
      return notMet(`${seen.seen}${said}`)
    },
  }
  const end = await waitUntil(done, { timeoutMs, intervalMs: 25, signal })
  if (end === 'led') return
  throw new LabError('ABORTED', `Patroni gave the switchover up (${end.status}): ${end.text}`, {
    hint: `${from} goes on if it still leads: pnpm run stack status patroni.`,
  })
}
