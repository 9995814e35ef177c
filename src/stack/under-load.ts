/**
 * Switchovers under load: one client writes through PgBouncer all the while, and its own history is judged at the end.
 */
import { NamedServers } from '../client/named-servers.ts'
import { makeWritesTable, rowsIn, Writer, WRITES_TABLE } from '../client/writer.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { runSeries } from '../experiments/series.ts'
import { checkHistory, type Verdict } from '../history/check.ts'
import { errorsByCode, latenciesOf, type History } from '../history/history.ts'
import { spreadOf, type Spread } from '../measure/statistics.ts'
import { countsOf, type WriteCounts } from '../measure/write-counts.ts'
import { connectionUrl } from '../postgres/conninfo.ts'
import { met, notMet, seconds, waitUntil, type Condition } from '../wait.ts'
import type { PatroniStack } from './stack.ts'
import { stackSwitchover, type StackSwitchover, type StackSwitchoverOptions } from './switchover.ts'

export interface UnderLoadOptions extends StackSwitchoverOptions {
  readonly trials: number
  readonly ratePerSecond: number
  readonly connections: number
  readonly onTrial?: ((done: TrialUnderLoad, number: number) => void) | undefined
  readonly onFailure?: ((error: unknown) => void) | undefined
}

export interface TrialUnderLoad extends StackSwitchover {
  /** The longest that any write took from when it was due, from the PAUSE until so many more were acknowledged. Milliseconds. */
  readonly longestWaitMs: number
}

/** The `--json` document. */
export interface SwitchoversDocument {
  readonly version: 1
  readonly stack: 'patroni'
  readonly fault: 'switchover'
  readonly load: { readonly ratePerSecond: number; readonly connections: number }
  readonly trials: readonly TrialUnderLoad[]
  readonly pausedMs: Spread
  readonly longestWaitMs: Spread
  readonly writes: WriteCounts
  readonly errors: Readonly<Record<string, number>>
  readonly verdict: Verdict
  readonly why: string
}

/** Acknowledged before the first, and after each. */
const WRITES = { before: 100, after: 100 }

/** @throws LabError those of {@link stackSwitchover}, when not one was done; TIMEOUT when nothing is acknowledged */
export async function switchoversUnderLoad(
  cluster: Cluster,
  stack: PatroniStack,
  options: UnderLoadOptions,
): Promise<SwitchoversDocument> {
  const { trials, ratePerSecond, connections, onTrial, onFailure, signal, timeoutMs } = options
  const servers = throughPgBouncer(stack)
  await makeTable(servers, signal)
  // Longer than PgBouncer lets a statement wait: it says so itself, and then it is known what became of the write.
  const writeTimeoutMs = stack.pgbouncer.queryWaitMs + 5_000
  await using writer = new Writer(servers, { ratePerSecond, connections, writeTimeoutMs, signal })
  writer.start()
  const write = async (count: number): Promise<void> =>
    await writer.acknowledges(Math.min(count, ratePerSecond), { timeoutMs })
  await write(WRITES.before)
  const done = await runSeries({
    ...{ trials, onTrial, onFailure, signal },
    trial: async () => {
      await waitUntil(caughtUp(writer), { timeoutMs, intervalMs: 250, signal })
      const begunAt = performance.now()
      const times = await stackSwitchover(cluster, stack, options)
      await write(WRITES.after)
      const latencies = latenciesOf(writer.snapshot(), { from: begunAt })
      return { ...times, longestWaitMs: latencies.reduce((longest, ms) => Math.max(longest, ms), 0) }
    },
  })
  return await judged(servers, await writer.stop(), { trials: done, load: writer.load })
}

/** What it was late by the pause before has come in: or that would be in the wait of the next. */
const caughtUp = (writer: Writer): Condition<undefined> => ({
  what: 'the client to write as fast as it should',
  observe: async () => {
    const lateMs = latenciesOf(writer.snapshot()).at(-1) ?? 0
    return lateMs < LATE_MS ? met(undefined) : notMet(`its last write came ${seconds(lateMs)} late`)
  },
})

const LATE_MS = 200

function throughPgBouncer({ topology: { lab, database }, pgbouncer: { host, port } }: PatroniStack): NamedServers {
  const servers = new NamedServers({
    address: connectionUrl({ host, port, ...lab, database }),
    connectTimeoutMs: 5_000,
  })
  servers.table = WRITES_TABLE
  return servers
}

async function makeTable(servers: NamedServers, signal: AbortSignal | undefined): Promise<void> {
  const { name } = await servers.primary(signal)
  await using session = await servers.connect(name, { signal })
  await makeWritesTable(session)
}

async function judged(
  servers: NamedServers,
  history: History,
  { trials, load }: Pick<SwitchoversDocument, 'trials' | 'load'>,
): Promise<SwitchoversDocument> {
  const { name } = await servers.primary()
  await using session = await servers.connect(name)
  const findings = checkHistory(history, await rowsIn(WRITES_TABLE, session, history.run), { faultHappened: true })
  return {
    ...{ version: 1, stack: 'patroni', fault: 'switchover', load, trials },
    pausedMs: spreadOf(trials.map(({ pausedMs }) => pausedMs)),
    longestWaitMs: spreadOf(trials.map(({ longestWaitMs }) => longestWaitMs)),
    writes: countsOf(findings),
    errors: errorsByCode(history),
    verdict: findings.verdict,
    why: findings.why,
  }
}
